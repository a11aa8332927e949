"""Shading for painted surfaces: grids, smooth noise, soft steps, light on a height field.

Colours are linear light, (H, W, 3) float32, 1.0 for a white surface in full light; `to_srgb`
converts them to pixels. Lengths are in units of half the face width, see `UNIT`.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

SIZE = 512  # pixels of the painted head texture, square
UNIT = 120.0  # texture pixels for half a face width
CENTRE = (256.0, 222.0)  # the texture pixel between the eyes


def grid() -> tuple[Array, Array]:
    """x and y of every texture pixel, each (SIZE, SIZE), in face units from between the eyes."""
    steps = np.arange(SIZE, dtype=np.float32)
    x, y = np.meshgrid((steps - CENTRE[0]) / UNIT, (steps - CENTRE[1]) / UNIT)
    return x.astype(np.float32), y.astype(np.float32)


def step(low: float | Array, high: float | Array, value: Array) -> Array:
    """0 below `low`, 1 above `high`, smooth in between; falls from 1 to 0 if `low` > `high`."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


def bump(x: Array, y: Array, at: tuple[float, float], wide: tuple[float, float]) -> Array:
    """A Gaussian of height 1 at a point."""
    return np.exp(-(((x - at[0]) / wide[0]) ** 2) - ((y - at[1]) / wide[1]) ** 2).astype(np.float32)


def pair(x: Array, y: Array, at: tuple[float, float], wide: tuple[float, float]) -> Array:
    """Two Gaussians, left and right of the middle."""
    return bump(np.abs(x), y, at, wide)


def mix(under: Array, over: Array, alpha: Array) -> Array:
    """`over` laid on `under` by alpha (H, W)."""
    cover = alpha[..., None]
    return (under * (1.0 - cover) + over * cover).astype(np.float32)


def noise(rng: np.random.Generator, cells: tuple[int, int], size: tuple[int, int]) -> Array:
    """Smooth noise (height, width), mean about 0, sd about 1; cells: their number down, across."""
    coarse = rng.standard_normal(cells).astype(np.float32)
    smooth = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth / max(float(smooth.std()), 1e-6), np.float32)


def linear(colour: tuple[float, float, float]) -> Array:
    """An sRGB colour 0..255 as linear light (3,)."""
    return np.asarray((np.array(colour, np.float32) / 255.0) ** 2.2, np.float32)


def to_srgb(light: Array) -> NDArray[np.uint8]:
    """Linear light (..., 3) as sRGB pixels, with a soft shoulder so that highlights do not clip."""
    soft = np.where(light > 0.7, 0.7 + 0.3 * np.tanh((light - 0.7) / 0.3), light)
    return (np.clip(soft, 0.0, 1.0) ** (1.0 / 2.2) * 255.0 + 0.5).astype(np.uint8)


_GAMMA = 2.2
_TO_LINEAR = ((np.arange(256) / 255.0) ** _GAMMA).astype(np.float32)
_TO_PIXEL = ((np.arange(65536) / 65535.0) ** (1.0 / _GAMMA) * 255.0 + 0.5).astype(np.uint8)


def from_pixels(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """sRGB pixels as linear light; by table, since it runs on every frame."""
    return _TO_LINEAR[pixels]


def as_pixels(light: Array) -> NDArray[np.uint8]:
    """Linear light 0..1 as sRGB pixels; the inverse of `from_pixels`."""
    return _TO_PIXEL[(np.clip(light, 0.0, 1.0) * 65535.0 + 0.5).astype(np.int32)]


def normals(height: Array) -> tuple[Array, Array, Array]:
    """Unit normals of a height field given in face units."""
    smooth = cv2.GaussianBlur(height, (0, 0), 1.6)
    dx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3) * (UNIT / 8.0)
    dy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3) * (UNIT / 8.0)
    length = np.sqrt(dx * dx + dy * dy + 1.0)
    return (
        np.asarray(-dx / length, np.float32),
        np.asarray(-dy / length, np.float32),
        np.asarray(1.0 / length, np.float32),
    )


def lit(
    albedo: Array,
    height: Array,
    *,
    light: tuple[float, float],
    contrast: float,
    gloss: float,
    bleed: float,
) -> Array:
    """A height field with this albedo (H, W, 3) under a key light, a fill light and a sky.

    light: the key light's direction in x and y; contrast: of key to fill; gloss: strength of the
    highlight; bleed: how far red light spreads into the shadow, as in skin.
    """
    nx, ny, nz = normals(height)
    key = np.array([light[0], light[1], 0.9])
    key /= np.linalg.norm(key)
    fill = np.array([-light[0] * 0.9, -0.1, 0.9])
    fill /= np.linalg.norm(fill)
    lambert = nx * key[0] + ny * key[1] + nz * key[2]
    side = np.clip(nx * fill[0] + ny * fill[1] + nz * fill[2], 0.0, 1.0)
    sky = 0.5 - 0.5 * ny
    wraps = (0.22 + 0.25 * bleed, 0.22, 0.22 - 0.05 * bleed)
    strength = 0.72 + 0.26 * contrast
    shade = np.stack(
        [
            strength * np.clip((lambert + wrap) / (1.0 + wrap), 0.0, 1.0)
            + (0.38 - 0.26 * contrast) * side
            + 0.14 * sky
            for wrap in wraps
        ],
        axis=2,
    )
    half = key + np.array([0.0, 0.0, 1.0])
    half /= np.linalg.norm(half)
    facing = np.clip(nx * half[0] + ny * half[1] + nz * half[2], 0.0, 1.0)
    shine = gloss * (0.10 * facing**18 + 0.10 * facing**60)
    return np.asarray(albedo * shade + shine[..., None], np.float32)
