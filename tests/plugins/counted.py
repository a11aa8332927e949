"""A feature that notes in a file whenever it is computed, and metrics that read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import bench


class Counted(bench.Feature):
    """Mean grey of each frame; each computation is noted in the file `log`.

    Reads:  video (T, H, W, 3) uint8 RGB.
    Gives:  grey, (T,) float32, grey levels.
    Raises: Undefined for a video that is darker than `floor`.
    Source: defined here.
    """

    name, version, source = "counted", "1", "defined here"
    reads = frozenset({"video"})
    arrays = {"grey": "(T,) float32, grey levels"}  # noqa: RUF012

    class Options(bench.Options):
        """log: the file. floor: the least mean grey."""

        log: Path
        floor: float = 0.0

    options: Options

    @property
    def protocol(self) -> str:
        return f"counted above {self.options.floor:g}"

    def compute(self, video: bench.Video) -> bench.Arrays:
        with self.options.log.open("a") as log:
            log.write(f"{video.sha256}\n")
        grey = video.read().mean(axis=(1, 2, 3), dtype=np.float32)
        if grey.mean() < self.options.floor:
            raise bench.Undefined(f"the video is darker than {self.options.floor:g}")
        return {"grey": grey}


class Unrest(bench.ClipMetric):
    """Spread of the mean grey over the frames.

    Reads:  the feature counted.
    Output: unrest, grey levels.
    Raises: Undefined as the feature.
    Source: defined here.
    """

    name, version, source = "unrest", "1", "defined here"
    reads = frozenset({"counted"})
    outputs = (bench.Output("unrest", unit="grey levels", better="none"),)

    @property
    def protocol(self) -> str:
        return "unrest[{counted}]"

    def measure(self, sample: bench.Sample) -> dict[str, float]:
        return {"unrest": float(sample.video.feature("counted")["grey"].std())}


class Gap(bench.SetMetric):
    """How far the set's mean grey is from that of its references.

    Reads:  the feature counted, of the videos and their references.
    Output: gap, grey levels, lower is better, 0 for the references.
    Raises: Undefined as the feature.
    Source: defined here.
    """

    name, version, source = "gap", "1", "defined here"
    reads = frozenset({"counted", "reference"})
    outputs = (bench.Output("gap", unit="grey levels", better="lower", best=0.0, low=0.0),)

    @property
    def protocol(self) -> str:
        return "gap[{counted}]"

    def start(self) -> list[float]:
        return []

    def update(self, summary: list[float], video: bench.Video) -> None:
        summary.append(float(video.feature("counted")["grey"].mean()))

    def compute(self, summary: list[float], references: list[float]) -> dict[str, float]:
        return {"gap": abs(float(np.mean(summary)) - float(np.mean(references)))}


class Contrast(bench.SetMetric):
    """The difference of the sets' mean deviation of grey, from the frames themselves.

    Reads:  video and reference (T, H, W, 3) uint8 RGB.
    Output: contrast, grey levels, lower is better, 0 for the references.
    Raises: nothing.
    Source: defined here.
    """

    name, version, source = "contrast", "1", "defined here"
    reads = frozenset({"video", "reference"})
    outputs = (bench.Output("contrast", unit="grey levels", better="lower", best=0.0, low=0.0),)

    def start(self) -> list[float]:
        return []

    def update(self, summary: list[float], video: bench.Video) -> None:
        summary.append(float(video.read().std()))

    def compute(self, summary: list[float], references: list[float]) -> dict[str, float]:
        return {"contrast": abs(sum(summary) / len(summary) - sum(references) / len(references))}


@bench.hookimpl
def register_features() -> list[type[bench.Feature]]:
    return [Counted]


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    return [Unrest, Gap, Contrast]
