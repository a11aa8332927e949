"""What a method's cut makes of frames and boxes of the face clip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.contract.jobs import Cut
from bench.ground.errors import BenchError
from bench.ground.types import Frame


def check_cut(cut: Cut, frames: int) -> None:
    """Raises BenchError for transforms that are not finite or not those of so many frames."""
    found = np.asarray(cut.transforms)
    if found.ndim not in (2, 3) or found.shape[-2:] != (2, 3) or not np.isfinite(found).all():
        raise BenchError(
            f"cut: transforms are {found.dtype} {found.shape}; expected finite numbers, (2, 3) "
            "or (T, 2, 3)"
        )
    if found.ndim == 3 and len(found) != frames:
        raise BenchError(
            f"cut: {len(found)} transforms; expected one for all frames, or {frames}, one for "
            "each frame of the speech"
        )


def cut_frame(cut: Cut, frame: Frame, index: int) -> Frame:
    """The crop (height, width, 3) of the face clip's frame `index`, interpolated bilinearly."""
    import cv2

    border = cv2.BORDER_REPLICATE if cut.beyond == "repeated" else cv2.BORDER_CONSTANT
    size = (cut.width, cut.height)
    made = cv2.warpAffine(frame, _transform(cut, index), size, borderMode=border)
    return np.asarray(made, dtype=np.uint8)


def cut_boxes(cut: Cut, boxes: NDArray[np.floating], index: int) -> NDArray[np.float64]:
    """The upright boxes around boxes (..., 4), x0 y0 x1 y1, of that frame after the transform."""
    places = np.asarray(boxes, dtype=np.float64)[..., [[0, 1], [2, 1], [2, 3], [0, 3]]]
    transform = _transform(cut, index)
    moved = places @ transform[:, :2].T + transform[:, 2]  # (..., 4, 2)
    return np.concatenate([moved.min(axis=-2), moved.max(axis=-2)], axis=-1)


def _transform(cut: Cut, index: int) -> NDArray[np.float64]:
    found = np.asarray(cut.transforms, dtype=np.float64)
    return found if found.ndim == 2 else found[index]
