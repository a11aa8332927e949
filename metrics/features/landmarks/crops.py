"""Squares cut out of frames, turned where wanted, and the way back from their pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.ground.types import Frame

SHRINK_FIRST = 2.0  # a square of so many times the wanted side is averaged first, or it would alias


@dataclass(frozen=True)
class Square:
    """A square in a frame: its middle, its side in pixels, and by how much it is turned (radians).

    A turn of t means that the square's own right points to (cos t, sin t) in the frame.
    """

    x: float
    y: float
    side: float
    turn: float = 0.0

    def cut(self, frame: Frame, pixels: int) -> NDArray[np.uint8]:
        """What the square shows, (pixels, pixels, 3) uint8; beyond the frame its border goes on."""
        import cv2

        square = self
        if self.side > SHRINK_FIRST * pixels:
            frame, square = _shrunk(frame, self, pixels)
        return np.asarray(
            cv2.warpAffine(
                frame,
                square.to_frame(pixels),
                (pixels, pixels),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            dtype=np.uint8,
        )

    def to_frame(self, pixels: int) -> NDArray[np.float64]:
        """The (2, 3) matrix from pixels of the square to pixels of the frame."""
        scale = self.side / pixels
        cos, sin = np.cos(self.turn) * scale, np.sin(self.turn) * scale
        half = pixels / 2
        return np.array(
            [
                [cos, -sin, self.x - half * (cos - sin)],
                [sin, cos, self.y - half * (sin + cos)],
            ]
        )


def placed(points: NDArray[np.floating], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (..., 2) moved by a (2, 3) matrix."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def around(box: NDArray[np.floating], share: float) -> Square:
    """The upright square around the middle of a box x0 y0 x1 y1, `share` times its longer side."""
    left, top, right, bottom = (float(edge) for edge in box)
    side = share * max(right - left, bottom - top, 1.0)
    return Square((left + right) / 2, (top + bottom) / 2, side)


def _shrunk(frame: Frame, square: Square, pixels: int) -> tuple[Frame, Square]:
    """The part of the frame that the square lies in, at about the wanted scale, and the square."""
    import cv2

    height, width = frame.shape[:2]
    reach = square.side * 0.75 + 2  # half its diagonal, and room to interpolate
    left, top = max(0, int(square.x - reach)), max(0, int(square.y - reach))
    right, bottom = min(width, int(square.x + reach) + 1), min(height, int(square.y + reach) + 1)
    if right - left < 2 or bottom - top < 2:  # it lies outside
        return frame, square
    factor = pixels / square.side
    wide, high = max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor))
    part = cv2.resize(frame[top:bottom, left:right], (wide, high), interpolation=cv2.INTER_AREA)
    across, down = wide / (right - left), high / (bottom - top)
    x = (square.x - left + 0.5) * across - 0.5
    y = (square.y - top + 0.5) * down - 0.5
    moved = Square(x, y, square.side * (across + down) / 2, square.turn)
    return np.asarray(part, dtype=np.uint8), moved
