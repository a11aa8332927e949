"""CPBD pixel by pixel, as the field's package computes it: slow, and nothing shared with ours.

Own words after Narvekar and Karam 2011 and 0x64746b/python-cpbd: the comparison of tests and speed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve
from skimage.feature import canny


def cpbd_by_loops(grey: NDArray[np.uint8]) -> float:
    """CPBD of one picture, (H, W) uint8."""
    picture = grey.astype(np.float64)
    height, width = picture.shape
    widths = _widths(picture, _sobel(picture))
    strong = canny(picture)
    sharp = total = 0
    for top in range(0, height - 63, 64):
        for left in range(0, width - 63, 64):
            block = slice(top, top + 64), slice(left, left + 64)
            if np.count_nonzero(strong[block]) <= 0.002 * 64 * 64:
                continue
            noticeable = 5.0 if int(picture[block].max() - picture[block].min()) <= 50 else 3.0
            for wide in widths[block].ravel():
                if wide:
                    chance = 1.0 - math.exp(-((wide / noticeable) ** 3.6))
                    sharp += round(100 * chance) <= 63
                    total += 1
    return sharp / total if total else 0.0


def _sobel(picture: NDArray[np.float64]) -> NDArray[np.bool_]:
    strength = convolve(picture, np.outer([1, 2, 1], [1, 0, -1]) / 8.0) ** 2
    strength = np.where(strength > 2 * np.sqrt(strength.mean()), strength, 0.0)
    height, width = strength.shape

    def at(row: int, column: int) -> float:
        inside = 0 <= row < height and 0 <= column < width
        return float(strength[row, column]) if inside else 0.0

    edges = np.zeros(strength.shape, dtype=bool)
    for row, column in zip(*np.nonzero(strength), strict=True):
        own = strength[row, column]
        beside = own > at(row, column - 1) and own > at(row, column + 1)
        upright = own > at(row - 1, column) and own > at(row + 1, column)
        edges[row, column] = beside or upright
    return edges


def _widths(picture: NDArray[np.float64], edges: NDArray[np.bool_]) -> NDArray[np.int64]:
    height, width = picture.shape
    down, across = np.gradient(picture)
    angles = np.zeros(picture.shape)
    for row in range(height):
        for column in range(width):
            if across[row, column]:
                angle = math.degrees(math.atan2(down[row, column], across[row, column]))
                angles[row, column] = 45 * round(angle / 45)
    widths = np.zeros(picture.shape, dtype=np.int64)
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            if edges[row, column] and angles[row, column] in (0, 180, -180):
                sign = 1 if angles[row, column] == 0 else -1
                widths[row, column] = _followed(sign * picture[row], column)
    return widths


def _followed(line: NDArray[np.float64], column: int) -> int:
    """How wide the rise around a column is."""
    left = 0
    while (
        left < 100 and column - 2 - left >= 0 and line[column - 2 - left] < line[column - 1 - left]
    ):
        left += 1
    right = 0
    while (
        right < 100
        and column + 2 + right < len(line)
        and line[column + 2 + right] > line[column + 1 + right]
    ):
        right += 1
    return left + right + 2
