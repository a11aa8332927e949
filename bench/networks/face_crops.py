"""Face boxes as Wav2Lip computes them, and the crops that networks see, in training and inference.

Source: Rudrabha/Wav2Lip, inference.py (`face_detect`, `get_smoothened_boxes`), preprocess.py.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.ground.errors import BenchError
from bench.ground.types import Frames, Track

SIZE = 96  # pixels, height and width of the crops
PADS = (0, 10, 0, 0)  # inference.py's default: the chin below the detector's box
SMOOTHED = 5  # boxes in one mean

Boxes: TypeAlias = NDArray[np.int64]  # (T, 4), x0 y0 x1 y1 in whole pixels, inside the frame


def face_boxes(
    track: Track,
    height: int,
    width: int,
    *,
    pads: tuple[int, int, int, int] = PADS,
    smooth: bool = True,
) -> Boxes:
    """The face's box in each frame, (T, 4) int64, x0 y0 x1 y1 within (height, width).

    pads: pixels added above, below, left and right, as `--pads`. smooth: each box becomes the mean
    of the five that begin with it, or, at the end, of the last five; computed in place, as in
    Wav2Lip. Raises BenchError if a box has no area inside the frame.
    """
    top, bottom, left, right = pads
    grown = track.boxes.astype(np.int64) + np.array([-left, -top, right, bottom])
    boxes: Boxes = np.clip(grown, 0, [width, height, width, height])
    if smooth:
        for start in range(len(boxes)):
            last = min(start, max(0, len(boxes) - SMOOTHED))
            boxes[start] = boxes[last : last + SMOOTHED].mean(axis=0)
    empty = ((boxes[:, 2:] - boxes[:, :2]) < 2).any(axis=1)
    if empty.any():
        frame = int(np.flatnonzero(empty)[0])
        raise BenchError(
            f"frame {frame}: the face's box {track.boxes[frame].round().tolist()} lies outside the "
            f"{width}x{height} frame"
        )
    return boxes


def crops(frames: Frames, boxes: Boxes, *, side: int = SIZE) -> Frames:
    """The faces in the boxes, resized bilinearly as in Wav2Lip, (T, side, side, 3) uint8.

    frames: (T, H, W, 3) uint8; boxes: (T, 4). Colours keep their order.
    """
    import cv2

    faces = np.empty((len(boxes), side, side, 3), dtype=np.uint8)
    for face, frame, (x0, y0, x1, y1) in zip(faces, frames, boxes, strict=True):
        cv2.resize(frame[y0:y1, x0:x1], (side, side), dst=face)
    return faces
