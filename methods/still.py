"""One frame for the whole length: what a metric gives to a face that does not speak."""

from __future__ import annotations

from itertools import repeat

import numpy as np

import bench


class Still(bench.Method):
    """Repeats the first frame of the face while the speech plays.

    Where the face tracker sees no face in the first frame, yet one later, the first frame that has
    it is frozen instead, and the record says which: else the video would have no face to measure.

    Needs: one frame of the face.
    Source: defined here.
    Weights: none.
    Deviations: none. A sync metric has to put it below `truth`; a full-reference metric shows by it
    how much of its value comes from a face that merely does not move.
    """

    name, version, source = "still", "2", "defined here"
    control = True

    def generate(self, job: bench.Job) -> bench.Generation:
        """`job.frames` times the first frame that shows the face, else the first of all."""
        place = first_with_face(job.face)
        frame = job.face.read()[place]
        notes = (f"frozen at frame {place}, the first with a face",) if place else ()
        return bench.Generation(video=repeat(frame, job.frames), notes=notes)


def first_with_face(face: bench.Video) -> int:
    """The first frame, counted from 0, in which the tracker sees the face; 0 where it never does.

    0 too where faces cannot be tracked, for want of weights say: then nothing here needs them.
    """
    try:
        return int(np.argmax(face.faces().found))
    except bench.BenchError:
        return 0


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The one method of this file."""
    return [Still]
