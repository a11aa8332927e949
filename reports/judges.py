"""Where two sync judges disagree about a method: a score may be won there without being right.

Each judge compares a method's video with the real video of the same clip and with its wrong speech
(`mismatched`, or `still` where that has more), case by case, in the judge's own unit. Means are
shown on the scale on which the data's wrong speech is 0 and its real video 1. Only a judge that
works on the data has a say.
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
    ranks,
    ratio_interval,
    shared_cases,
)
from bench.records.relative import CONTROLS
from reports.results import Column, Dataset, Results
from reports.validity import Validity, control_values

MOST_CLIPS = 6
MOST_OF_ONE = 2  # clips of one method

Zone = Literal["above", "level", "between", "wrong"]
Missing = Literal["alone", "invalid", "values"]
Values = Mapping[str, float]  # by case


@dataclass(frozen=True)
class Opinion:
    """What one judge says of one method: its mean, its rank, its zone.

    mean: how far it is from the wrong speech (0) to the real video (1), a ratio of mean differences
    over the cases. zone: "above" the real video, "level" with it, "between" it and wrong speech, or
    not above "wrong" speech; each but "level" and "wrong" needs a significant difference, corrected
    over the methods. rank: among competitors; None for a control.
    """

    mean: Interval
    rank: int | None
    zone: Zone


@dataclass(frozen=True)
class TwoOpinions:
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
class Heard:
    """What one judge says of one clip: the method's video, the real one, and wrong speech."""

    made: float
    truth: float
    wrong: float

    @property
    def is_good(self) -> bool:
        """Whether the method's video is at the real one or above."""
        return self.made >= self.truth > self.wrong

    @property
    def is_bad(self) -> bool:
        """Whether it is nearer to the wrong speech than to the real video."""
        return self.truth > self.wrong and self.made < (self.truth + self.wrong) / 2


@dataclass(frozen=True)
class Clip:
    """A method's video that one judge puts at its truth or above, and the other near wrong speech.

    distance: how far apart, in mean distances from wrong speech to truth of either judge.
    """

    label: str
    case: str
    first: Heard
    second: Heard
    distance: float


@dataclass(frozen=True)
class Disagreement:
    """One data set under two judges.

    missing: why there is no comparison: fewer than two judges were measured ("alone"), fewer than
    two work on the data ("invalid"; `silent` names the others), or no case has a value of both for
    all methods ("values").
    reversed: (x, y) of every two competitors of which the first judge says that x is better, and
    the second that y is. compared: on how many cases.
    """

    dataset: Dataset
    measured: tuple[str, ...]
    judges: tuple[Column, ...]
    silent: tuple[str, ...] = ()
    missing: Missing | None = None
    methods: tuple[TwoOpinions, ...] = ()
    reversed: tuple[tuple[str, str], ...] = ()
    clips: tuple[Clip, ...] = ()
    compared: int = 0

    @property
    def contradictions(self) -> tuple[TwoOpinions, ...]:
        """The competitors about which the judges contradict each other."""
        return tuple(
            one for one in self.methods if one.first.rank is not None and one.is_contradiction
        )


@dataclass(frozen=True)
class _Heard:
    """One judge's values on a data set: of all methods, by label, and of truth and wrong speech."""

    methods: Mapping[str, Values]
    truth: Values
    wrong: Values


def disagreements(results: Results, validities: Sequence[Validity]) -> list[Disagreement]:
    """Each data set on which any sync judge was measured, under its first two that work."""
    found: list[Disagreement] = []
    for dataset in results.datasets:
        asked = {
            column: one.works is True
            for one in validities
            if one.dataset.name == dataset.name
            for column in results.columns(dataset)
            if (column.metric, column.protocol) == (one.metric, one.protocol)
            if column.output.heading == one.confidence
        }
        if asked:
            found.append(_disagreement(results, dataset, asked))
    return found


def _disagreement(results: Results, dataset: Dataset, asked: Mapping[Column, bool]) -> Disagreement:
    measured = tuple(column.metric for column in asked)
    judges = tuple(column for column, works in asked.items() if works)[:2]
    silent = tuple(column.metric for column, works in asked.items() if not works)
    if len(judges) < 2:
        missing: Missing = "alone" if len(asked) < 2 else "invalid"
        return Disagreement(dataset, measured, judges, silent, missing)
    heard = [_hear(results, dataset, column) for column in judges]
    cases = _shared(results, heard)
    leads = [sum(one.truth[case] - one.wrong[case] for case in cases) for one in heard]
    if not cases or min(leads) <= 0.0:
        return Disagreement(dataset, measured, judges, silent, "values")
    labels = [
        row.label
        for row in results.rows
        if all(case in one.methods[row.label] for one in heard for case in cases)
    ]
    competing = [label for label in labels if not results.row(label).control]
    told_apart = [_told_apart(results, dataset, one, competing, cases) for one in heard]
    said = [
        _opinions(results, dataset, one, labels, ranks(competing, apart), cases)
        for one, apart in zip(heard, told_apart, strict=True)
    ]
    return Disagreement(
        dataset,
        measured,
        judges,
        silent,
        methods=tuple(TwoOpinions(label, said[0][label], said[1][label]) for label in labels),
        reversed=tuple(sorted(pair for pair in told_apart[0] if pair[::-1] in told_apart[1])),
        clips=tuple(_clips(competing, heard, [lead / len(cases) for lead in leads])),
        compared=len(cases),
    )


def _hear(results: Results, dataset: Dataset, column: Column) -> _Heard:
    truth, mismatched, still = (control_values(results, dataset, column, name) for name in CONTROLS)
    methods = {
        row.label: results.column_values(dataset, row.label, column, kind="reconstruct").values
        for row in results.rows
    }
    wrong = {case: max(value, still.get(case, value)) for case, value in mismatched.items()}
    return _Heard(methods, truth, wrong)


def _shared(results: Results, heard: Sequence[_Heard]) -> tuple[str, ...]:
    """The cases for which truth, wrong speech and all competitors have a value of both judges.

    A competitor with values for fewer than half of the cases would shrink them, and is left out.
    """
    ends = shared_cases([values for one in heard for values in (one.truth, one.wrong)])
    both = {
        row.label: set(shared_cases([one.methods[row.label] for one in heard])) & set(ends)
        for row in results.rows
        if not row.control
    }
    most = max(map(len, both.values()), default=0)
    full = [dict.fromkeys(own, 0.0) for own in both.values() if own and 2 * len(own) >= most]
    return shared_cases(full)


def _opinions(
    results: Results,
    dataset: Dataset,
    heard: _Heard,
    labels: Sequence[str],
    placed: Mapping[str, int],
    cases: Sequence[str],
) -> dict[str, Opinion]:
    def tested(end: Values) -> dict[str, Comparison]:
        """Each method against one end, Holm-corrected over the methods."""
        against = {case: end[case] for case in cases}
        found = {
            label: one
            for label in labels
            if (one := compare(heard.methods[label], against, speakers, seed=results.seed))
        }
        adjusted = holm([one.p_value for one in found.values()])
        return {
            label: Comparison(one.difference, p_value)
            for (label, one), p_value in zip(found.items(), adjusted, strict=True)
            if p_value is not None
        }

    speakers = dataset.speakers
    names = [speakers[case] for case in cases]
    leads = [heard.truth[case] - heard.wrong[case] for case in cases]
    wrong, truth = tested(heard.wrong), tested(heard.truth)
    return {
        label: Opinion(
            ratio_interval(
                [heard.methods[label][case] - heard.wrong[case] for case in cases],
                leads,
                names,
                seed=results.seed,
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


def _told_apart(
    results: Results,
    dataset: Dataset,
    heard: _Heard,
    labels: Sequence[str],
    cases: Sequence[str],
) -> frozenset[tuple[str, str]]:
    """(better, worse) of every two methods whose difference is significant."""
    own = {label: {case: heard.methods[label][case] for case in cases} for label in labels}
    pairs = compare_all(own, dataset.speakers, seed=results.seed)
    return frozenset(
        names if one.difference.mean > 0 else names[::-1]
        for names, one in pairs.items()
        if one.holds
    )


def _clips(labels: Sequence[str], heard: Sequence[_Heard], leads: Sequence[float]) -> list[Clip]:
    """The videos with the largest contradiction, at most MOST_OF_ONE of each method."""
    ends = shared_cases([values for one in heard for values in (one.truth, one.wrong)])
    found: list[Clip] = []
    for label in labels:
        own: list[Clip] = []
        for case in ends:
            if not all(case in one.methods[label] for one in heard):
                continue
            first, second = (
                Heard(one.methods[label][case], one.truth[case], one.wrong[case]) for one in heard
            )
            if (first.is_good and second.is_bad) or (second.is_good and first.is_bad):
                away = [
                    (one.made - one.truth) / lead
                    for one, lead in zip((first, second), leads, strict=True)
                ]
                own.append(Clip(label, case, first, second, abs(away[0] - away[1])))
        found += sorted(own, key=_order)[:MOST_OF_ONE]
    return sorted(found, key=_order)[:MOST_CLIPS]


def _order(clip: Clip) -> tuple[float, str, str]:
    """Sorts clips, the largest distance first."""
    return -clip.distance, clip.label, clip.case
