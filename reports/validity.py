"""Whether the synchronisation scorer works on a data set, judged by the run's own controls.

A scorer is for telling right speech from wrong and for finding a sound that was moved. Whether the
recordings themselves are in step is another question, with an answer of its own: their offset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from bench.stats import Interval, area_under_curve, share_interval
from reports.results import Column, Dataset, Results, join

ENOUGH = 0.90  # the share of clips on which a scorer that works is right
CHANCE = 0.50  # how often it is right by luck, or more: a share must be told from it
WITHIN = 1.0  # frames by which a moved sound may be missed
FARTHEST = 15.0  # frames: what the search of LSE can find

State = Literal["works", "fails", "unsure", "unmeasured"]


@dataclass(frozen=True)
class Validity:
    """What one scorer makes of a data set's own controls.

    above_mismatched, above_still: share of cases in which the truth's confidence is above the
    control's. followed: share of moved sounds (`shifted`) whose offset moved as far as the sound,
    within one frame of the truth's own offset on that clip. Shares with exact intervals; None: not
    measured. auc: how often the truth of any clip is above the wrong speech of any clip.
    offsets: how many truth clips have one; offset: their median in frames, above 0 where the sound
    is early; within_one: the share within one frame of 0. These three judge the recordings.
    """

    dataset: Dataset
    metric: str
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
        """The verdict: fails if one share fails; unsure if one is, or too few clips decide.

        "unmeasured" where nothing was scored against wrong speech, without which nothing is known.
        """
        states = [verdict(share) for share in self.shares.values()]
        if "fails" in states:
            return "fails"
        if self.above_mismatched is None:
            return "unmeasured"
        return "unsure" if "unsure" in states else "works"

    @property
    def works(self) -> bool | None:
        """The verdict as yes or no; None where it is not known."""
        return {"works": True, "fails": False}.get(self.state)

    @property
    def is_lagging(self) -> bool:
        """Whether the recordings' own sound is off by more than a frame."""
        return self.offset is not None and abs(self.offset) > WITHIN


def verdict(share: Interval | None) -> State:
    """What one share says: it fails where its interval lies below 90 %.

    It works from 90 % on, if the interval is above chance; six clips of six are enough for that.
    Anything else is too little to tell.
    """
    if share is None or share.low is None or share.high is None:
        return "unmeasured"
    if share.high < ENOUGH:
        return "fails"
    return "works" if share.mean >= ENOUGH and share.low > CHANCE else "unsure"


def read_judged(folders: Sequence[Path]) -> tuple[Results, list[Validity]]:
    """The joined results of these runs; columns of a scorer that does not work are struck out.

    Raises BenchError as `join` does.
    """
    results = join(folders)
    validities = judge(results)
    results.strike_out({(v.dataset.name, v.protocol) for v in validities if v.works is False})
    return results, validities


def judge(results: Results) -> list[Validity]:
    """The validity of every synchronisation metric on every data set."""
    return [
        _judge(results, dataset, column)
        for dataset in results.datasets
        for column in results.columns(dataset)
        if column.output.name == "lse_c"
    ]


def _judge(results: Results, dataset: Dataset, column: Column) -> Validity:
    def share(hits: Mapping[tuple[str, str], bool]) -> Interval | None:
        if not hits:
            return None
        speakers = [dataset.speakers[case] for case, _ in hits]
        return share_interval(list(hits.values()), speakers, seed=results.seed, exact=True)

    def above(control: Mapping[str, float]) -> Interval | None:
        return share({(case, ""): truth[case] > control[case] for case in truth if case in control})

    truth = _values(results, dataset, column, "truth")
    mismatched = _values(results, dataset, column, "mismatched")
    offset = results.column(dataset, column.metric, "offset", protocol=column.protocol)
    offsets = {} if offset is None else _values(results, dataset, offset, "truth")
    moved = {} if offset is None else _moved(results, dataset, offset, offsets)
    return Validity(
        dataset=dataset,
        metric=column.metric,
        protocol=column.protocol,
        above_mismatched=above(mismatched),
        above_still=above(_values(results, dataset, column, "still")),
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
    """Whether each moved sound was followed, by case and label of the control.

    A sound that is `frames` later has an offset that is `frames` lower. One that was moved out of
    the range of the search is no test of the scorer.
    """
    found: dict[tuple[str, str], bool] = {}
    for label, frames in shifts(dataset).items():
        values = results.scores(dataset, label, offset, kind="reconstruct").values
        for case, value in values.items():
            if case in own and abs(own[case] - frames) <= FARTHEST:
                found[case, label] = abs(value - (own[case] - frames)) <= WITHIN
    return found


def shifts(dataset: Dataset) -> dict[str, float]:
    """By label, how many frames later every `shifted` control of the data set plays the sound."""
    return {
        label: float(frames)
        for source in dataset.sources
        for label, method in source.methods.items()
        if method.name == "shifted"
        and isinstance(frames := method.options.get("frames"), int | float)
        and abs(frames)
        > 2 * WITHIN  # else an offset that stays put could pass for one that follows
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


def _values(results: Results, dataset: Dataset, column: Column, name: str) -> Mapping[str, float]:
    """The values of the first method of this plugin name that the data set's runs have."""
    for row in results.rows:
        if row.name == name and any(row.label in source.methods for source in dataset.sources):
            return results.scores(dataset, row.label, column, kind="reconstruct").values
    return {}
