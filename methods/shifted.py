"""The clip with its sound shifted by whole frames: the right lips at the wrong time."""

from __future__ import annotations

import numpy as np

import bench


class Shifted(bench.Method):
    """Plays the clip with its sound `frames` frames later (earlier if negative).

    Sign: with `frames: 5` every sound is heard 5 frames after the lip movement, so LSE's offset
    falls by 5 (it is above 0 if the sound is early). LSE-D and LSE-C search over 15 frames either
    way and ignore the shift; the offset and the score at offset 0 reveal it.

    Needs: a `reconstruct` case, in which the face says its own speech.
    Source: defined here.
    Weights: none.
    Deviations: none. Sound shifted out of the clip is lost, and silence fills the other end.
    """

    name, version, source = "shifted", "1", "defined here"
    kinds = frozenset({"reconstruct"})
    control = True

    class Options(bench.Options):
        """frames: how many frames later the sound is heard; negative is earlier."""

        frames: int = 5

    options: Options

    def generate(self, job: bench.Job) -> bench.Generation:
        """The clip's frames with the shifted sound; raises BenchError if no sound would be left."""
        if abs(self.options.frames) >= job.frames:
            raise bench.BenchError(
                f"shifted: options.frames is {self.options.frames}, but the clip "
                f"{job.case.face.id!r} has {job.frames} frames, so no sound would be left; "
                "choose a smaller shift"
            )
        sound = moved(job.speech, frames=self.options.frames)
        return bench.Generation(video=job.face.path or job.face.read(), sound=sound)


def moved(sound: bench.Sound, *, frames: int) -> bench.Sound:
    """The sound (S,), `frames` frames later (earlier if negative), of unchanged length."""
    samples = min(abs(frames) * bench.SAMPLES_PER_FRAME, len(sound))
    silence = np.zeros(samples, dtype=np.int16)
    if frames >= 0:
        return np.concatenate([silence, sound[: len(sound) - samples]])
    return np.concatenate([sound[samples:], silence])


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The method of this file."""
    return [Shifted]
