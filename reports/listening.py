"""Which metrics tell copying from listening: own speech against another's, for every metric.

Each method makes every clip twice: with the clip's own speech, and with another clip's (`probe`). A
method that listens moves the mouth differently, and leaves the recording; a method that copies
makes the same video twice. How far apart a metric puts the two, measured by the spread of its
values over clips, is what it hears.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, stdev

from bench.ground.stats import Interval, mean_interval
from reports.leakfree import speech_gain
from reports.results import Column, Dataset, Results


@dataclass(frozen=True)
class Heard:
    """One method in one column: its speech gain, and the same in units of the spread.

    gain: own speech minus another's, above 0 if the own speech is better. spread: the standard
    deviation over clips, pooled over both. distance: gain / spread, with the gain's interval.
    """

    gain: Interval
    spread: float
    distance: Interval


@dataclass(frozen=True)
class Listening:
    """One column: by method's label, how far it puts own and other speech apart."""

    dataset: Dataset
    column: Column
    heard: Mapping[str, Heard]

    @property
    def typical(self) -> float:
        """The median distance of the methods, without its sign: columns are sorted by it."""
        return median(abs(one.distance.mean) for one in self.heard.values())


def listen(results: Results) -> list[Listening]:
    """Every clip metric with a direction that has values on `probe` cases, the best first.

    Full-reference metrics come first: for them, the distance is what the speech added to the
    frames. Columns that do not work on the data are left out.
    """
    found: list[Listening] = []
    for dataset in results.datasets:
        columns = [
            Listening(dataset, column, heard)
            for column in results.columns(dataset)
            if not (column.is_set or column.is_void or column.output.better == "none")
            if (heard := _heard(results, dataset, column))
        ]
        found += sorted(columns, key=lambda one: (not one.column.reads_reference, -one.typical))
    return found


def _heard(results: Results, dataset: Dataset, column: Column) -> dict[str, Heard]:
    """By method; a method without a spread, or with fewer than two clips, has no distance."""
    found: dict[str, Heard] = {}
    for row in results.rows:
        gains = speech_gain(results, dataset, row.label, column).values
        if len(gains) < 2:
            continue
        own = results.column_values(dataset, row.label, column, kind="reconstruct").values
        other = results.column_values(dataset, row.label, column, kind="probe").values
        faces = {case.face for case in dataset.cases if case.id in gains}
        probed = [
            other[case.id]
            for case in dataset.of_kind("probe")
            if case.face in faces and case.id in other
        ]
        spread = _pooled([own[case] for case in gains], probed)
        if spread == 0.0:
            continue
        speakers = [dataset.speakers[case] for case in gains]
        gain = mean_interval(list(gains.values()), speakers, seed=results.seed)
        found[row.label] = Heard(gain, spread, _scaled(gain, spread))
    return found


def _pooled(first: Sequence[float], second: Sequence[float]) -> float:
    """The standard deviation within two groups; 0 where one has fewer than two values."""
    if min(len(first), len(second)) < 2:
        return 0.0
    return math.sqrt((stdev(first) ** 2 + stdev(second) ** 2) / 2)


def _scaled(interval: Interval, unit: float) -> Interval:
    low = None if interval.low is None else interval.low / unit
    high = None if interval.high is None else interval.high / unit
    return Interval(
        interval.mean / unit, low, high, interval.n, interval.n_clusters, interval.resampled
    )
