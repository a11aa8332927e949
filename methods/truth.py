"""The reference itself: the upper bound of every table, and a test of the metrics."""

from __future__ import annotations

import bench


class Truth(bench.Method):
    """Returns the clip unchanged.

    Needs: a `reconstruct` case, in which the face says its own speech.
    Source: defined here.
    Weights: none.
    Deviations: none. The video equals its reference, so SSIM is 1 and PSNR is undefined.
    """

    name, version, source = "truth", "1", "defined here"
    kinds = frozenset({"reconstruct"})
    control = True

    def generate(self, job: bench.Job) -> bench.Generation:
        """The clip's file, or its frames if it is made of arrays."""
        return bench.Generation(video=job.face.path or job.face.read())


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The method of this file."""
    return [Truth]
