"""A distance of whole sets with its interval, a metric that reads faces, a method that breaks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import numpy as np

import bench


class GreyDistance(bench.SetMetric):
    """Difference of the mean greys of videos and references, with an interval of one grey level.

    Reads:   video and reference, (T, H, W, 3) uint8 RGB.
    Output:  grey_distance, grey levels, lower is better; grey_distance_low, grey_distance_high.
    Raises:  Undefined where a video is missing.
    Source:  defined here.
    """

    name, version, source = "grey_distance", "1", "defined here"
    reads = frozenset({"video", "reference"})
    outputs = (
        bench.Output("grey_distance", unit="grey levels", better="lower", best=0.0, low=0.0),
        bench.Output("grey_distance_low", unit="grey levels", better="none"),
        bench.Output("grey_distance_high", unit="grey levels", better="none"),
    )
    needs_whole_set = True

    def start(self) -> list[float]:
        return []

    def update(self, summary: list[float], video: bench.Video) -> None:
        summary.append(float(video.read().mean()))

    def compute(self, summary: list[float], references: list[float]) -> dict[str, float]:
        value = abs(float(np.mean(summary) - np.mean(references)))
        return {
            "grey_distance": value,
            "grey_distance_low": value - 0.5,
            "grey_distance_high": value + 0.5,
        }


class FaceGrey(bench.ClipMetric):
    """Difference of the mean greys of a video and of the recording that the method got.

    Reads:   video and face, (T, H, W, 3) uint8 RGB.
    Output:  face_grey, grey levels, lower is better.
    Raises:  never.
    Source:  defined here.
    """

    name, version, source = "face_grey", "1", "defined here"
    reads = frozenset({"video", "face"})
    outputs = (bench.Output("face_grey", unit="grey levels", better="lower", low=0.0),)

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        assert sample.face is not None
        return {"face_grey": abs(float(sample.video.read().mean() - sample.face.read().mean()))}


class Breaking(bench.Method):
    """Repeats the first frame, but fails on the clip that a file names.

    Needs: a clip.
    Source: defined here.
    Weights: none.
    Deviations: none.
    """

    name, version, source = "breaking", "1", "defined here"

    class Options(bench.Options):
        broken: Path

    options: Options

    def generate(self, job: bench.Job) -> bench.Generation:
        if self.options.broken.is_file() and self.options.broken.read_text() == job.case.face.id:
            raise bench.BenchError("it broke")
        return bench.Generation(video=self.frames(job))

    def frames(self, job: bench.Job) -> Iterator[bench.Frame]:
        return repeat(job.face.read()[0], job.frames)


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    return [GreyDistance, FaceGrey]


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    return [Breaking]
