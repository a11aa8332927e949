"""The clip with another clip's speech: real lips that say something else."""

from __future__ import annotations

import numpy as np

import bench


class Mismatched(bench.Method):
    """Plays the clip's frames with the speech of `job.other`.

    Needs: a `reconstruct` case, in which the face says its own speech, and another clip with sound
    in the data set.
    Source: defined here.
    Weights: none.
    Deviations: none. Speech longer than the video is cut; shorter speech is padded with silence.
    """

    name, version, source = "mismatched", "1", "defined here"
    kinds = frozenset({"reconstruct"})
    control = True

    def generate(self, job: bench.Job) -> bench.Generation:
        """The clip's frames with the other clip's sound; raises BenchError if there is none."""
        if job.other is None:
            raise bench.BenchError(
                f"mismatched: the data set {job.case.dataset!r} has no other clip with sound "
                f"for {job.case.face.id!r}; add a second clip with sound to its manifest"
            )
        other = job.other.sound()
        if other is None:
            raise bench.BenchError(f"mismatched: the other clip, {job.other.path}, has no sound")
        sound = fitted(other, samples=bench.SAMPLES_PER_FRAME * job.frames)
        return bench.Generation(video=job.face.path or job.face.read(), sound=sound)


def fitted(sound: bench.Sound, *, samples: int) -> bench.Sound:
    """The sound, cut or padded with silence to `samples` samples."""
    missing = max(0, samples - len(sound))
    return np.pad(sound[:samples], (0, missing))


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The method of this file."""
    return [Mismatched]
