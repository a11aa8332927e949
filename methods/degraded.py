"""The clip, lightly degraded: how far a metric moves where nothing that matters has changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

import bench

QUALITY = 60  # of JPEG: artefacts that viewers hardly notice
DEVIATION = 5.0  # grey levels of noise, as of a camera in a dim room
CRF, PRESET = 23, "medium"  # x264's own defaults: what most scripts encode their results with


class Degraded(bench.Method):
    """Plays the clip itself after a light loss of quality, with its own speech.

    The lips and the person are the recording's, so what a metric makes of it is the metric's floor:
    a difference between two methods that is smaller says nothing. Every run asks this of a few
    cases by itself (the config's key `floors`).

    Needs: a `reconstruct` case, in which the face says its own speech.
    Source: defined here.
    Weights: none.
    Deviations: none. Frames after JPEG or noise are encoded like those of any method.
    """

    name, version, source = "degraded", "1", "defined here"
    kinds = frozenset({"reconstruct"})
    control = True

    class Options(bench.Options):
        """how: what the frames go through.

        jpeg: JPEG of quality 60. noise: noise with a standard deviation of 5 grey levels.
        encoding: H.264 at crf 23.
        """

        how: Literal["jpeg", "noise", "encoding"] = "encoding"

    options: Options

    def generate(self, job: bench.Job) -> bench.Generation:
        """The clip's frames after the loss."""
        from bench import media

        frames = job.face.read()
        if self.options.how == "jpeg":
            return bench.Generation(video=map(jpeg, frames))
        if self.options.how == "noise":
            return bench.Generation(video=noisy(frames, seed=job.seed))
        path = job.workdir / "encoded.mp4"
        media.write_video(path, frames, sound=job.speech, crf=CRF, preset=PRESET)
        return bench.Generation(video=path)


def jpeg(frame: bench.Frame) -> bench.Frame:
    """The frame, (H, W, 3) uint8 RGB, after a JPEG of quality 60."""
    import cv2

    parameters = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    _, packed = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), parameters)
    unpacked = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert unpacked is not None  # what was packed just now
    return np.asarray(cv2.cvtColor(unpacked, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def noisy(frames: bench.Frames, *, seed: int) -> Iterator[bench.Frame]:
    """The frames, (T, H, W, 3) uint8 RGB, each with noise of its own."""
    random = np.random.default_rng(seed)
    for frame in frames:
        noise = random.standard_normal(frame.shape, dtype=np.float32)
        yield np.rint(np.clip(frame + DEVIATION * noise, 0, 255)).astype(np.uint8)


@bench.hookimpl
def register_methods() -> list[type[bench.Method]]:
    """The method of this file."""
    return [Degraded]
