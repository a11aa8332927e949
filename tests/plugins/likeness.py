"""Metrics that compare persons, as far as the tiny clips have any: by the mean colour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import bench


class Likeness(bench.ClipMetric):
    """How like the reference's mean colour the video's is; draws its line between persons at 0.97.

    Reads:   video and reference (T, H, W, 3) uint8 RGB.
    Output:  likeness, in [0, 1], higher is better.
    Raises:  nothing.
    Source:  defined here.
    """

    name, version, source = "likeness", "1", "defined here"
    reads = frozenset({"video", "reference"})
    outputs = (bench.Output("likeness", unit="", better="higher", best=1.0, low=0.0, high=1.0),)

    def alike(self, features: Mapping[str, bench.Feature]) -> Mapping[str, float]:
        return {"likeness": 0.97}

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        return {self.outputs[0].name: likeness(sample)}


class Credulous(Likeness):
    """The same, with a line below which nobody falls: everybody is the same person.

    Reads:   video and reference (T, H, W, 3) uint8 RGB.
    Output:  credulous, in [0, 1], higher is better.
    Raises:  nothing.
    Source:  defined here.
    """

    name, version, source = "credulous", "1", "defined here"
    outputs = (bench.Output("credulous", unit="", better="higher", best=1.0, low=0.0, high=1.0),)

    def alike(self, features: Mapping[str, bench.Feature]) -> Mapping[str, float]:
        return {"credulous": 0.1}


class Motion(bench.ClipMetric):
    """Mean change from frame to frame, which a still face must not have.

    Reads:   video (T, H, W, 3) uint8 RGB.
    Output:  motion, grey levels, higher is better.
    Raises:  nothing.
    Source:  defined here.
    """

    name, version, source = "motion", "1", "defined here"
    reads = frozenset({"video"})
    sees = frozenset({"frozen"})
    outputs = (bench.Output("motion", unit="grey levels", better="higher", low=0.0),)

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        frames = sample.video.read().astype(np.float32)
        return {"motion": float(np.abs(np.diff(frames, axis=0)).mean())}


class Crowd(bench.SetMetric):
    """How far the mean colour of a set is from that of its references.

    Reads:   video and reference (T, H, W, 3) uint8 RGB.
    Output:  crowd, grey levels, lower is better.
    Raises:  nothing.
    Source:  defined here.
    """

    name, version, source = "crowd", "1", "defined here"
    reads = frozenset({"video", "reference"})
    outputs = (bench.Output("crowd", unit="grey levels", better="lower", best=0.0, low=0.0),)

    def start(self) -> list[float]:
        return []

    def update(self, summary: list[float], video: bench.Video) -> None:
        summary.append(float(video.read().mean()))

    def compute(self, summary: list[float], references: list[float]) -> dict[str, float]:
        return {"crowd": abs(float(np.mean(summary)) - float(np.mean(references)))}


def likeness(sample: bench.Sample) -> float:
    assert sample.reference is not None
    made, own = (one.read().mean(axis=(0, 1, 2)) for one in (sample.video, sample.reference))
    return 1.0 - float(np.abs(made - own).mean()) / 255.0


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    return [Likeness, Credulous, Motion, Crowd]
