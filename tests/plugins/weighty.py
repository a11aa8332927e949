"""Metrics that need weights: one by itself, one through the feature that it reads."""

from __future__ import annotations

import numpy as np

import bench


class Greys(bench.Feature):
    """The mean grey level of each frame; needs weights.

    Source: defined here.
    """

    name, version, source = "greys", "1", "defined here"
    reads = frozenset({"video"})
    arrays = {"greys": "(T,) float32"}  # noqa: RUF012

    @property
    def weights(self) -> tuple[str, ...]:
        return ("toy",)

    def compute(self, video: bench.Video) -> bench.Arrays:
        return {"greys": video.read().mean(axis=(1, 2, 3)).astype(np.float32)}


class Weighty(bench.ClipMetric):
    """The mean of the feature.

    Reads:   the feature.
    Output:  weighty, grey levels.
    Raises:  nothing.
    Source:  defined here.
    """

    name, version, source = "weighty", "1", "defined here"
    reads = frozenset({"video", "greys"})
    outputs = (bench.Output("weighty", unit="grey levels", better="higher"),)

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        return {"weighty": float(sample.video.feature("greys")["greys"].mean())}


class HeavySet(bench.SetMetric):
    """The number of videos of a set; needs weights.

    Reads:   video.
    Output:  heavy, videos.
    Raises:  nothing.
    Source:  defined here.
    """

    name, version, source = "heavy_set", "1", "defined here"
    reads = frozenset({"video"})
    outputs = (bench.Output("heavy", unit="videos", better="higher"),)

    @property
    def weights(self) -> tuple[str, ...]:
        return ("by_hand",)

    def start(self) -> list[int]:
        return []

    def update(self, summary: list[int], video: bench.Video) -> None:
        summary.append(len(video.read()))

    def compute(self, summary: list[int], references: None) -> dict[str, float]:
        return {"heavy": float(len(summary))}


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    return [Weighty, HeavySet]


@bench.hookimpl
def register_features() -> list[type[bench.Feature]]:
    return [Greys]
