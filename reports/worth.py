"""What each column is worth on its data: its floor, its chance level, and what it tells apart.

The quiet controls of a run answer this (`bench.run.floors`): the real video lightly degraded, and a
video of another person. Only what a metric claims to see can count against it: by the ladders that
it declares, a still face and wrong speech; with a reference, another person.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from bench.ground.stats import Interval, mean_interval, share_interval
from reports.floor import Floor
from reports.results import Column, Dataset, Results, join
from reports.validity import Validity, control_values, judge, verdict

CONTROLS = ("still", "mismatched", "stranger")
LOSSES = ("jpeg", "noise", "encoding")
ENCODING = "encoding"  # the loss that every published video has gone through

State = Literal["works", "fails", "unsure", "unmeasured", "unclaimed", "undirected", "set"]
Values = Mapping[str, float]  # by case


@dataclass(frozen=True)
class Worth:
    """What a column is worth on a data set.

    truth: the mean of the real videos. controls: the means of `still`, `mismatched` and `stranger`;
    the last is the chance level. shares: by control, the share of cases in which the real video is
    better. A full-reference metric is perfect on the real video itself, so the re-encoded one
    stands for it. For a column that draws a line between alike and different (`Metric.alike`), the
    share of `stranger` counts the cases short of the line. claims: the controls that the metric
    says it sees.
    """

    dataset: Dataset
    column: Column
    floor: Floor | None
    truth: float | None
    controls: Mapping[str, Interval]
    shares: Mapping[str, Interval]
    claims: frozenset[str]

    @property
    def chance(self) -> float | None:
        """The mean value of another person's videos."""
        return self.controls["stranger"].mean if "stranger" in self.controls else None

    @property
    def failing(self) -> tuple[str, ...]:
        """The claimed controls that the column does not tell from the real video."""
        return tuple(
            name for name in CONTROLS if name in self.claims and self._verdict(name) == "fails"
        )

    @property
    def state(self) -> State:
        """The verdict: by the claimed controls alone, as the scorer's (`reports.validity`)."""
        if self.column.output.better == "none":
            return "undirected"
        if self.column.is_set:
            return "set"
        if not self.claims:
            return "unclaimed"
        states = {self._verdict(name) for name in self.claims} - {"unmeasured"}
        if not states:
            return "unmeasured"
        if "fails" in states:
            return "fails"
        return "unsure" if "unsure" in states else "works"

    def _verdict(self, name: str) -> str:
        return verdict(self.shares.get(name))


class Judged(NamedTuple):
    """The joined results of runs, judged by the runs' own controls.

    results: with the floor and the chance level of each column, and with those columns marked as
    void that do not work.
    """

    results: Results
    validities: list[Validity]
    worths: list[Worth]


def read_judged(folders: Sequence[Path]) -> Judged:
    """The joined and judged results of these run folders. Raises BenchError as `join` does."""
    results = join(folders)
    validities = judge(results)
    scorers = {(one.dataset.name, one.protocol): one.works for one in validities}
    worths = {_place(one.dataset, one.column): one for one in weigh(results)}

    def judged(dataset: Dataset, column: Column) -> Column:
        worth = worths.get(_place(dataset, column))
        judge = column if column.scaled is None else column.scaled
        scorer = dataset.name, judge.protocol
        if scorer in scorers:  # has a check of its own, on more cases
            is_void = scorers[scorer] is False
        else:
            is_void = worth is not None and worth.state == "fails"
        if worth is None:
            return replace(column, is_void=is_void)
        return replace(column, is_void=is_void, floor=worth.floor, chance=worth.chance)

    results.change_columns(judged)
    found = [
        replace(worths[place], column=column)
        for dataset in results.datasets
        for column in results.columns(dataset)
        if (place := _place(dataset, column)) in worths
    ]
    return Judged(results, validities, found)


def _place(dataset: Dataset, column: Column) -> tuple[str, str, str, str]:
    return dataset.name, column.metric, column.output.name, column.protocol


def weigh(results: Results) -> list[Worth]:
    """What every column is worth on every data set whose run had quiet controls."""
    found = [
        _weigh_set(results, dataset, column) if column.is_set else _weigh(results, dataset, column)
        for dataset in results.datasets
        if dataset.has_floors
        for column in results.columns(dataset)
    ]
    return [one for one in found if one.floor is not None or one.controls or one.shares]


def _weigh(results: Results, dataset: Dataset, column: Column) -> Worth:
    def asked(name: str) -> Values:
        return control_values(results, dataset, column, name)

    truth = asked("truth")
    lost = {how: results.quiet_values(dataset, column, "degraded", how=how) for how in LOSSES}
    controls = {name: values for name in CONTROLS if (values := asked(name))}
    measured_truth = lost[ENCODING] if column.reads_reference else truth
    return Worth(
        dataset=dataset,
        column=column,
        floor=_floor(column, truth, lost),
        truth=sum(truth.values()) / len(truth) if truth else None,
        controls={name: _mean(values, dataset, results) for name, values in controls.items()},
        shares={
            name: share
            for name, values in controls.items()
            if (share := _share(name, column, measured_truth, values, dataset, results)) is not None
        },
        claims=_claims(column, truth),
    )


def _weigh_set(results: Results, dataset: Dataset, column: Column) -> Worth:
    """A set metric has one value for a set: a floor and a chance level, and nothing to count."""

    def asked(name: str, **options: object) -> Values:
        cell = results.quiet_set_cell(dataset, column, name, **options)
        value = cell.values.get(column.output.name) if cell is not None else None
        return {} if value is None else {"": value}

    stranger = asked("stranger")
    return Worth(
        dataset=dataset,
        column=column,
        floor=_floor(column, asked("truth"), {how: asked("degraded", how=how) for how in LOSSES}),
        truth=None,
        controls={"stranger": _mean(stranger, dataset, results)} if stranger else {},
        shares={},
        claims=frozenset(),
    )


def _floor(column: Column, truth: Values, lost: Mapping[str, Values]) -> Floor | None:
    lost = {how: values for how, values in lost.items() if values}
    if not lost:
        return None
    best = column.output.best if column.reads_reference else None  # the real video's own value
    moves: list[tuple[str, float]] = []
    for how, values in lost.items():
        own = {case: truth.get(case, best) for case in values}
        moved = [abs(values[case] - one) for case, one in own.items() if one is not None]
        if moved:
            moves.append((how, sum(moved) / len(moved)))
    levels = [(how, sum(values.values()) / len(values)) for how, values in lost.items()]
    if not moves and not column.reads_reference:
        return None  # the real video has no value for another reason than being perfect
    most = max(map(len, lost.values()))
    return Floor(column.output.better, tuple(levels), tuple(moves), most)


def _share(
    name: str,
    column: Column,
    truth: Values,
    control: Values,
    dataset: Dataset,
    results: Results,
) -> Interval | None:
    if column.output.better == "none":
        return None
    sign = 1.0 if column.output.better == "higher" else -1.0
    alike = column.output.alike
    if name == "stranger" and alike is not None:
        hits = {case: sign * value < sign * alike for case, value in control.items()}
    else:
        shared = [case for case in truth if case in control]
        hits = {case: sign * truth[case] > sign * control[case] for case in shared}
    if not hits:
        return None
    speakers = [dataset.speakers.get(case, "") for case in hits]
    return share_interval(list(hits.values()), speakers, seed=results.seed, exact=True)


def _mean(values: Values, dataset: Dataset, results: Results) -> Interval:
    speakers = [dataset.speakers.get(case, "") for case in values]
    return mean_interval(list(values.values()), speakers, seed=results.seed)


def _claims(column: Column, truth: Values) -> frozenset[str]:
    """What the metric says it sees; `mismatched` has the right frames, so it must be heard.

    An output that compares with the reference is perfect on the reference itself, or undefined.
    What reads it for another output only, such as CPBD for its ratio, claims to know no person.
    """
    hears = "exchanged" in column.sees and column.reads_sound
    best = column.output.best
    compares = column.reads_reference and all(
        best is not None and math.isclose(value, best, abs_tol=1e-6) for value in truth.values()
    )
    found = {
        "still": "frozen" in column.sees,
        "mismatched": hears,
        "stranger": compares or column.reads_face or hears,
    }
    return frozenset(name for name, is_claimed in found.items() if is_claimed)
