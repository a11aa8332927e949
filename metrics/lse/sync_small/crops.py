"""Makes clips ready for training: the square around the mouth, the sound, its power spectrum.

Kept in the cache under the clip's digest and everything that shaped it, so that a second training
starts at once and a killed preparation goes on.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench import faces
from bench.conform import CONFORM_VERSION, conform_clip
from bench.data.manifest import clip_digest
from bench.errors import BenchError
from bench.types import SAMPLES_PER_FRAME, Clip
from bench.video import Video
from metrics.lse.front_end import tracked
from metrics.lse.sync_small.augmentation import STORED, log_power
from metrics.lse.sync_small.batches import StoredClip

CROPS_VERSION = "1"  # raise it when what is stored changes
# The stored square in the 224 crop: 128 pixels around the middle of the mouth window.
TOP, LEFT, SIDE = 60, 48, 128

Detector = Literal["given", "haar", "yunet"]


def make_ready(
    clips: Sequence[Clip],
    *,
    detectors: Sequence[Detector],
    cache: Path,
    frames: int,
    log: logging.Logger,
) -> tuple[list[StoredClip], list[tuple[str, str]]]:
    """The clips that can be trained on, once for each detector; (id, reason) of those that cannot.

    A clip is dropped if it cannot be read, has no sound, is shorter than `frames`, or shows a
    face in less than 80 % of its frames. "given" is for clips whose manifest has a box.
    """
    ready: list[StoredClip] = []
    dropped: list[tuple[str, str]] = []
    for place, clip in enumerate(clips):
        for detector in detectors:
            if detector == "given" and clip.box is None:
                continue
            try:
                ready.append(_stored(clip, detector, cache, frames))
            except BenchError as error:
                dropped.append((clip.id, f"{detector}: {error}"))
                log.warning("dropped %s (%s): %s", clip.id, detector, error)
        if place % 100 == 99:
            log.info("made ready %d of %d clips", place + 1, len(clips))
    return ready, dropped


def mouth_square(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What is stored of (T, 224, 224, 3) BGR crops: (T, 96, 96, 3) RGB around the mouth."""
    import cv2

    squares = np.empty((len(crops), STORED, STORED, 3), dtype=np.uint8)
    for square, crop in zip(squares, crops, strict=True):
        part = crop[TOP : TOP + SIDE, LEFT : LEFT + SIDE, ::-1]
        cv2.resize(part, (STORED, STORED), dst=square, interpolation=cv2.INTER_AREA)
    return squares


def _stored(clip: Clip, detector: Detector, cache: Path, frames: int) -> StoredClip:
    shaped_by = f"{CONFORM_VERSION}-{faces.FACES_VERSION}-{CROPS_VERSION}-{detector}"
    box = "" if detector != "given" or clip.box is None else f"-{clip.box}"
    name = hashlib.sha256(f"{clip_digest(clip)}{box}".encode()).hexdigest()
    folder = cache / "mouths" / shaped_by / name
    if not folder.is_dir():
        _make(clip, detector, cache, folder)
    dataset, _, speaker = clip.speaker.rpartition("/")
    stored = StoredClip(clip.id, speaker, dataset or clip.language or "clips", folder)
    count = min(len(stored.mouths()), len(stored.sound()) // SAMPLES_PER_FRAME)
    if count < frames:
        raise BenchError(f"has {count} frames with sound; training takes {frames} in a row")
    return stored


def _make(clip: Clip, detector: Detector, cache: Path, folder: Path) -> None:
    conformed = conform_clip(clip, cache=cache)
    tracker = faces.tracker(detector, box=clip.box, cache=cache)
    video = Video(conformed.path, tracker=tracker, sha256=conformed.sha256)
    sound = video.sound()
    if sound is None:
        raise BenchError("has no sound")
    track = video.faces()
    if track.missing > 0.2:
        raise BenchError(f"shows a face in only {1 - track.missing:.0%} of its frames")
    part = folder.with_name(f".{uuid.uuid4().hex}.part")
    part.mkdir(parents=True)
    np.save(part / "mouths.npy", mouth_square(tracked(video.read(), track)))
    np.save(part / "sound.npy", sound)
    np.save(part / "log_power.npy", log_power(sound).astype(np.float16))
    try:
        part.rename(folder)  # in one move, so that a killed preparation leaves nothing half made
    except OSError:
        if not folder.is_dir():  # else another process was faster
            raise
