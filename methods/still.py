"""The first frame for the whole length: what a metric gives to a face that does not speak."""

from __future__ import annotations

from itertools import repeat

import bench


class Still(bench.Method):
    """Repeats the first frame of the face while the speech plays.

    Needs: one frame of the face.
    Source: defined here.
    Weights: none.
    Deviations: none. A sync metric has to put it below `truth`; a full-reference metric shows by it
    how much of its value comes from a face that merely does not move.
    """

    name, version, source = "still", "1", "defined here"
    control = True

    def generate(self, job: bench.Job) -> bench.Generation:
        """`job.frames` times the first frame."""
        return bench.Generation(video=repeat(job.face.read()[0], job.frames))


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The one method of this file."""
    return [Still]
