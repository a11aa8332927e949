"""The leak-free comparison beside a table, with examples in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from reports.comparison import Entry, Table
from reports.leakfree import Pairing
from reports.results import Row
from reports.text import fine
from reports.words import Words


@dataclass(frozen=True)
class LeakFreePart:
    """All columns of one kind (`cross` or `gain`), their rows, and examples in words."""

    kind: str
    pairings: tuple[Pairing, ...]
    rows: tuple[Row, ...]
    examples: tuple[str, ...]
    has_moves: bool
    has_unshown_gain: bool
    has_gain_below_floor: bool


@dataclass(frozen=True)
class LeakFreeView:
    """The leak-free comparison. moves: sentences on who passes whom; n_moves: how many pairs."""

    anchor: str
    title: str
    parts: tuple[LeakFreePart, ...]
    verdict: str
    moves: tuple[str, ...]
    n_moves: int


def view_leakfree(
    table: Table, number: int, pairings: Sequence[Pairing], words: Words
) -> LeakFreeView | None:
    """The comparison beside a table; None if the run has no `cross` and no `probe` cases."""
    if not pairings:
        return None
    parts = [
        _part(kind, tuple(one for one in pairings if one.kind == kind), table, words)
        for kind in ("cross", "gain")
    ]
    n_moves = sum(len(one.passes) for one in pairings)
    n_lost = sum(len(one.lost) for one in pairings)
    if not any(one.official.pairs and one.standing.pairs for one in pairings):
        verdict = words("ranks_none")
    else:
        verdict = words("ranks_change", n=n_moves) if n_moves else words("ranks_same")
        if n_lost:
            verdict = words("two_sentences", first=words("ranks_lost", n=n_lost), second=verdict)
    return LeakFreeView(
        anchor=f"table-{number}-leakfree",
        title=words("leakfree_title", number=number),
        parts=tuple(part for part in parts if part.pairings),
        verdict=verdict,
        moves=tuple(_moves(table, pairings, words)),
        n_moves=n_moves,
    )


def is_unshown_gain(entry: Entry) -> bool:
    """Whether a gain's interval reaches 0, so that no gain from the speech is shown."""
    interval = entry.interval
    return interval is not None and (interval.low is None or interval.low <= 0.0)


def view_rows(table: Table, pairings: Sequence[Pairing]) -> tuple[Row, ...]:
    """The table's rows that have leak-free cells, and `truth`."""
    return tuple(
        row
        for row in table.rows
        if row.name == "truth"
        or any(one.standing.entries[row.label].state != "absent" for one in pairings)
    )


def _part(kind: str, pairings: tuple[Pairing, ...], table: Table, words: Words) -> LeakFreePart:
    rows = view_rows(table, pairings)
    gains = [one.standing.entries[row.label] for one in pairings for row in rows if kind == "gain"]
    return LeakFreePart(
        kind,
        pairings,
        rows,
        _examples(pairings, table, words) if kind == "gain" else (),
        any(one.passes for one in pairings),
        any(is_unshown_gain(entry) for entry in gains),
        any(entry.is_below_floor for entry in gains),
    )


def _examples(pairings: Sequence[Pairing], table: Table, words: Words) -> tuple[str, ...]:
    """Sentences that explain the largest and the smallest gain of the last column."""
    if not pairings:
        return ()
    one = pairings[-1]
    labels = table.competitors or tuple(row.label for row in table.rows)
    gains = [
        (interval.mean, label)
        for label in labels
        if (interval := one.standing.entries[label].interval) is not None
    ]
    if not gains:
        return ()
    ends = sorted({max(gains), min(gains)}, reverse=True)
    unit = words.unit(one.counterpart.output.unit)
    return tuple(
        words(
            "gain_none" if is_unshown_gain(one.standing.entries[label]) else "gain_some",
            method=table.shown(label),
            column=one.column.title(words),
            data=one.dataset.name,
            gain=f"{fine(abs(gain))} {unit}".strip(),
        )
        for gain, label in ends
    )


def _moves(table: Table, pairings: Sequence[Pairing], words: Words) -> list[str]:
    """Sentences on who passes whom and in which columns, in the table's order."""
    several = len({one.dataset.name for one in pairings}) > 1
    moves: dict[tuple[str, str], list[str]] = {}
    for winner, loser in permutations(table.competitors, 2):
        for one in pairings:
            if (winner, loser) in one.passes:
                name = one.column.title(words) + (f" ({one.dataset.name})" if several else "")
                moves.setdefault((winner, loser), []).append(name)
    return [
        words(
            "rank_move",
            winner=table.shown(winner),
            loser=table.shown(loser),
            columns=words.listed(columns),
        )
        for (winner, loser), columns in moves.items()
    ]
