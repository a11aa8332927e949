"""The pictures that PC-AVS sees: faces aligned by eyes and mouth, and their inner part.

Source: Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 (CC-BY-4.0): scripts/align_68.py,
data/voxtest_dataset.py. Landmarks may come from any model that gives eyes and inner mouth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.features.landmark_points import layout
from bench.ground.types import Frame, Frames
from bench.networks.similarity import similarity

SIDE = 224  # pixels, of crops and of generated pictures
ANCHORS = ((87.0, 59.0), (137.0, 59.0), (112.0, 120.0))  # right eye, left eye, mouth, x y
NEW = 0.8  # share of a frame's own shift; the rest is the shift of the frame before
INNER = slice(12, 20)  # of a mouth's points, those around the opening
TRIMMED = 16  # pixels that the networks do not see: left, right, and twice as many below
Anchors: TypeAlias = NDArray[np.float64]  # (T, 3, 2): middles of right eye, left eye, inner mouth
Transforms: TypeAlias = NDArray[np.float64]  # (T, 2, 3): from the frame's x y to the crop's


def anchors(arrays: Mapping[str, NDArray[Any]], is_seen: NDArray[np.bool_]) -> Anchors:
    """Eyes and inner mouth of each frame, (T, 3, 2) x y in pixels.

    arrays: the feature `landmarks`. is_seen: (T,), where it is to be believed, at least once;
    frames between and beside take what lies between and beside.
    """
    order = layout(arrays)
    parts = (order.right_eye, order.left_eye, order.mouth[INNER])
    points = arrays["points"].astype(np.float64)
    found = np.stack([points[:, list(part)].mean(axis=1) for part in parts], axis=1)
    places, known = np.arange(len(found)), np.flatnonzero(is_seen)
    columns = [np.interp(places, known, column[known]) for column in found.reshape(-1, 6).T]
    return np.stack(columns, axis=1).reshape(-1, 3, 2)


def transforms(anchors: Anchors) -> Transforms:
    """From each frame to its 224x224 crop, (T, 2, 3).

    anchors: (T, 3, 2) x y in pixels of the frame, T >= 1. Size and turn are those that bring the
    mean of the video's anchors closest to ANCHORS, the same for all frames; then each frame is
    shifted so that its mouth lies at the anchor, smoothed over time.
    """
    whole = similarity(anchors.mean(axis=0), np.array(ANCHORS))
    linear, offset = whole[:, :2], whole[:, 2]
    mouths = anchors[:, 2] @ linear.T + offset  # (T, 2)
    shifts = np.array(ANCHORS[2]) - mouths
    for frame in range(1, len(shifts)):
        shifts[frame] = (1.0 - NEW) * shifts[frame - 1] + NEW * shifts[frame]
    found = np.empty((len(anchors), 2, 3))
    found[:, :, :2] = linear
    found[:, :, 2] = offset + shifts
    return found


def crop(frame: Frame, transform: NDArray[np.float64]) -> Frame:
    """The aligned face, (224, 224, 3) uint8; black where the frame ends."""
    import cv2

    return np.asarray(cv2.warpAffine(frame, transform, (SIDE, SIDE)), dtype=np.uint8)


def seen(crops: Frames) -> NDArray[np.float32]:
    """What the networks see of crops: (B, 3, 224, 224) float32 in [-1, 1].

    crops: (B, 224, 224, 3) uint8 RGB. Rows 0 to 191 and columns 16 to 207, enlarged bilinearly.
    """
    import cv2

    inner = crops[:, : SIDE - 2 * TRIMMED, TRIMMED : SIDE - TRIMMED]
    enlarged = np.stack([cv2.resize(picture, (SIDE, SIDE)) for picture in inner])
    scaled = enlarged.astype(np.float32) / 127.5 - 1.0
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def inner_transforms(found: Transforms) -> Transforms:
    """From each frame to the 224x224 pictures that the networks see and generate, (T, 2, 3).

    found: `transforms`. Pixels' middles correspond, as where OpenCV resizes.
    """
    scale = SIDE / (SIDE - 2 * TRIMMED)
    inner = scale * found
    inner[:, :, 2] += 0.5 * scale - 0.5
    inner[:, 0, 2] -= scale * TRIMMED
    return inner


def small_picture(frame: Frame, inner: NDArray[np.float64], side: int) -> Frame:
    """What small networks see of a frame: (side, side, 3) uint8, side at most 224.

    inner: (2, 3), of `inner_transforms`. The face is cut at 224x224, with the frame's border
    repeated, and then reduced by the mean of areas.
    """
    import cv2

    border = cv2.BORDER_REPLICATE
    whole = cv2.warpAffine(frame, inner, (SIDE, SIDE), borderMode=border)
    return np.asarray(cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def at_side(inner: Transforms, side: int) -> Transforms:
    """`inner_transforms` to pictures of another side, (T, 2, 3). Pixels' middles correspond."""
    scale = side / SIDE
    found = scale * inner
    found[:, :, 2] += 0.5 * scale - 0.5
    return np.asarray(found)


def pose_order(recorded: int, wanted: int) -> NDArray[np.int64]:
    """The pose frames (T,) of generated frames: forth and back, each end twice.

    0 1 .. n-1 n-1 .. 1 0 0 1 .., unlike `bench.forth_and_back`, which shows the ends once.
    """
    place = np.arange(wanted) % (2 * recorded)
    return np.minimum(place, 2 * recorded - 1 - place)
