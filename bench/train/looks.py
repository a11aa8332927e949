"""Other people made of one: another skin, form and light of the face in a 96x96 square.

A look is drawn from random numbers and does the same to every frame, so lips stay in step with the
speech and all clips of a person look alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Squares = NDArray[np.uint8]  # (T, 96, 96, 3) RGB, of a face or of its mouth
Array = NDArray[np.float32]

SIDE = 96  # pixels of the square
KNOTS = 4  # of the warp, to either side; between them it is smooth
FARTHEST = 6.0  # pixels by which the warp moves a point
SAME_CHROMA = 14.0  # CIELAB units; colours that much further from skin change half as much
EVERY = 12  # frames between those in which a clip's skin is looked for

# Skin in CIELAB from dark to light (lightness, a, b), about where the renderer's skins lie.
_SKIN = np.array(
    [
        (24.0, 9.0, 9.0),
        (38.0, 13.0, 16.0),
        (50.0, 14.0, 19.0),
        (62.0, 12.0, 18.0),
        (74.0, 9.0, 14.0),
    ]
)


@dataclass(frozen=True)
class Look:
    """Another person.

    skin: (3,), the face's colour in CIELAB. chroma: factor of the colours' distance from skin
    (redder or paler lips). warp: (96, 96, 2) float32, from where each pixel is taken, x and y.
    light: (96, 96, 1) float32, by which pixels are multiplied.
    """

    skin: NDArray[np.float64]
    chroma: float
    warp: Array
    light: Array

    def worn(self, pictures: Squares, skin: NDArray[np.float64]) -> Squares:
        """Frames (T, 96, 96, 3) of a clip whose skin is `skin` (`skin_of`), as of this person."""
        across, down = (np.ascontiguousarray(self.warp[..., axis]) for axis in (0, 1))
        worn = np.empty_like(pictures)
        for target, picture in zip(worn, pictures, strict=True):
            cv2.remap(
                picture,
                across,
                down,
                cv2.INTER_LINEAR,
                dst=target,
                borderMode=cv2.BORDER_REPLICATE,
            )
        lab = np.asarray(cv2.cvtColor(worn.reshape(-1, SIDE, 3), cv2.COLOR_RGB2LAB), dtype=np.uint8)
        coloured = cv2.cvtColor(self._coloured(lab, skin), cv2.COLOR_LAB2RGB)
        lit = coloured.reshape(pictures.shape) * self.light
        return np.asarray(np.minimum(lit, 255.0), dtype=np.uint8)

    def _coloured(self, lab: NDArray[np.uint8], skin: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Moves skin to this person's in 8-bit CIELAB, and less what is unlike skin, as teeth."""
        levels = np.arange(256.0)
        own, wanted = _as_bytes(skin), _as_bytes(self.skin)
        power = np.log(wanted[0] / 255.0) / np.log(own[0] / 255.0)
        curve = 255.0 * (levels / 255.0) ** power
        # Lips, redder than skin, darken with it; teeth, eyes and cloth are less red or yellow.
        paler = [np.maximum(one - levels, 0.0) for one in own[1:]]
        apart = paler[0][:, None] ** 2 + paler[1][None, :] ** 2
        share = 0.2 + 0.8 * np.exp(-np.log(2.0) * apart / SAME_CHROMA**2)  # (256, 256) by a, b
        a, b = lab[..., 1], lab[..., 2]
        part = share.astype(np.float32)[a, b]
        lightness = lab[..., 0].astype(np.float32)
        lightness += part * (curve.astype(np.float32)[lab[..., 0]] - lightness)
        spread = self.chroma * min(1.0, wanted[0] / own[0])  # dark colours are less colourful
        moved = [lightness]
        for channel, at in ((a, 1), (b, 2)):
            to = (wanted[at] + spread * (levels - own[at])).astype(np.float32)
            plain = channel.astype(np.float32)
            moved.append(plain + part * (to[channel] - plain))
        return np.asarray(np.clip(np.stack(moved, axis=-1) + 0.5, 0, 255), dtype=np.uint8)


def look(random: np.random.Generator) -> Look:
    """The person that is drawn next."""
    place = random.uniform(0, len(_SKIN) - 1)
    skin = [float(np.interp(place, np.arange(len(_SKIN)), channel)) for channel in _SKIN.T]
    return Look(
        skin=np.array(skin) + random.normal(0.0, [2.0, 1.5, 2.0]),
        chroma=float(np.exp(random.uniform(-0.5, 0.4))),
        warp=_warp(random),
        light=_light(random),
    )


def skin_of(pictures: Squares) -> NDArray[np.float64]:
    """The skin's colour in a clip (T, 96, 96, 3), (3,) CIELAB: the median of the middle."""
    middle = np.ascontiguousarray(pictures[::EVERY, 16:80, 16:80])
    lab = cv2.cvtColor(middle.reshape(-1, 64, 3), cv2.COLOR_RGB2LAB)
    lightness, a, b = np.median(lab.reshape(-1, 3), axis=0)
    # Far from black and white, where the curve of lightness would be too steep.
    return np.array([np.clip(lightness / 2.55, 8.0, 92.0), a - 128.0, b - 128.0])


def _as_bytes(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB as OpenCV's 8-bit values."""
    return np.array([lab[0] * 2.55, lab[1] + 128.0, lab[2] + 128.0])


def _warp(random: np.random.Generator) -> Array:
    """A smooth map from (96, 96) to places in the stored square; never folded."""
    knots = random.normal(0.0, 2.6, (KNOTS, KNOTS, 2)).clip(-FARTHEST, FARTHEST)
    field = cv2.resize(knots.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    field = cv2.GaussianBlur(field, (0, 0), 6.0)
    steps = np.arange(SIDE, dtype=np.float32)
    across, down = np.meshgrid(steps, steps)
    return np.asarray(np.dstack([across, down]) + field, dtype=np.float32)


def _light(random: np.random.Generator) -> Array:
    """A factor for each pixel, (96, 96, 1): a slope of light and soft patches, 1 on average."""
    steps = np.linspace(-1.0, 1.0, SIDE)
    turn, strength = random.uniform(0.0, 2.0 * np.pi), random.uniform(0.0, 0.45)
    slope = strength * (np.cos(turn) * steps[None, :] + np.sin(turn) * steps[:, None])
    patches = random.normal(0.0, 0.12, (KNOTS, KNOTS)).astype(np.float32)
    soft = cv2.resize(patches, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    factor = np.exp(slope + soft)
    return np.asarray(factor / factor.mean(), dtype=np.float32)[:, :, None]
