"""The recording with another clip's speech: real lips that say something else."""

from __future__ import annotations

import numpy as np

import bench


class Mismatched(bench.Method):
    """Plays the recorded clip's picture with the speech of the case's other clip.

    Needs: a case in which the face says its own speech (`reconstruct`), and another clip with
    sound in the data set.
    Source: defined here.
    Weights: none.
    Deviations: none. Speech longer than the picture is cut; silence follows speech that is shorter.
    """

    name, version, source = "mismatched", "1", "defined here"
    kinds = frozenset({"reconstruct"})
    control = True

    def generate(self, job: bench.Job) -> bench.Generation:
        """The face's own picture with the other sound; raises BenchError if there is no other."""
        if job.other is None:
            raise bench.BenchError(
                f"mismatched: the data set {job.case.dataset!r} has no other clip that can be "
                f"heard beside {job.case.face.id!r}; add a second clip with sound to its manifest"
            )
        other = job.other.sound()
        if other is None:
            raise bench.BenchError(f"mismatched: the other clip, {job.other.path}, has no sound")
        sound = fitted(other, samples=bench.SAMPLES_PER_FRAME * job.frames)
        return bench.Generation(video=job.face.path or job.face.read(), sound=sound)


def fitted(sound: bench.Sound, *, samples: int) -> bench.Sound:
    """The sound cut to, or filled with silence up to, `samples` samples."""
    missing = max(0, samples - len(sound))
    return np.pad(sound[:samples], (0, missing))


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The one method of this file."""
    return [Mismatched]
