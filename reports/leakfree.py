"""The leak-free comparison: cases whose answer is not in the input, beside the paper's protocol.

In the paper's protocol a method may see the very frames that it has to generate, so copying wins.
Two kinds of case remove the answer: `cross` (another clip's speech; sync metrics) and `probe`
(another clip's speech, compared with the clip's own video). The speech gain, `reconstruct` minus
`probe`, is the part of a full-reference metric's value that comes from the speech.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.ground.stats import holm
from reports.comparison import Standing, Table, stand
from reports.results import Column, ColumnValues, Dataset, Results, Row

Kind = Literal["cross", "gain"]


@dataclass(frozen=True)
class Pairing:
    """One column of the paper's protocol beside its leak-free counterpart.

    column, official: the paper's protocol. counterpart, standing: the same output on `cross` cases,
    or the speech gain of `counterpart` (that of the mouth region if the run measured it).

    Ranks are compared by pairs: two methods change places only if both standings tell them apart,
    in opposite order.
    """

    kind: Kind
    dataset: Dataset
    column: Column
    official: Standing
    counterpart: Column
    standing: Standing

    @property
    def passes(self) -> frozenset[tuple[str, str]]:
        """(winner, loser) of every two methods that change places, winner in the leak-free one."""
        after, before = self.standing.told_apart, self.official.told_apart
        return frozenset(one for one in after if one[::-1] in before)

    @property
    def lost(self) -> frozenset[tuple[str, str]]:
        """(better, worse) of every two methods that only the paper's protocol tells apart."""
        after, before = self.standing.told_apart, self.official.told_apart
        return frozenset(one for one in before if one not in after and one[::-1] not in after)

    def gained(self, label: str) -> int:
        """How many methods this one passes."""
        return sum(winner == label for winner, _ in self.passes)

    def fallen(self, label: str) -> int:
        """How many methods pass this one."""
        return sum(loser == label for _, loser in self.passes)

    @property
    def better(self) -> Literal["higher", "lower", "none"]:
        """The direction of the leak-free number; a higher gain is always better."""
        return "higher" if self.kind == "gain" else self.counterpart.output.better


def pair(results: Results, table: Table) -> list[Pairing]:
    """Every ranked column of the table that has a leak-free counterpart, beside it."""
    found: list[Pairing] = []
    for block in table.blocks:
        dataset = block.dataset
        for one in block.columns:
            column = one.column
            if one.is_evidence or column.is_set or column.output.better == "none":
                continue
            kind: Kind = "gain" if column.reads_reference else "cross"
            if not dataset.of_kind("probe" if kind == "gain" else "cross"):
                continue
            counterpart = _mouth(results, dataset, column) if kind == "gain" else column
            judged = not column.is_void
            standing = stand(
                _values(results, dataset, table.rows, counterpart, kind),
                table.rows,
                dataset.speakers,
                better="higher" if kind == "gain" else column.output.better if judged else "none",
                reference=table.reference if judged else None,
                seed=results.seed,
            )
            if kind == "gain":
                standing = _below_floor(standing, counterpart)
            if any(entry.state != "absent" for entry in standing.entries.values()):
                found.append(Pairing(kind, dataset, column, one.standing, counterpart, standing))
    return _corrected(found)


def _below_floor(standing: Standing, column: Column) -> Standing:
    """The standing of gains, with the mark of those that are below the column's floor."""
    if column.floor is None:
        return standing
    entries = {
        label: replace(entry, is_below_floor=column.floor.hides_difference(entry.interval.mean))
        if entry.interval is not None
        else entry
        for label, entry in standing.entries.items()
    }
    return replace(standing, entries=entries)


def _corrected(pairings: Sequence[Pairing]) -> list[Pairing]:
    """The pairings with p values Holm-corrected over all leak-free comparisons of a data set."""
    corrected = list(pairings)
    for name in dict.fromkeys(one.dataset.name for one in pairings):
        places = [
            (index, label)
            for index, one in enumerate(pairings)
            if one.dataset.name == name
            for label in one.standing.entries
        ]
        raw = [pairings[index].standing.entries[label].p_value for index, label in places]
        for (index, label), p_value in zip(places, holm(raw), strict=True):
            standing = corrected[index].standing
            entry = replace(standing.entries[label], p_value=p_value)
            standing = replace(standing, entries={**standing.entries, label: entry})
            corrected[index] = replace(corrected[index], standing=standing)
    return corrected


def _mouth(results: Results, dataset: Dataset, column: Column) -> Column:
    """The mouth region's column of the same metric, or the column itself if there is none."""
    for other in results.columns(dataset):
        same = (other.metric_name, other.output.name) == (column.metric_name, column.output.name)
        if same and (other.region == "mouth" or other.metric.endswith("_mouth")):
            return other
    return column


def _values(
    results: Results, dataset: Dataset, rows: Sequence[Row], column: Column, kind: Kind
) -> Mapping[str, ColumnValues]:
    if kind == "cross":
        return {
            row.label: results.column_values(dataset, row.label, column, kind="cross")
            for row in rows
        }
    return {row.label: speech_gain(results, dataset, row.label, column) for row in rows}


def speech_gain(results: Results, dataset: Dataset, method: str, column: Column) -> ColumnValues:
    """What a clip's own speech adds to its value, by `reconstruct` case.

    The gain is the `reconstruct` value minus the mean of the clip's `probe` values. The sign is
    reversed for an output that is better when lower: a positive gain means that the speech helped.
    """
    sign = -1.0 if column.output.better == "lower" else 1.0
    probes: dict[str, list[str]] = {}
    for case in dataset.of_kind("probe"):
        probes.setdefault(case.face, []).append(case.id)
    by_id = {case.id: case for case in dataset.cases}
    values: dict[str, float] = {}
    undefined: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    planned = missing = faceless = spared = 0
    for case in dataset.of_kind("reconstruct"):
        names = [case.id, *probes.get(case.face, [])]
        cells = [results.cell(dataset, method, by_id[name], column) for name in names]
        if len(names) < 2 or any(cell is None for cell in cells):
            spared += len(names) > 1 and results.spares(dataset, method, case)
            continue
        planned += 1
        asked = [cell for cell in cells if cell is not None]
        bad = next((cell for cell in asked if cell.state != "ok"), None)
        faceless += bad is not None and bad.is_faceless
        if bad is None:
            own, *others = [cell.values[column.output.name] for cell in asked]
            values[case.id] = sign * (own - sum(others) / len(others))
        elif bad.state == "missing":
            missing += 1
        else:
            (undefined if bad.state == "undefined" else failed)[bad.reason] += 1
    return ColumnValues(values, planned, dict(undefined), dict(failed), missing, faceless, spared)
