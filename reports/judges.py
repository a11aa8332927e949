"""Where two sync judges disagree about a method: a score may be won there without being right.

Both judges are put on the scale of the clip's own controls (`bench.records.relative`): 0 is its
wrong speech, 1 its real video. Only a judge that works on the data has a say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.ground.stats import (
    Comparison,
    Interval,
    compare,
    compare_all,
    holm,
    mean_interval,
    ranks,
    shared_cases,
)
from reports.results import Column, Dataset, Results
from reports.validity import Validity

MOST_CLIPS = 6
MOST_OF_ONE = 2  # clips of one method
NEAR_WRONG = 0.5  # below it a clip is nearer to its wrong speech than to its truth

Zone = Literal["above", "level", "between", "wrong"]
Missing = Literal["alone", "invalid", "values"]


@dataclass(frozen=True)
class Judge:
    """A sync judge: its confidence, and the same on the clips' own scale."""

    column: Column
    scaled: Column


@dataclass(frozen=True)
class Opinion:
    """What one judge says of one method: its mean on the clips' scale, its rank, its zone.

    zone: "above" the real video, "level" with it, "between" it and wrong speech, or not above
    "wrong" speech; each but "level" and "wrong" needs a significant difference, corrected over the
    methods. rank: among competitors; None for a control.
    """

    mean: Interval
    rank: int | None
    zone: Zone


@dataclass(frozen=True)
class Judged:
    """A method under both judges, on the same cases."""

    label: str
    first: Opinion
    second: Opinion

    @property
    def is_contradiction(self) -> bool:
        """Whether one puts it above the real video and the other below it.

        Or one hears more than wrong speech in it and the other does not.
        """
        zones = {self.first.zone, self.second.zone}
        return zones == {"above", "between"} or ("wrong" in zones and len(zones) == 2)


@dataclass(frozen=True)
class Clip:
    """A method's video that one judge puts at its truth or above, and the other near wrong speech.

    first, second: what the judges say, on the clip's scale.
    """

    label: str
    case: str
    first: float
    second: float


@dataclass(frozen=True)
class Disagreement:
    """One data set under two judges.

    missing: why there is no comparison: fewer than two judges were measured ("alone"), fewer than two
    work on the data ("invalid"; `silent` names the others), or no video has a value of both.
    reversed: (x, y) of every two competitors of which the first judge says that x is better, and
    the second that y is. compared: on how many cases.
    """

    dataset: Dataset
    measured: tuple[str, ...]
    judges: tuple[Judge, ...]
    silent: tuple[str, ...] = ()
    missing: Missing | None = None
    methods: tuple[Judged, ...] = ()
    reversed: tuple[tuple[str, str], ...] = ()
    clips: tuple[Clip, ...] = ()
    compared: int = 0

    @property
    def contradictions(self) -> tuple[Judged, ...]:
        """The competitors about which the judges contradict each other."""
        return tuple(
            one for one in self.methods if one.first.rank is not None and one.is_contradiction
        )


def disagreements(results: Results, validities: Sequence[Validity]) -> list[Disagreement]:
    """Each data set on which any sync judge was measured, under its first two that work."""
    found: list[Disagreement] = []
    for dataset in results.datasets:
        scales = {
            (one.scaled.metric, one.scaled.protocol): Judge(one.scaled, one)
            for one in results.columns(dataset)
            if one.scaled is not None
        }
        own = [one for one in validities if one.dataset.name == dataset.name]
        asked = [(scales[one.metric, one.protocol], one.works is True) for one in own]
        if asked:
            found.append(_disagreement(results, dataset, asked))
    return found


def _disagreement(
    results: Results, dataset: Dataset, asked: Sequence[tuple[Judge, bool]]
) -> Disagreement:
    measured = tuple(judge.column.metric for judge, _ in asked)
    judges = tuple(judge for judge, works in asked if works)[:2]
    silent = tuple(judge.column.metric for judge, works in asked if not works)
    if len(judges) < 2:
        missing: Missing = "alone" if len(asked) < 2 else "invalid"
        return Disagreement(dataset, measured, judges, silent, missing)
    values = [_values(results, dataset, judge.scaled) for judge in judges]
    cases = _shared(results, values)
    if not cases:
        return Disagreement(dataset, measured, judges, silent, "values")
    labels = [row.label for row in results.rows if _has(values, row.label, cases)]
    said = [_opinions(results, dataset, one, labels, cases) for one in values]
    methods = tuple(Judged(label, said[0][label], said[1][label]) for label in labels)
    competing = [label for label in labels if not results.row(label).control]
    first, second = (_told_apart(results, dataset, one, competing, cases) for one in values)
    return Disagreement(
        dataset,
        measured,
        judges,
        silent,
        methods=methods,
        reversed=tuple(sorted(pair for pair in first if pair[::-1] in second)),
        clips=tuple(_clips(competing, values)),
        compared=len(cases),
    )


Values = Mapping[str, Mapping[str, float]]  # by method's label, then by case


def _values(results: Results, dataset: Dataset, column: Column) -> Values:
    return {
        row.label: results.column_values(dataset, row.label, column, kind="reconstruct").values
        for row in results.rows
    }


def _shared(results: Results, values: Sequence[Values]) -> tuple[str, ...]:
    """The cases for which all competitors have a value of both judges.

    A competitor with values for fewer than half of the cases would shrink them, and is left out.
    """
    both = {
        row.label: set(values[0][row.label]) & set(values[1][row.label])
        for row in results.rows
        if not row.control
    }
    most = max(map(len, both.values()), default=0)
    full = [dict.fromkeys(own, 0.0) for own in both.values() if own and 2 * len(own) >= most]
    return shared_cases(full)


def _has(values: Sequence[Values], label: str, cases: Sequence[str]) -> bool:
    return all(case in one[label] for one in values for case in cases)


def _opinions(
    results: Results,
    dataset: Dataset,
    values: Values,
    labels: Sequence[str],
    cases: Sequence[str],
) -> dict[str, Opinion]:
    speakers = dataset.speakers
    own = {label: {case: values[label][case] for case in cases} for label in labels}
    ends = [
        {
            label: compare(one, dict.fromkeys(cases, end), speakers, seed=results.seed)
            for label, one in own.items()
        }
        for end in (0.0, 1.0)
    ]
    wrong, truth = (_corrected(one) for one in ends)
    competing = [label for label in labels if not results.row(label).control]
    placed = ranks(competing, _told_apart(results, dataset, values, competing, cases))
    return {
        label: Opinion(
            mean_interval(
                list(own[label].values()), [speakers[case] for case in cases], seed=results.seed
            ),
            placed.get(label),
            _zone(wrong[label], truth[label]),
        )
        for label in labels
    }


def _zone(wrong: Comparison, truth: Comparison) -> Zone:
    """Where a method is, by its differences from wrong speech and from the truth."""
    if not (wrong.holds and wrong.difference.mean > 0):
        return "wrong"
    if not truth.holds:
        return "level"
    return "above" if truth.difference.mean > 0 else "between"


def _corrected(found: Mapping[str, Comparison | None]) -> dict[str, Comparison]:
    there = {label: one for label, one in found.items() if one is not None}
    adjusted = holm([one.p_value for one in there.values()])
    return {
        label: Comparison(one.difference, p_value)
        for (label, one), p_value in zip(there.items(), adjusted, strict=True)
        if p_value is not None
    }


def _told_apart(
    results: Results,
    dataset: Dataset,
    values: Values,
    labels: Sequence[str],
    cases: Sequence[str],
) -> frozenset[tuple[str, str]]:
    """(better, worse) of every two methods whose difference is significant."""
    own = {label: {case: values[label][case] for case in cases} for label in labels}
    pairs = compare_all(own, dataset.speakers, seed=results.seed)
    return frozenset(
        names if one.difference.mean > 0 else names[::-1]
        for names, one in pairs.items()
        if one.holds
    )


def _clips(labels: Sequence[str], values: Sequence[Values]) -> list[Clip]:
    """The videos with the largest contradiction, at most MOST_OF_ONE of each method."""
    first, second = values
    found: list[Clip] = []
    for label in labels:
        own = [
            Clip(label, case, first[label][case], second[label][case])
            for case in first[label]
            if case in second[label]
        ]
        own = [
            one
            for one in own
            if max(one.first, one.second) >= 1.0 and min(one.first, one.second) < NEAR_WRONG
        ]
        found += sorted(own, key=_distance)[:MOST_OF_ONE]
    return sorted(found, key=_distance)[:MOST_CLIPS]


def _distance(clip: Clip) -> tuple[float, str, str]:
    """Sorts clips, the largest difference first."""
    return -abs(clip.first - clip.second), clip.label, clip.case
