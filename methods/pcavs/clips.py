"""Clips as PC-AVS is trained on: aligned faces, what is heard, and where the expert looks.

The family's sync expert knows faces as the harness tracks them (`bench.train.face_clips`), and an
aligned face is another cut of the frame; each frame's `view` takes one into the other.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bench.contract.video import Video
from bench.ground.errors import BenchError, Undefined
from bench.ground.types import SAMPLES_PER_FRAME
from bench.networks import face_crops
from bench.networks.face_crops import Boxes, face_boxes
from bench.train.face_clips import FaceClip, face_clip
from bench.train.ready_clips import Arrays, Landmarks, RawClip, ReadyClip, all_ready, track_of
from methods.pcavs import mel
from methods.pcavs.pictures import (
    Transforms,
    anchors,
    at_side,
    crop,
    inner_transforms,
    small_picture,
    transforms,
)
from methods.pcavs.small import SIDE

KIND, VERSION = "pcavs", "1"  # raise the version when the stored arrays change
CROPPED_KIND, CROPPED_VERSION = "pcavs_crops", "1"
LEAST_SCORE = 0.5  # of the landmarks of a frame that shows a face
MOST_UNSEEN = 0.2  # share of frames without landmarks


class SeenAndHeard(ReadyClip):
    """A clip's pictures and sound."""

    def pictures(self) -> NDArray[np.uint8]:
        """(T, S, S, 3) uint8 RGB; S is 96 for the small networks, 224 for the published ones."""
        return np.asarray(self.array("pictures"))

    def mel(self) -> mel.Mel:
        """(80, M) float32 in [0, 1]."""
        return np.asarray(self.array("mel"))


class CroppedClip(SeenAndHeard):
    """A clip for the published networks. Its pictures are `pictures.crop`'s, 224x224."""


@dataclass(frozen=True)
class AlignedClip(SeenAndHeard):
    """A clip with aligned faces. tracked: the same clip as the sync expert knows it."""

    tracked: FaceClip

    def views(self) -> NDArray[np.float32]:
        """(T, 2, 3) float32, for `viewed`."""
        return np.asarray(self.array("views"))


def make_aligned(
    raw: Sequence[RawClip], *, landmarks: Landmarks, split: str, log: logging.Logger
) -> list[AlignedClip]:
    """The clips that can be trained on, as `face_clips.make_ready`; a face needs landmarks, too."""
    return all_ready(raw, partial(aligned_clip, landmarks=landmarks), split=split, log=log)


def aligned_clip(raw: RawClip, *, landmarks: Landmarks) -> AlignedClip:
    """One clip; BenchError as of `face_clip`, and if a fifth of its frames has no landmarks."""
    tracked = face_clip(raw)
    marked = replace(raw, landmarks=landmarks)
    ready: ReadyClip = marked.ready(KIND, _arrays, version=VERSION, of=None)
    return AlignedClip(ready.id, ready.speaker, ready.dataset, ready.folder, tracked)


def cropped_clip(raw: RawClip) -> CroppedClip:
    """One clip for the published networks; BenchError if a fifth has no landmarks, or no sound."""
    return raw.ready(CROPPED_KIND, _cropped, version=CROPPED_VERSION, of=CroppedClip)


def _cropped(raw: RawClip) -> Arrays:
    video, sound = raw.opened()
    frames = video.read()
    found = _found(video)
    count = min(len(frames), len(sound) // SAMPLES_PER_FRAME)
    shown = zip(frames[:count], found[:count], strict=True)
    return {
        "pictures": np.stack([crop(frame, each) for frame, each in shown]),
        "mel": mel.mel_spectrogram(sound[: count * SAMPLES_PER_FRAME]),
    }


def _arrays(raw: RawClip) -> Arrays:
    video, sound = raw.opened()
    frames = video.read()
    inner = inner_transforms(_found(video))
    boxes = face_boxes(track_of(video), *frames.shape[1:3])
    count = min(len(frames), len(sound) // SAMPLES_PER_FRAME)
    shown = zip(frames[:count], inner[:count], strict=True)
    return {
        "pictures": np.stack([small_picture(frame, each, SIDE) for frame, each in shown]),
        "mel": mel.mel_spectrogram(sound[: count * SAMPLES_PER_FRAME]),
        "views": views(at_side(inner[:count], SIDE), boxes[:count]),
    }


def _found(video: Video) -> Transforms:
    """`pictures.transforms` of the whole clip, (T, 2, 3)."""
    try:
        marks = video.feature("landmarks")
    except Undefined as absent:
        raise BenchError(f"it has no landmarks: {absent}") from absent
    is_seen = np.asarray(marks["score"]) >= LEAST_SCORE
    if is_seen.mean() < 1.0 - MOST_UNSEEN:
        raise BenchError(f"it has landmarks in less than {1 - MOST_UNSEEN:.0%} of its frames")
    return transforms(anchors(marks, is_seen))


def views(aligned: Transforms, boxes: Boxes) -> NDArray[np.float32]:
    """Where each pixel of a tracked face lies in the aligned picture, (T, 2, 3) float32.

    aligned: (T, 2, 3), from the frame's pixels to those of the 96x96 picture. boxes: (T, 4), the
    tracked face in the frame. From and to coordinates in [-1, 1], as torch's `affine_grid` has them
    with `align_corners=False`.
    """
    sizes = (boxes[:, 2:] - boxes[:, :2]) / face_crops.SIZE  # (T, 2) pixels of the frame per pixel
    offsets = boxes[:, :2] + 0.5 * sizes - 0.5
    linear = aligned[:, :, :2] * sizes[:, None, :]
    offset = np.einsum("tij,tj->ti", aligned[:, :, :2], offsets) + aligned[:, :, 2]
    middle = 0.5 * face_crops.SIZE - 0.5  # the pixel at coordinate 0
    found = np.empty_like(aligned)
    found[:, :, :2] = linear * (face_crops.SIZE / SIDE)
    found[:, :, 2] = (linear.sum(axis=2) * middle + offset + 0.5) * (2.0 / SIDE) - 1.0
    return found.astype(np.float32)


def viewed(pictures: Tensor, views: Tensor) -> Tensor:
    """Faces as the harness tracks them, (F, 3, 96, 96), from aligned pictures (F, 3, 96, 96).

    views: (F, 2, 3) of `views`. Bilinear, with gradients; beyond the picture its border is
    repeated.
    """
    size = [len(pictures), 3, face_crops.SIZE, face_crops.SIZE]
    grid = functional.affine_grid(views, size, align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
