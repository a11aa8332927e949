"""A still face: shows which value a metric gives to a face that does not move."""

from __future__ import annotations

from itertools import repeat

import numpy as np

import bench


class Still(bench.Method):
    """Repeats the first frame of the face while the speech plays.

    If the face tracker finds no face in the first frame but finds one later, the first frame with a
    face is repeated instead, and a note names it: otherwise there would be no face to measure.

    Needs: one frame of the face.
    Source: defined here.
    Weights: none.
    Deviations: none. A sync metric must rank it below `truth`. Its value in a full-reference metric
    shows how much of other values a motionless face already gets.
    """

    name, version, source = "still", "2", "defined here"
    control = True

    def generate(self, job: bench.Job) -> bench.Generation:
        """`job.frames` copies of the first frame with a face, or of the first frame."""
        place = first_with_face(job.face)
        frame = job.face.read()[place]
        notes = (f"frozen at frame {place}, the first with a face",) if place else ()
        return bench.Generation(video=repeat(frame, job.frames), notes=notes)


def first_with_face(face: bench.Video) -> int:
    """The index of the first frame in which the tracker finds the face; 0 if there is none.

    Also 0 if faces cannot be tracked, for example without weights: this method works without them.
    """
    try:
        return int(np.argmax(face.faces().found))
    except bench.BenchError:
        return 0


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The method of this file."""
    return [Still]
