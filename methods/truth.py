"""The recording itself: the upper bound of every table, and the proof that the metrics measure."""

from __future__ import annotations

import bench


class Truth(bench.Method):
    """Returns the recorded clip unchanged.

    Needs: a case in which the face says its own speech (`reconstruct`).
    Source: defined here.
    Weights: none.
    Deviations: none. It is the reference itself, so SSIM is 1 and PSNR is undefined.
    """

    name, version, source = "truth", "1", "defined here"
    kinds = frozenset({"reconstruct"})
    control = True

    def generate(self, job: bench.Job) -> bench.Generation:
        """The face's own file, or its frames where it stands on arrays."""
        return bench.Generation(video=job.face.path or job.face.read())


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The one method of this file."""
    return [Truth]
