"""The input of scorers: 224x224 BGR crops of the whole frame or the tracked face.

Source: `lrs` from Rudrabha/Wav2Lip @ 5c90fa9, evaluation/scores_LSE; `tracked` from
joonson/syncnet_python @ 6efbb1c, run_pipeline.py (FIELD.md, sections 4.1 and 4.3). Two steps of the
reference are left out: frames do not pass through JPEG or a second video codec (our protocols are
lossless), and the boxes come from the harness's own detector, which the protocol names.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.ground.types import Frame, Frames, Track
from metrics.lse.core import Crops

SIDE = 224  # pixels
MARGIN = 0.40  # crop_scale of run_pipeline.py
KERNEL = 13  # frames of the running median over box size and centre
GREY = 110  # the colour beyond the frame


def lrs(frames: Frames) -> Crops:
    """Each frame resized to 224x224 (bilinear, aspect ratio not kept), (T, 224, 224, 3) BGR."""
    import cv2

    crops = np.empty((len(frames), SIDE, SIDE, 3), dtype=np.uint8)
    for crop, frame in zip(crops, frames, strict=True):
        cv2.cvtColor(_resized(frame), cv2.COLOR_RGB2BGR, dst=crop)
    return crops


def tracked(frames: Frames, track: Track) -> Crops:
    """A square around each frame's face, resized to 224x224 (bilinear), (T, 224, 224, 3) BGR.

    With s half the longer side of the tight face box (track.boxes), the square has sides of 2.8 s;
    it reaches 1.4 s to the left and right of the box's centre, 1 s up and 1.8 s down. Size and
    centre are smoothed by a running median over 13 frames.

    Deviation: the median repeats the first and last box beyond the ends, where the reference has
    zeros, which pull its first and last six boxes towards the frame's corner.
    """
    import cv2

    squares = squares_around(track.boxes)
    crops = np.empty((len(frames), SIDE, SIDE, 3), dtype=np.uint8)
    for crop, frame, square in zip(crops, frames, squares.tolist(), strict=True):
        cv2.cvtColor(_resized(_cut(frame, *square)), cv2.COLOR_RGB2BGR, dst=crop)
    return crops


def squares_around(boxes: NDArray[np.float32]) -> NDArray[np.int64]:
    """The crops' left, top, right and bottom in whole pixels of the frame, (T, 4)."""
    x0, y0, x1, y1 = boxes.astype(np.float64).T
    half = _median(np.maximum(x1 - x0, y1 - y0) / 2)
    x, y = _median((x0 + x1) / 2), _median((y0 + y1) / 2)
    side = 1 + MARGIN
    edges = [x - half * side, y - half, x + half * side, y + half * (1 + 2 * MARGIN)]
    return np.floor(np.stack(edges, axis=1)).astype(np.int64)  # floor: the reference's int()


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    padded = np.pad(values, KERNEL // 2, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, KERNEL)  # (T, 13)
    return np.asarray(np.median(around, axis=1), dtype=np.float64)


def _cut(frame: Frame, left: int, top: int, right: int, bottom: int) -> Frame:
    """The square: a view of the frame if it lies inside, else a copy on a grey background."""
    height, width = frame.shape[:2]
    if 0 <= left < right <= width and 0 <= top < bottom <= height:
        return frame[top:bottom, left:right]
    ground = np.full((max(bottom - top, 1), max(right - left, 1), 3), GREY, dtype=np.uint8)
    inside = frame[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    down, across = max(-top, 0), max(-left, 0)
    ground[down : down + inside.shape[0], across : across + inside.shape[1]] = inside
    return ground


def _resized(crop: Frame) -> Frame:
    import cv2

    return np.asarray(cv2.resize(crop, (SIDE, SIDE)), dtype=np.uint8)
