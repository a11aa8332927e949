"""What of a clip the family is trained on: the face in every frame, the features of the sound."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.train.ready_clips import Detector, Order, all_ready, track_of
from bench.types import SAMPLES_PER_FRAME, Clip
from methods.wav2lip.audio import MELS, AudioKind, Features, features
from methods.wav2lip.faces import crops, face_boxes

CLIPS_VERSION = "1"  # raise it when what is stored changes
LEAST_FRAMES = 15  # three windows of five


@dataclass(frozen=True)
class StoredClip:
    """A clip made ready: arrays in a folder, memory-mapped where they are large.

    faces.npy (T, 96, 96, 3) uint8 RGB; features.npy (119, M) float32, mel above cepstra.
    """

    id: str
    speaker: str
    dataset: str
    folder: Path

    def faces(self) -> NDArray[np.uint8]:
        """(T, 96, 96, 3) uint8 RGB."""
        return np.asarray(np.load(self.folder / "faces.npy", mmap_mode="r"))

    def features(self, kind: AudioKind) -> Features:
        """(D, M) float32: what `audio.features` gives for this kind."""
        fused: Features = np.load(self.folder / "features.npy")
        return {"mel": fused[:MELS], "mfcc": fused[MELS:], "fused": fused}[kind]


def make_ready(
    clips: Sequence[Clip], *, split: str, detector: Detector, cache: Path, log: logging.Logger
) -> list[StoredClip]:
    """The clips that can be trained on.

    A clip is dropped if it cannot be read, has no sound or a silent one, has fewer than 15 frames,
    or shows a face in less than 80 % of its frames; the log counts the reasons. Raises BenchError
    with these counts if fewer than half of the clips remain.
    """
    orders = [Order(clip, detector, cache) for clip in clips]
    return all_ready(orders, _stored, split=split, log=log)


def _stored(order: Order) -> StoredClip:
    folder = order.kept("talkers", version=CLIPS_VERSION, make=_store)
    return StoredClip(order.clip.id, order.speaker, order.dataset, folder)


def _store(order: Order, folder: Path) -> None:
    video, sound = order.opened()
    if not sound.any():
        raise BenchError("its sound is digitally silent")
    frames = video.read()
    count = min(len(frames), len(sound) // SAMPLES_PER_FRAME)
    if count < LEAST_FRAMES:
        raise BenchError(f"it has fewer than {LEAST_FRAMES} frames with sound")
    boxes = face_boxes(track_of(video), *frames.shape[1:3])
    np.save(folder / "faces.npy", crops(frames[:count], boxes[:count]))
    np.save(folder / "features.npy", features(sound[: count * SAMPLES_PER_FRAME], "fused"))
