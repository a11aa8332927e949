"""The eyes: eyeballs between two lid curves, drawn on the head's texture per frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.data.synth.identity import Look
from bench.data.synth.surface import CENTRE, UNIT, Array, as_pixels, from_pixels, linear, step

_HALF_X, _UP, _DOWN = 0.28, 0.19, 0.14  # the patch around an eye, in face units
_CONVERGENCE = 0.012  # eyes that look into a camera turn slightly inwards


def lid_edges(
    look: Look, s: Array, *, gaze_y: float, blink: float, wide: float
) -> tuple[Array, Array, Array, Array, Array]:
    """The curves of an eye's lids over s, -1 at the nose and 1 at the temple, in face units.

    Gives the corners' tilt, the upper lid's arch (0 to 1), the upper lid as it were without the
    blink, the upper and the lower lid, each of the shape of s, y from between the eyes.
    """
    tilt = -look.eye_tilt * s
    # the upper lid peaks near the nose, the lower one sags near the temple
    arch = np.clip(1.0 - np.abs(s + 0.10 * (1 - s * s)) ** 2.1, 0, 1) ** 0.85
    sag = np.clip(1.0 - np.abs(s - 0.15 * (1 - s * s)) ** 2.2, 0, 1) ** 0.9
    opening = look.eye_opening * (1.0 + 0.18 * wide)
    upper_open = tilt - opening * arch + 0.5 * gaze_y * arch
    lower = tilt + 0.058 * sag * (1 - 0.25 * blink)
    upper = upper_open + (lower - upper_open) * (blink * 0.96)
    return tilt, arch, upper_open, upper, lower


class EyePainter:
    """Draws one person's eyes; created once per person."""

    def __init__(self, look: Look, rng: np.random.Generator) -> None:
        self.look = look
        self.iris_seed = rng.standard_normal(64).astype(np.float32)
        self.height = round((_UP + _DOWN) * UNIT)
        self.width = round(2 * _HALF_X * UNIT)

    def draw(
        self, texture: NDArray[np.uint8], *, gaze: tuple[float, float], blink: float, wide: float
    ) -> None:
        """Draws both eyes into texture (SIZE, SIZE, 3 or 4) uint8.

        gaze: the irises' offset, in face units. blink: 0 open, 1 shut. wide: how far the brows pull
        the lids.
        """
        for side in (-1.0, 1.0):
            x0 = round((side * self.look.eye_distance - _HALF_X) * UNIT + CENTRE[0])
            y0 = round(-_UP * UNIT + CENTRE[1])
            part = texture[y0 : y0 + self.height, x0 : x0 + self.width, :3]
            x = (np.arange(self.width) + x0 - CENTRE[0]) / UNIT - side * self.look.eye_distance
            y = (np.arange(self.height) + y0 - CENTRE[1]) / UNIT
            self._draw_one(
                part,
                (x * side).astype(np.float32)[None, :],
                y.astype(np.float32)[:, None],
                (gaze[0] * side - _CONVERGENCE, gaze[1]),
                blink,
                wide,
                side,
            )

    def _draw_one(
        self,
        part: NDArray[np.uint8],
        x: Array,
        y: Array,
        gaze: tuple[float, float],
        blink: float,
        wide: float,
        side: float,
    ) -> None:
        """One eye; x grows towards the temple."""
        look = self.look
        skin = from_pixels(part)
        s = np.clip(x / look.eye_width, -1.0, 1.0)
        lids = lid_edges(look, s, gaze_y=gaze[1], blink=blink, wide=wide)
        tilt, arch, upper_open, upper, lower = lids
        pixel = 1.2 / UNIT
        within = step(1.02, 0.97, np.abs(x / look.eye_width))

        away = np.sqrt((x - gaze[0]) ** 2 + (y - gaze[1] - 0.012 + 0.018) ** 2)
        white = np.array([0.60, 0.545, 0.52], np.float32) * (1.0 - 0.45 * s * s)[..., None]
        red = np.exp(-(((s + 0.92) / 0.12) ** 2))  # the inner corner
        ball = white + (np.array([0.52, 0.20, 0.18], np.float32) - white) * red[..., None] * 0.8
        ball = np.broadcast_to(ball, skin.shape).copy()
        angle = np.arctan2(y - gaze[1], x - gaze[0])
        rays = self.iris_seed[((angle / (2 * np.pi) + 0.5) * 63).astype(np.int32)]
        radius = 0.104
        colour = linear(look.eye) * 1.25
        ring = 1.0 + 0.18 * rays - 0.55 * step(0.70, 1.0, away / radius)
        ring = ring + 0.9 * step(-0.4, 1.0, (y - gaze[1]) / radius) * step(1.0, 0.5, away / radius)
        iris = colour * np.clip(ring, 0.15, 3.0)[..., None]
        ball += (iris - ball) * step(radius + pixel, radius - pixel, away)[..., None]
        ball *= 1.0 - step(0.046 + pixel, 0.046 - pixel, away)[..., None] * 0.95
        spot_x = x - gaze[0] * 0.7 - 0.034 * np.sign(look.light_x) * side
        spot = np.exp(-((spot_x / 0.019) ** 2) - ((y - gaze[1] + 0.038) / 0.019) ** 2)
        small = np.exp(
            -(((spot_x + 0.05 * side) / 0.012) ** 2) - ((y - gaze[1] - 0.03) / 0.012) ** 2
        )
        # the upper lid and its lashes shade the ball
        ball *= (0.42 + 0.58 * step(0.0, 0.075, y - upper))[..., None]
        ball += (0.85 * spot + 0.18 * small)[..., None]

        gap = np.minimum(y - upper, lower - y)
        cover = step(-pixel * 0.7, pixel * 0.9, gap) * within
        shade = 1.0 - 0.75 * blink
        crease = (
            y - (upper_open + (tilt - upper_open) * 0.15 * blink) + 0.045 + 0.02 * (1 - arch)
        ) / 0.013
        fold = np.exp(-crease * crease) * step(1.05, 0.7, np.abs(s)) * 0.42 * shade
        below = np.exp(-(((y - lower - 0.035) / 0.016) ** 2)) * step(1.0, 0.6, np.abs(s)) * 0.12
        rim = np.exp(-(((y - lower - 0.008) / 0.008) ** 2)) * within * 0.15
        skin *= 1.0 - (fold + below)[..., None] * np.array([0.8, 1.0, 1.0], np.float32)
        skin += rim[..., None] * 0.35 * np.array([1.0, 0.75, 0.7], np.float32) * skin.mean()
        skin += (ball - skin) * cover[..., None]
        thick = 0.013 + 0.010 * look.lash + 0.008 * step(0.2, 1.0, s) * look.lash
        lash = step(thick, thick * 0.35, np.abs(y - upper + thick * 0.45))
        lash = (
            lash
            * step(1.10, 0.96, np.abs(s * 0.985))
            * step(1.10, 0.99, np.abs(x / look.eye_width))
        )
        under = np.exp(-(((y - lower) / 0.008) ** 2)) * within * (0.16 + 0.22 * look.lash)
        dark = np.array([0.016, 0.011, 0.010], np.float32)
        skin += (dark - skin) * np.clip(lash * (0.78 + 0.2 * look.lash), 0, 1)[..., None]
        skin += (dark - skin) * (under * 0.8)[..., None]
        part[...] = as_pixels(skin)
