"""Clips as ATVGnet is trained on: upright faces, their landmarks, what each frame hears."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.ground.errors import BenchError, Undefined
from bench.ground.types import SAMPLES_PER_FRAME
from bench.networks.similarity import Points
from bench.train.ready_clips import Arrays, RawClip, ReadyClip, all_ready
from methods.atvg import audio
from methods.atvg.alignment import crop_transform, cropped
from methods.atvg.landmarks import SCHEMES
from methods.atvg.settings import Alignment

KIND, VERSION = "atvg", "1"  # raise the version when the stored arrays change
LEAST_FRAMES = 20
LEAST_SCORE = 0.5  # of the landmarks of a frame that shows a face
MOST_UNSEEN = 0.2  # share of frames without landmarks
SPAN = 5  # frames over which the points are averaged that a frame's crop is laid by


@dataclass(frozen=True)
class AlignedClip(ReadyClip):
    """A clip of T frames, all with a face and sound."""

    def pictures(self) -> NDArray[np.uint8]:
        """(T, S, S, 3) uint8 RGB, upright."""
        return np.asarray(self.array("pictures"))

    def points(self) -> NDArray[np.float32]:
        """(T, P, 2) float32, in pixels of the recording."""
        return np.asarray(self.array("points"))

    def heard(self) -> audio.Windows:
        """(T, 28, 12) float32."""
        return np.asarray(self.array("heard"))


def make_aligned(
    raw: Sequence[RawClip], *, side: int, alignment: Alignment, split: str, log: logging.Logger
) -> list[AlignedClip]:
    """The clips that can be trained on.

    raw: with their model of landmarks. side: of the upright faces. alignment: see
    `ClipSettings`. A clip is dropped if it cannot be read, has no sound or a silent one, has fewer
    than 20 frames, or no landmarks in a fifth of them; the log counts the reasons. Raises
    BenchError with these counts if fewer than half of the clips remain.
    """
    make = partial(aligned_clip, side=side, alignment=alignment)
    return all_ready(raw, make, split=split, log=log)


def aligned_clip(raw: RawClip, *, side: int, alignment: Alignment) -> AlignedClip:
    """One clip made ready; raises BenchError where it cannot be trained on."""
    make = partial(_arrays, side=side, alignment=alignment)
    return raw.ready(KIND, make, version=f"{VERSION}-{side}-{alignment}", of=AlignedClip)


def _arrays(raw: RawClip, *, side: int, alignment: Alignment) -> Arrays:
    video, sound = raw.opened()
    if not sound.any():
        raise BenchError("its sound is digitally silent")
    frames = video.read()
    try:
        marks = video.feature("landmarks")
    except Undefined as absent:
        raise BenchError(f"it has no landmarks: {absent}") from absent
    is_seen = np.asarray(marks["score"]) >= LEAST_SCORE
    if is_seen.mean() < 1.0 - MOST_UNSEEN:
        raise BenchError(f"it has landmarks in less than {1 - MOST_UNSEEN:.0%} of its frames")
    scheme = SCHEMES[str(marks["model"])]
    points = filled(scheme.of(marks), is_seen)
    count = min(len(frames), len(sound) // SAMPLES_PER_FRAME)
    if count < LEAST_FRAMES:
        raise BenchError(f"it has fewer than {LEAST_FRAMES} frames with sound")
    laid = laid_by(points[:count], alignment=alignment)
    pictures = [
        cropped(frame, crop_transform(face, scheme, side=side), side=side)
        for frame, face in zip(frames[:count], laid, strict=True)
    ]
    return {
        "pictures": np.stack(pictures),
        "points": points[:count].astype(np.float32),
        "heard": audio.windows(sound[: count * SAMPLES_PER_FRAME]),
    }


def filled(points: Points, is_seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Points (T, P, 2) with those of frames without a face taken from the nearest with one."""
    seen = np.flatnonzero(is_seen)
    nearest = np.abs(np.arange(len(points))[:, None] - seen).argmin(axis=1)
    return np.asarray(points[seen[nearest]], dtype=np.float64)


def laid_by(points: Points, *, alignment: Alignment) -> NDArray[np.float64]:
    """The points that each frame's crop is laid by, (T, P, 2)."""
    if alignment == "clip":
        return np.broadcast_to(np.median(points, axis=0), points.shape)
    half = SPAN // 2
    padded = np.concatenate([points[:1]] * half + [points] + [points[-1:]] * half)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, SPAN, axis=0).mean(axis=-1))
