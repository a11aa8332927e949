"""Training data of the scorer from a clip: the square around the mouth, the sound, its spectrum."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.ground.errors import BenchError
from bench.ground.types import SAMPLES_PER_FRAME, Clip
from bench.train.ready_clips import Arrays, Detector, RawClip, all_ready, track_of
from metrics.lse.front_end import tracked
from metrics.lse.sync_small.augmentation import STORED, log_power
from metrics.lse.sync_small.batches import MouthClip

CROPS_VERSION = "1"  # raise it when the stored arrays change
# The stored square in the 224 crop: 128 pixels around the middle of the mouth window.
TOP, LEFT, SIDE = 60, 48, 128


def make_ready(
    clips: Sequence[Clip],
    *,
    split: str,
    detectors: Sequence[Detector],
    cache: Path,
    frames: int,
    log: logging.Logger,
) -> list[MouthClip]:
    """The usable clips, once for each detector.

    A clip is dropped if it cannot be read, has no sound, is shorter than `frames`, or shows a face
    in less than 80 % of its frames; the log counts the reasons. Raises BenchError with these counts
    if fewer than half remain. "given" applies to clips whose manifest has a box.
    """
    raw = [
        RawClip(clip, detector, cache)
        for clip in clips
        for detector in detectors
        if detector != "given" or clip.box is not None
    ]
    return all_ready(raw, partial(_ready, frames=frames), split=split, log=log)


def mouth_square(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The stored part of (T, 224, 224, 3) BGR crops: (T, 96, 96, 3) RGB around the mouth."""
    import cv2

    squares = np.empty((len(crops), STORED, STORED, 3), dtype=np.uint8)
    for square, crop in zip(squares, crops, strict=True):
        part = crop[TOP : TOP + SIDE, LEFT : LEFT + SIDE, ::-1]
        cv2.resize(part, (STORED, STORED), dst=square, interpolation=cv2.INTER_AREA)
    return squares


def _ready(raw: RawClip, frames: int) -> MouthClip:
    ready = raw.ready("mouths", _arrays, version=CROPS_VERSION, of=MouthClip)
    if min(len(ready.mouths()), len(ready.sound()) // SAMPLES_PER_FRAME) < frames:
        raise BenchError(f"it has fewer than {frames} frames with sound")
    return ready


def _arrays(raw: RawClip) -> Arrays:
    video, sound = raw.opened()
    return {
        "mouths": mouth_square(tracked(video.read(), track_of(video))),
        "sound": sound,
        "log_power": log_power(sound).astype(np.float16),
    }
