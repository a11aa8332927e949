"""Judges by a run's own controls whether a sync scorer works on a data set.

A scorer works if it tells right speech from wrong speech and finds by how much a sound was shifted.
Whether the clips themselves are in sync is a separate question: their offset answers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bench.ground.stats import Interval, area_under_curve, share_interval
from bench.records.relative import CONFIDENCES
from reports.results import Column, Dataset, Results

ENOUGH = 0.90  # share of clips on which a working scorer is right
CHANCE = 0.50  # upper bound of the share by chance; the interval must lie above it
WITHIN = 1.0  # frames, tolerance for an offset
FARTHEST = 15.0  # frames, range of LSE's search

State = Literal["works", "fails", "unsure", "unmeasured"]


@dataclass(frozen=True)
class Validity:
    """How one scorer rates the controls of a data set. confidence: its output's heading.

    above_mismatched, above_still: share of cases in which the confidence of `truth` is above that
    of the control. followed: share of shifted sounds (`shifted`) whose offset differs from that of
    `truth` by the shift, within one frame. These shares have exact intervals; None: not measured.
    auc: probability that `truth` on any clip is above wrong speech on any clip.
    offsets: the number of `truth` clips with an offset; offset: their median in frames, above 0 if
    the sound is early; within_one: the share within one frame of 0. These three judge the clips.
    """

    dataset: Dataset
    metric: str
    confidence: str
    protocol: str
    above_mismatched: Interval | None
    above_still: Interval | None
    followed: Interval | None
    auc: Interval | None
    offsets: int
    offset: float | None
    within_one: Interval | None

    @property
    def shares(self) -> Mapping[str, Interval | None]:
        """The three shares that judge the scorer, by name."""
        return {
            "above_mismatched": self.above_mismatched,
            "above_still": self.above_still,
            "followed": self.followed,
        }

    @property
    def state(self) -> State:
        """The verdict: "fails" if one share fails, else "unsure" if one share is.

        "unmeasured" if `mismatched` has no values.
        """
        states = [verdict(share) for share in self.shares.values()]
        if "fails" in states:
            return "fails"
        if self.above_mismatched is None:
            return "unmeasured"
        return "unsure" if "unsure" in states else "works"

    @property
    def works(self) -> bool | None:
        """Whether the scorer works; None if unknown."""
        return {"works": True, "fails": False}.get(self.state)

    @property
    def is_lagging(self) -> bool:
        """Whether the sound of the clips is off by more than a frame."""
        return self.offset is not None and abs(self.offset) > WITHIN


def verdict(share: Interval | None) -> State:
    """The verdict of one share: it fails if its interval lies below 90 %.

    It works from 90 % on, if the interval is above chance; six right clips of six are enough.
    Otherwise the clips are too few to tell.
    """
    if share is None or share.low is None or share.high is None:
        return "unmeasured"
    if share.high < ENOUGH:
        return "fails"
    return "works" if share.mean >= ENOUGH and share.low > CHANCE else "unsure"


def judge(results: Results) -> list[Validity]:
    """The validity of every synchronisation metric on every data set."""
    return [
        _judge(results, dataset, column)
        for dataset in results.datasets
        for column in results.columns(dataset)
        if column.output.name in CONFIDENCES
    ]


def _judge(results: Results, dataset: Dataset, column: Column) -> Validity:
    def share(hits: Mapping[tuple[str, str], bool]) -> Interval | None:
        if not hits:
            return None
        speakers = [dataset.speakers[case] for case, _ in hits]
        return share_interval(list(hits.values()), speakers, seed=results.seed, exact=True)

    def above(control: Mapping[str, float]) -> Interval | None:
        return share({(case, ""): truth[case] > control[case] for case in truth if case in control})

    truth = control_values(results, dataset, column, "truth")
    mismatched = control_values(results, dataset, column, "mismatched")
    offset = results.column(dataset, column.metric, "offset", protocol=column.protocol)
    offsets = {} if offset is None else control_values(results, dataset, offset, "truth")
    moved = {} if offset is None else _moved(results, dataset, offset, offsets)
    return Validity(
        dataset=dataset,
        metric=column.metric,
        confidence=column.output.heading,
        protocol=column.protocol,
        above_mismatched=above(mismatched),
        above_still=above(control_values(results, dataset, column, "still")),
        followed=share(moved),
        auc=_auc(truth, mismatched, dataset, results.seed),
        offsets=len(offsets),
        offset=median(offsets.values()) if offsets else None,
        within_one=None
        if not offsets
        else share_interval(
            [abs(value) <= WITHIN for value in offsets.values()],
            [dataset.speakers[case] for case in offsets],
            seed=results.seed,
        ),
    )


def _moved(
    results: Results, dataset: Dataset, offset: Column, own: Mapping[str, float]
) -> dict[tuple[str, str], bool]:
    """Whether the offset followed each shifted sound, by case and label of the control.

    A sound that is `frames` later has an offset that is `frames` lower. A sound shifted out of the
    search range does not test the scorer and is left out.
    """
    found: dict[tuple[str, str], bool] = {}
    for label, frames in shifts(dataset).items():
        values = results.column_values(dataset, label, offset, kind="reconstruct").values
        for case, value in values.items():
            if case in own and abs(own[case] - frames) <= FARTHEST:
                found[case, label] = abs(value - (own[case] - frames)) <= WITHIN
    return found


def shifts(dataset: Dataset) -> dict[str, float]:
    """By label, how many frames later each `shifted` control of the data set plays the sound."""
    return {
        label: float(frames)
        for source in dataset.sources
        for label, method in source.methods.items()
        if method.name == "shifted"
        and isinstance(frames := method.options.get("frames"), int | float)
        and abs(frames) > 2 * WITHIN  # else an unchanged offset could pass as one that follows
    }


def _auc(
    truth: Mapping[str, float], mismatched: Mapping[str, float], dataset: Dataset, seed: int
) -> Interval | None:
    cases = [case for case in truth if case in mismatched]
    if not cases:
        return None
    return area_under_curve(
        [truth[case] for case in cases],
        [mismatched[case] for case in cases],
        [dataset.speakers[case] for case in cases],
        seed=seed,
    )


def control_values(
    results: Results, dataset: Dataset, column: Column, name: str
) -> Mapping[str, float]:
    """The values of the first method in this data set with this plugin name, by case.

    A control that the config does not name may have been asked quietly, of a few cases.
    """
    label = results.control_label(dataset, name)
    if label is not None:
        return results.column_values(dataset, label, column, kind="reconstruct").values
    return results.quiet_values(dataset, column, name)
