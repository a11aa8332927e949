"""The recording with its sound moved by whole frames: the right lips at the wrong time."""

from __future__ import annotations

import numpy as np

import bench


class Shifted(bench.Method):
    """Plays the recorded clip with its sound `frames` frames later (earlier where negative).

    Sign: with `frames: 5` every sound is heard 5 frames after the lips have made it. In LSE's terms
    the picture leads, so the offset falls by 5 (LSE's offset is above 0 where the sound leads).
    LSE-D and LSE-C search over 15 frames either way and forgive the shift; the offset and the score
    at offset 0 show it.

    Needs: a case in which the face says its own speech (`reconstruct`).
    Source: defined here.
    Weights: none.
    Deviations: none. Sound that leaves the clip is lost and silence fills the other end.
    """

    name, version, source = "shifted", "1", "defined here"
    kinds = frozenset({"reconstruct"})
    control = True

    class Options(bench.Options):
        """frames: how many frames later the sound is heard; negative is earlier."""

        frames: int = 5

    options: Options

    def generate(self, job: bench.Job) -> bench.Generation:
        """The own picture with the moved sound; raises BenchError if nothing would be left."""
        if abs(self.options.frames) >= job.frames:
            raise bench.BenchError(
                f"shifted: options.frames is {self.options.frames}, yet the clip "
                f"{job.case.face.id!r} has {job.frames} frames, so that no sound would be left; "
                "choose a smaller shift"
            )
        sound = moved(job.speech, frames=self.options.frames)
        return bench.Generation(video=job.face.path or job.face.read(), sound=sound)


def moved(sound: bench.Sound, *, frames: int) -> bench.Sound:
    """The sound (S,) `frames` frames later (earlier where negative), as long as before."""
    samples = min(abs(frames) * bench.SAMPLES_PER_FRAME, len(sound))
    silence = np.zeros(samples, dtype=np.int16)
    if frames >= 0:
        return np.concatenate([silence, sound[: len(sound) - samples]])
    return np.concatenate([sound[samples:], silence])


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The one method of this file."""
    return [Shifted]
