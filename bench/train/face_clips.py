"""Clips as input of generators and sync experts: face crops and features of the speech."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.ground.errors import BenchError
from bench.ground.types import SAMPLES_PER_FRAME, Clip
from bench.networks.audio import MELS, AudioKind, Features, features
from bench.networks.face_crops import crops, face_boxes
from bench.train.ready_clips import Arrays, Detector, RawClip, ReadyClip, all_ready, track_of
from bench.train.trainable import TrainJob

CLIPS_VERSION = "1"  # raise it when the stored arrays change
LEAST_FRAMES = 15  # three windows of five


@dataclass(frozen=True)
class FaceClip(ReadyClip):
    """A preprocessed clip: the face in every frame, the features of the speech."""

    def faces(self) -> NDArray[np.uint8]:
        """(T, 96, 96, 3) uint8 RGB."""
        return np.asarray(self.array("faces"))

    def features(self, kind: AudioKind) -> Features:
        """(D, M) float32: `audio.features` of this kind."""
        fused: Features = np.array(self.array("features"))  # mel above cepstra
        return {"mel": fused[:MELS], "mfcc": fused[MELS:], "fused": fused}[kind]


def make_ready(
    clips: Sequence[Clip], *, split: str, detector: Detector, cache: Path, log: logging.Logger
) -> list[FaceClip]:
    """The clips that can be trained on.

    A clip is dropped if it cannot be read, has no sound or a silent one, has fewer than 15 frames,
    or shows a face in less than 80 % of its frames; the log counts the reasons. Raises BenchError
    with these counts if fewer than half of the clips remain.
    """
    raw = [RawClip(clip, detector, cache) for clip in clips]
    return all_ready(raw, face_clip, split=split, log=log)


def ready_splits(
    job: TrainJob[Any], *, detector: Detector, cache: Path
) -> dict[str, list[FaceClip]]:
    """The job's clips of `train` and `val`, by `make_ready`."""
    return {
        split: make_ready(clips, split=split, detector=detector, cache=cache, log=job.log)
        for split, clips in (("train", job.train), ("val", job.val))
    }


def face_clip(raw: RawClip) -> FaceClip:
    """One clip made ready; raises BenchError where it cannot be trained on, as in `make_ready`."""
    return raw.ready("talkers", _arrays, version=CLIPS_VERSION, of=FaceClip)


def _arrays(raw: RawClip) -> Arrays:
    video, sound = raw.opened()
    if not sound.any():
        raise BenchError("its sound is digitally silent")
    frames = video.read()
    count = min(len(frames), len(sound) // SAMPLES_PER_FRAME)
    if count < LEAST_FRAMES:
        raise BenchError(f"it has fewer than {LEAST_FRAMES} frames with sound")
    boxes = face_boxes(track_of(video), *frames.shape[1:3])
    return {
        "faces": crops(frames[:count], boxes[:count]),
        "features": features(sound[: count * SAMPLES_PER_FRAME], "fused"),
    }
