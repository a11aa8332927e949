"""How a method cut the frames of its videos out of the face clip's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.ground.errors import BenchError
from bench.ground.types import Frame


@dataclass(frozen=True)
class Cut:
    """A part of each frame of the face clip, turned and scaled: what a method shows alone.

    transforms: (2, 3) for all frames, or (T, 2, 3), one for each frame of the speech; each takes
    x y in pixels of the face clip's frame to x y in the crop, as `cv2.warpAffine` takes it. height,
    width: the crop's size in pixels; of odd ones the last row or column is dropped when the video
    is written. beyond: what a crop shows where the frame ends. Raises BenchError for other shapes
    and for values that are not finite.
    """

    transforms: NDArray[np.float64]
    height: int
    width: int
    beyond: Literal["repeated", "black"] = "repeated"

    def __post_init__(self) -> None:
        """Checks the shapes."""
        found = np.asarray(self.transforms)
        if found.ndim not in (2, 3) or found.shape[-2:] != (2, 3) or not np.isfinite(found).all():
            raise BenchError(
                f"cut: transforms are {found.dtype} {found.shape}; expected finite numbers, (2, 3) "
                "or (T, 2, 3)"
            )
        if min(self.height, self.width) < 1:
            raise BenchError(f"cut: {self.width}x{self.height} pixels; expected at least 1x1")

    def transform(self, index: int) -> NDArray[np.float64]:
        """The transform (2, 3) of that frame of the speech."""
        found = np.asarray(self.transforms, dtype=np.float64)
        return found if found.ndim == 2 else found[index]

    def of(self, frame: Frame, index: int) -> Frame:
        """The crop (height, width, 3) of a frame of the face clip, interpolated bilinearly."""
        import cv2

        border = cv2.BORDER_REPLICATE if self.beyond == "repeated" else cv2.BORDER_CONSTANT
        size = (self.width, self.height)
        made = cv2.warpAffine(frame, self.transform(index), size, borderMode=border)
        return np.asarray(made, dtype=np.uint8)

    def corners(self, boxes: NDArray[np.floating], index: int) -> NDArray[np.float64]:
        """The upright boxes around boxes (..., 4), x0 y0 x1 y1, after the transform."""
        places = np.asarray(boxes, dtype=np.float64)[..., [[0, 1], [2, 1], [2, 3], [0, 3]]]
        transform = self.transform(index)
        moved = places @ transform[:, :2].T + transform[:, 2]  # (..., 4, 2)
        return np.concatenate([moved.min(axis=-2), moved.max(axis=-2)], axis=-1)
