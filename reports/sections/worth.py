"""What each number is worth: the floor, the chance level and the validity of every column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.ground.stats import Interval
from reports.results import Dataset, Results
from reports.sheets import heading, level_text
from reports.text import fine, fixed, percent
from reports.words import Words
from reports.worth import CONTROLS, LOSSES, Worth

SHOWN = {"works": "good", "fails": "bad", "unsure": "warn"}  # badges of verdicts


@dataclass(frozen=True)
class WorthLine:
    """One column. losses: what each light loss of quality does to it, as text.

    shares: by control, in how many cases the real video is better; "" where the metric does not
    claim to see it. badge: the class of the verdict's badge.
    """

    heading: str
    metric: str
    unit: str
    protocol: str
    truth: str
    losses: tuple[str, ...]
    floor: str
    chance: str
    shares: tuple[str, ...]
    sees: str
    verdict: str
    badge: str


@dataclass(frozen=True)
class WorthPart:
    """The columns of one data set. title: its name. note: on how many cases."""

    title: str
    note: str
    lines: tuple[WorthLine, ...]


def view_worth(results: Results, worths: Sequence[Worth], words: Words) -> tuple[WorthPart, ...]:
    """The columns by data set; none if no run had quiet controls."""
    parts: list[WorthPart] = []
    for dataset in results.datasets:
        own = [one for one in worths if one.dataset.name == dataset.name]
        lines = tuple(_line(one, words) for one in own)
        title = words.translated(dataset.info.title or dataset.name)
        if lines:
            parts.append(WorthPart(title, _note(dataset, words), lines))
    return tuple(parts)


def worth_verdict(one: Worth, words: Words) -> str:
    """Why a column does not work on its data, in one sentence."""
    reasons = words("sentence_separator").join(_reasons(one, words))
    title = one.column.title_of_region(words)
    return words("worth_banner", column=title, data=one.dataset.name, why=reasons)


def failing(worths: Iterable[Worth]) -> list[Worth]:
    """The columns that are struck out, because they fail on the run's controls."""
    return [one for one in worths if one.column.is_void and one.state == "fails"]


def _reasons(one: Worth, words: Words) -> Iterable[str]:
    alike = one.column.output.alike
    for name in one.failing:
        if name == "stranger" and alike is not None:
            yield words("worth_alike", chance=fixed(one.chance), line=fixed(alike))
        else:
            share = _share(one.shares[name], words)
            yield words("worth_not_told", control=words(f"worth_{name}"), share=share)


def _line(one: Worth, words: Words) -> WorthLine:
    column = one.column
    floor = one.floor
    state = "fails" if column.is_void else one.state
    moved = {} if floor is None else dict(floor.moves or floor.levels)
    said = "" if floor is None else fine(floor.largest)
    if floor is not None and floor.mean is not None:
        said = words("worth_floor", largest=said, mean=fine(floor.mean))
    elif floor is not None:
        said = level_text(floor)
    return WorthLine(
        heading=heading(column, words),
        metric=column.metric,
        unit=words.unit(column.output.unit),
        protocol=column.protocol,
        truth=fixed(one.truth) or "–",
        losses=tuple(fine(moved[how]) if how in moved else "" for how in LOSSES),
        floor=said,
        chance=fixed(one.chance),
        shares=tuple(_claimed(one, name, words) for name in CONTROLS),
        sees=words.listed(words(f"sees_{name}") for name in _seen(one)),
        verdict=words(f"worth_{state}"),
        badge=SHOWN.get(state, ""),
    )


def _seen(one: Worth) -> list[str]:
    """What the metric claims to see, in a fixed order."""
    if one.column.output.better == "none":
        return []
    known = ("blur", "noise", "frozen", "shifted", "exchanged")
    return [name for name in known if name in one.column.sees]


def _claimed(one: Worth, name: str, words: Words) -> str:
    if name not in one.claims or one.column.output.better == "none":
        return ""
    share = one.shares.get(name)
    return words("validity_unmeasured_share") if share is None else _share(share, words)


def _share(share: Interval, words: Words) -> str:
    counts = {"hits": round(share.mean * share.n), "count": share.n}
    return words("worth_share", share=percent(share.mean), **counts)


def _note(dataset: Dataset, words: Words) -> str:
    count = len({case.id for source in dataset.sources for case in source.floors.cases})
    has_stranger = any(
        method.name == "stranger" for source in dataset.sources for method in source.floors.methods
    )
    note = words("worth_cases", n=count)
    if has_stranger:
        return note
    return words("two_sentences", first=note, second=words("worth_no_stranger"))
