"""Set metrics of every outcome: one with a value, one without by definition, one that fails."""

from __future__ import annotations

from pathlib import Path

import bench


class Range(bench.SetMetric):
    """How far apart the clips of a set are in brightness.

    Reads:   video (T, H, W, 3) uint8 RGB.
    Output:  range, grey levels in [0, 255], lower is better.
    Raises:  Undefined for a set of fewer clips than `least`; RuntimeError where `broken` is a file.
    Source:  defined here.
    """

    name, version, source = "range", "1", "defined here"
    reads = frozenset({"video"})
    outputs = (bench.Output("range", unit="grey levels", better="lower", low=0.0, high=255.0),)

    class Options(bench.Options):
        """least: clips in a set that has a value. broken: a file that makes it fail."""

        least: int = 1
        broken: Path | None = None

    options: Options

    @property
    def protocol(self) -> str:
        return f"range[frame; at least {self.options.least}]"

    def start(self) -> list[float]:
        return []

    def update(self, summary: list[float], video: bench.Video) -> None:
        summary.append(float(video.read().mean()))

    def compute(self, summary: list[float], references: None) -> dict[str, float]:
        if self.options.broken is not None and self.options.broken.is_file():
            raise RuntimeError("the set metric broke")
        if len(summary) < self.options.least:
            raise bench.Undefined(f"{len(summary)} clips are too few for a range")
        return {"range": max(summary) - min(summary)}


@bench.hookimpl
def register_metrics() -> list[type[bench.Metric]]:
    return [Range]
