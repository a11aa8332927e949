"""A method that reads a feature of the face clip: paints every frame in the clip's mean grey."""

from __future__ import annotations

from itertools import repeat

import numpy as np

import bench


class Shade(bench.Feature):
    """Mean grey of each frame.

    Reads:  video (T, H, W, 3) uint8 RGB.
    Gives:  shade, (T,) float32, grey levels.
    Raises: nothing.
    Source: defined here.
    """

    name, version, source = "shade", "1", "defined here"
    reads = frozenset({"video"})
    arrays = {"shade": "(T,) float32, grey levels"}  # noqa: RUF012

    class Options(bench.Options):
        """more: added to it."""

        more: float = 0.0

    options: Options

    def compute(self, video: bench.Video) -> bench.Arrays:
        return {"shade": video.read().mean(axis=(1, 2, 3), dtype=np.float32) + self.options.more}


class GreyOf(bench.Method):
    """The clip's mean grey throughout.

    Needs: the feature shade.
    Source: defined here.
    Weights: none.
    Deviations: none.
    """

    name, version, source = "grey_of", "1", "defined here"
    reads = frozenset({"shade"})

    def generate(self, job: bench.Job) -> bench.Generation:
        grey = job.face.feature("shade")["shade"].mean()
        frame = np.full(job.face.read().shape[1:], round(float(grey)), dtype=np.uint8)
        return bench.Generation(video=repeat(frame, job.frames))


@bench.hookimpl
def register_features() -> list[type[bench.Feature]]:
    return [Shade]


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    return [GreyOf]
