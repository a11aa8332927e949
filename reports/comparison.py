"""Compares methods: means over shared cases, intervals, tests, ranks, and missing values.

A method's rank is 1 plus the number of competitors that are significantly better, so ties share a
rank. Nothing is compared by a scorer that does not work. A row with values for fewer than half of
the planned cases would shrink the set of shared cases, so it is set apart: it shows the mean over
its own cases and has no rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from bench.ground.stats import (
    Comparison,
    Interval,
    Unit,
    compare,
    compare_all,
    holm,
    mean_interval,
    ranks,
    share_interval,
    shared_cases,
)
from bench.ground.types import CaseKind
from bench.records.manifest import TablePart
from reports.results import Column, ColumnValues, Dataset, Results, Row
from reports.text import decimals

EVIDENCE = ("offset", "lse_d_at_0", "lse_c_at_0")  # shown beside a sync metric's own columns

EntryState = Literal["value", "undefined", "failed", "missing", "absent"]
Mark = Literal["best", "second", "tied", ""]


@dataclass(frozen=True)
class Entry:
    """One method in one column.

    state: "value", or the most frequent reason for having none; "absent" if nothing was planned.
    interval: of the mean over the compared cases (over the method's own cases if is_apart).
    is_above_truth: significantly better than the real video.
    reasons: each reason for a missing value, with its number of cases; undefined: those reasons
    that are not failures. n_planned: with the n_spared cases that the config keeps from the method.
    difference, p_value: against the table's reference; p is Holm-corrected over all comparisons of
    one data set in the table.
    is_tied: the reference competes, and the test between all competitors of the column cannot tell
    it from this method.
    mark: "best" for rank 1, "second" for the next rank, "tied" if no two competitors can be told
    apart.
    within_one: in the offset's column, the share of cases within one frame of 0.
    n_faceless: how many of the n_undefined cases show no face in any frame.
    is_below_floor: its distance from the column's best competitor (of that one, from the next best)
    is below the column's floor. is_difference_below_floor: so is `difference`.
    """

    state: EntryState
    n_scored: int = 0
    n_planned: int = 0
    n_failed: int = 0
    n_undefined: int = 0
    n_spared: int = 0
    interval: Interval | None = None
    reasons: tuple[tuple[str, int], ...] = ()
    undefined: tuple[str, ...] = ()
    is_apart: bool = False
    is_above_truth: bool = False
    difference: Interval | None = None
    p_value: float | None = None
    is_tied: bool = False
    rank: int | None = None
    mark: Mark = ""
    within_one: Interval | None = None
    n_faceless: int = 0
    is_below_floor: bool = False
    is_difference_below_floor: bool = False

    @property
    def is_significant(self) -> bool:
        """Whether the difference from the reference is significant: corrected test and interval."""
        if self.p_value is None or self.difference is None or self.is_tied:
            return False
        return Comparison(self.difference, self.p_value).holds


@dataclass(frozen=True)
class Standing:
    """All methods in one column: their entries, and the number of cases compared.

    left_out: planned cases for which some method lacks a value. pairs: the comparison of every two
    competitors, first minus second, Holm-corrected over all pairs of the column. told_apart:
    (better, worse) of every pair whose difference is significant.
    """

    entries: Mapping[str, Entry]
    compared: int
    left_out: int
    pairs: Mapping[tuple[str, str], Comparison] = field(default_factory=dict)
    told_apart: frozenset[tuple[str, str]] = frozenset()

    @cached_property
    def digits(self) -> int:
        """The decimals with which the column's means are shown."""
        return decimals(one.interval.mean for one in self.entries.values() if one.interval)


@dataclass(frozen=True)
class BlockColumn:
    """A column of a block; evidence columns are never ranked."""

    column: Column
    standing: Standing
    is_evidence: bool


@dataclass(frozen=True)
class Block:
    """One data set's part of a table. failures: (failed, planned) cases by method."""

    dataset: Dataset
    columns: tuple[BlockColumn, ...]
    failures: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Table:
    """One measured table: rows, and a block for each data set."""

    part: TablePart
    rows: tuple[Row, ...]
    blocks: tuple[Block, ...]
    reference: str | None

    def shown(self, label: str) -> str:
        """The name of the row with this label, as pages show it."""
        return next((row.shown for row in self.rows if row.label == label), label)

    @property
    def competitors(self) -> tuple[str, ...]:
        """The rows that are ranked: all but the controls."""
        return tuple(row.label for row in self.rows if not row.control)


def build_table(results: Results, part: TablePart) -> Table:
    """The measured table that `part` describes, on `reconstruct` cases, as in the paper.

    Every table has a row for `truth`, whether the config names it or not: only beside it does a
    reader see that a value is too good.
    """
    rows = tuple(results.row(label) for label in part.rows)
    truth = results.row_named("truth")
    if truth is not None and truth not in rows:
        rows = (truth, *rows)
    labels = {row.label for row in rows}
    reference = part.reference if part.reference in labels else None
    blocks = (
        build_block(results, dataset, rows, part.columns, reference=reference)
        for dataset in results.datasets
    )
    return Table(part, rows, tuple(block for block in blocks if block.columns), reference)


def build_block(
    results: Results,
    dataset: Dataset,
    rows: Sequence[Row],
    names: Sequence[str],
    *,
    reference: str | None,
    kind: CaseKind = "reconstruct",
) -> Block:
    """One data set's part of a table: the named columns, one per protocol, and evidence."""
    planned = [row for row in rows if any(row.label in s.methods for s in dataset.sources)]
    columns: list[BlockColumn] = []
    for column, is_evidence in _with_evidence(results, dataset, names):
        scores = {
            row.label: results.column_values(dataset, row.label, column, kind=kind)
            for row in planned
        }
        tested = None if is_evidence else reference
        standing = _standing(
            results, dataset, column, scores, rows, tested, kind, ranked=not is_evidence
        )
        columns.append(BlockColumn(column, standing, is_evidence))
    return Block(
        dataset,
        tuple(_corrected(columns)),
        {row.label: _failures(results, dataset, row.label, columns, kind) for row in planned},
    )


def stand(
    scores: Mapping[str, ColumnValues],
    rows: Sequence[Row],
    speakers: Mapping[str, str],
    *,
    better: Literal["higher", "lower", "none"],
    reference: str | None,
    seed: int,
    ranked: bool = True,
) -> Standing:
    """All rows in one column, compared over the cases that all rows share.

    Rows with values for fewer than half of the planned cases are set apart (Entry.is_apart).
    """
    most = max((one.planned for one in scores.values()), default=0)
    full = {label for label, one in scores.items() if one.values and 2 * len(one.values) >= most}
    cases = shared_cases([scores[label].values for label in sorted(full)])
    entries: dict[str, Entry] = {}
    compared: dict[str, dict[str, float]] = {}
    for row in rows:
        own = scores.get(row.label)
        entry = Entry("absent") if own is None else _entry(own)
        if own is not None and entry.state == "value":
            if row.label in full and cases:
                compared[row.label] = {case: own.values[case] for case in cases}
            else:
                entry = replace(entry, is_apart=True)
            values = compared.get(row.label, own.values)
            names = [speakers.get(case, "") for case in values]
            entry = replace(entry, interval=mean_interval(list(values.values()), names, seed=seed))
        entries[row.label] = entry
    if reference in compared:
        for label in _tested(rows, reference):
            if label in compared:
                tested = compare(compared[label], compared[reference], speakers, seed=seed)
                if tested is not None:
                    entries[label] = replace(
                        entries[label], difference=tested.difference, p_value=tested.p_value
                    )
    left_out = most - len(cases) if full else 0
    if better == "none":
        return Standing(entries, len(cases), left_out)
    competitors = {
        row.label: compared[row.label] for row in rows if not row.control and row.label in compared
    }
    truth = next((compared.get(row.label) for row in rows if row.name == "truth"), None)
    if truth is not None:
        for label in _above(competitors, truth, speakers, better, seed):
            entries[label] = replace(entries[label], is_above_truth=True)
    if not ranked or len(competitors) < 2:
        return Standing(entries, len(cases), left_out)
    pairs = compare_all(competitors, speakers, seed=seed)
    told_apart = frozenset(
        names if (one.difference.mean > 0) == (better == "higher") else names[::-1]
        for names, one in pairs.items()
        if one.holds
    )
    placed = ranks(competitors, told_apart)
    for label, mark in marks(placed).items():
        against = {(label, reference), (reference, label)}
        is_tied = reference in competitors and not against & told_apart
        entries[label] = replace(entries[label], rank=placed[label], mark=mark, is_tied=is_tied)
    return Standing(entries, len(cases), left_out, pairs, told_apart)


def marks(placed: Mapping[str, int]) -> dict[str, Mark]:
    """The mark of each rank: best, second, or none; all are tied if there is only one rank."""
    first, *others = sorted(set(placed.values()))
    if not others:
        return dict.fromkeys(placed, "tied")
    set_off: dict[int, Mark] = {first: "best", others[0]: "second"}
    return {name: set_off.get(rank, "") for name, rank in placed.items()}


def _above(
    competitors: Mapping[str, Mapping[str, float]],
    truth: Mapping[str, float],
    speakers: Mapping[str, str],
    better: Literal["higher", "lower"],
    seed: int,
) -> list[str]:
    """The competitors that are significantly better than the real video, after Holm."""
    sign = 1.0 if better == "higher" else -1.0
    tested = {label: compare(own, truth, speakers, seed=seed) for label, own in competitors.items()}
    raw = [None if one is None else one.p_value for one in tested.values()]
    return [
        label
        for (label, one), p_value in zip(tested.items(), holm(raw), strict=True)
        if one is not None and p_value is not None
        if sign * one.difference.mean > 0 and Comparison(one.difference, p_value).holds
    ]


def _tested(rows: Sequence[Row], reference: str | None) -> list[str]:
    """Whom to test against the reference: its competitors; controls are anchors, no hypotheses.

    A run with controls only tests those.
    """
    others = [row for row in rows if row.label != reference]
    return [row.label for row in others if not row.control] or [row.label for row in others]


def _standing(
    results: Results,
    dataset: Dataset,
    column: Column,
    scores: Mapping[str, ColumnValues],
    rows: Sequence[Row],
    reference: str | None,
    kind: CaseKind,
    *,
    ranked: bool,
) -> Standing:
    if column.is_set:
        return _below_floor(_set_standing(results, dataset, column, rows, kind), column, rows, None)
    standing = stand(
        scores,
        rows,
        dataset.speakers,
        better="none" if column.is_void else column.output.better,
        reference=None if column.is_void else reference,
        seed=results.seed,
        ranked=ranked,
    )
    if ranked:
        standing = _below_floor(standing, column, rows, reference)
    if column.output.name != "offset":
        return standing
    entries = {
        label: replace(entry, within_one=_within_one(scores[label], dataset, results.seed))
        if entry.state == "value"
        else entry
        for label, entry in standing.entries.items()
    }
    return replace(standing, entries=entries)


def _below_floor(
    standing: Standing, column: Column, rows: Sequence[Row], reference: str | None
) -> Standing:
    """The standing with the marks of what differs by less than the column's floor."""
    floor, better = column.floor, column.output.better
    if floor is None or column.is_void:
        return standing
    entries = dict(standing.entries)
    means = {
        label: entry.interval.mean
        for label, entry in entries.items()
        if entry.interval is not None and not entry.is_apart
    }
    competing = [row.label for row in rows if not row.control and row.label in means]
    if better != "none" and len(competing) > 1:
        competing.sort(key=lambda label: means[label], reverse=better == "higher")
        for label in competing:
            nearest = competing[1] if label == competing[0] else competing[0]
            hidden = floor.hides(means[label], means[nearest])
            entries[label] = replace(entries[label], is_below_floor=hidden)
    for label, entry in entries.items():
        if entry.difference is not None and label in means and reference in means:
            hidden = floor.hides(means[label], means[reference])
            entries[label] = replace(entry, is_difference_below_floor=hidden)
    return replace(standing, entries=entries)


def _within_one(scores: ColumnValues, dataset: Dataset, seed: int) -> Interval:
    near = [abs(value) <= 1.0 for value in scores.values.values()]
    return share_interval(near, [dataset.speakers[case] for case in scores.values], seed=seed)


def _set_standing(
    results: Results, dataset: Dataset, column: Column, rows: Sequence[Row], kind: CaseKind
) -> Standing:
    """A set metric has one value for all videos: no test, no rank.

    An interval it has where the metric gives its ends as outputs of their own: `fid_low` and
    `fid_high` for `fid`.
    """
    entries: dict[str, Entry] = {}
    cases = dataset.of_kind(kind)
    for row in rows:
        cell = results.set_cell(dataset, row.label, column, kind=kind)
        generated = [results.generation(dataset, row.label, case) for case in cases]
        count = sum(one is not None and one.record.status == "ok" for one in generated)
        spared = sum(results.spares(dataset, row.label, case) for case in cases)
        planned = sum(one is not None for one in generated) + spared
        if cell.state == "ok" and column.output.name in cell.values:
            name = column.output.name
            low, high = cell.values.get(f"{name}_low"), cell.values.get(f"{name}_high")
            unit: Unit = "none" if low is None or high is None else "clip"
            interval = Interval(cell.values[name], low, high, count, 0, unit)
            entries[row.label] = Entry(
                "value", count, planned, n_spared=spared, interval=interval, is_apart=spared > 0
            )
        else:
            state: EntryState = "failed" if cell.state == "ok" else cell.state
            reasons = ((cell.reason, 1),) if cell.reason else ()
            undefined = (cell.reason,) if state == "undefined" else ()
            entries[row.label] = Entry(
                state, 0, planned, n_spared=spared, reasons=reasons, undefined=undefined
            )
    return Standing(entries, 0, 0)


def _entry(scores: ColumnValues) -> Entry:
    """One method's counts and reasons, before any comparison."""
    n_undefined = sum(scores.undefined.values())
    if scores.planned == 0:
        return Entry("absent")
    state: EntryState = "missing"
    if scores.values:
        state = "value"
    elif scores.n_failed or n_undefined:
        state = "failed" if scores.n_failed >= n_undefined else "undefined"
    return Entry(
        state,
        len(scores.values),
        scores.planned + scores.spared,
        scores.n_failed,
        n_undefined,
        scores.spared,
        reasons=(*scores.failed.items(), *scores.undefined.items()),
        undefined=tuple(scores.undefined),
        n_faceless=0 if state == "failed" else scores.faceless,
    )


def _corrected(columns: Sequence[BlockColumn]) -> list[BlockColumn]:
    """The columns with p values Holm-corrected over all comparisons of the block."""
    places = [
        (index, label) for index, column in enumerate(columns) for label in column.standing.entries
    ]
    raw = [columns[index].standing.entries[label].p_value for index, label in places]
    adjusted = dict(zip(places, holm(raw), strict=True))
    corrected: list[BlockColumn] = []
    for index, column in enumerate(columns):
        entries = {
            label: replace(entry, p_value=adjusted[index, label])
            for label, entry in column.standing.entries.items()
        }
        corrected.append(replace(column, standing=replace(column.standing, entries=entries)))
    return corrected


def _with_evidence(
    results: Results, dataset: Dataset, names: Sequence[str]
) -> list[tuple[Column, bool]]:
    """The named columns in order; the last one of a sync metric is followed by its evidence."""
    available = results.columns(dataset)
    named = [column for name in names for column in available if column.name == name]
    ordered: list[tuple[Column, bool]] = []
    for index, column in enumerate(named):
        ordered.append((column, False))
        if any(_same_metric(column, later) for later in named[index + 1 :]):
            continue
        beside = [one for one in available if _same_metric(column, one)]
        if any(one.output.name == "offset" for one in beside):
            more = [one for name in EVIDENCE for one in beside if one.output.name == name]
            ordered += [(one, True) for one in more if one not in named]
    return ordered


def _same_metric(first: Column, second: Column) -> bool:
    return (first.metric, first.protocol) == (second.metric, second.protocol)


def _failures(
    results: Results,
    dataset: Dataset,
    label: str,
    columns: Sequence[BlockColumn],
    kind: CaseKind,
) -> tuple[int, int]:
    """How many planned cases failed, in generation or in any column, and how many were planned."""
    failed = planned = 0
    for case in dataset.of_kind(kind):
        if not any(
            label in source.methods and source.methods[label].answers(case)
            for source in dataset.sources
        ):
            continue
        planned += 1
        video = results.generation(dataset, label, case)
        states = {"failed"} if video is not None and video.record.status != "ok" else set()
        for one in columns:
            cell = None if one.column.is_set else results.cell(dataset, label, case, one.column)
            if cell is not None:
                states.add(cell.state)
        failed += "failed" in states
    return failed, planned
