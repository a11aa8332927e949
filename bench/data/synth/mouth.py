"""The mouth: lips, teeth, tongue and cavity, drawn on the head's texture per frame.

Every edge is a curve y(s) over the mouth's width, so a mouth takes a few array operations on a
small patch. Upper teeth stay with the skull; lower teeth and tongue move with the jaw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.synth.identity import Look
from bench.data.synth.surface import (
    CENTRE,
    UNIT,
    Array,
    as_pixels,
    from_pixels,
    linear,
    noise,
    step,
)
from bench.data.synth.visemes import Shape

JAW_DROP = 0.235  # by which the lower lip falls at jaw 1, in half face widths

# The patch in face units, from the mouth's centre.
_LEFT, _TOP, _RIGHT, _BOTTOM = -0.62, -0.27, 0.62, 0.53


@dataclass(frozen=True)
class Edges:
    """The mouth's curves in one frame, each (width,), in face units below the mouth line."""

    upper_outer: Array
    upper_inner: Array
    lower_inner: Array
    lower_outer: Array
    half_width: float
    jaw: float  # by which the lower teeth have moved down

    @property
    def opening(self) -> float:
        """The largest distance between the lips, in face units."""
        return float((self.lower_inner - self.upper_inner).max())


def lip_edges(look: Look, x: Array, shape: Shape) -> Edges:
    """The curves of the lips over x (width,), in face units, for this mouth shape."""
    half = look.mouth_width * (
        1.0 + 0.20 * shape.spread - 0.36 * shape.round - 0.07 * shape.jaw + 0.03 * shape.press
    )
    s = np.clip(x / half, -1.0, 1.0)
    square = s * s
    # rounded openings are ellipses that end well before the corners
    inner_half = 1.0 - 0.30 * shape.round - 0.04
    t = np.clip(x / (half * inner_half), -1.0, 1.0)
    lens = (1.0 - t * t) ** max(0.5, 1.05 - 0.5 * shape.round - 0.28 * shape.jaw)
    free = 1.0 - shape.close
    rise = free * (0.018 * shape.jaw + 0.062 * shape.upper + 0.020 * shape.round * shape.jaw)
    jaw = JAW_DROP * shape.jaw
    fall = free * (jaw + 0.062 * shape.lower + 0.022 * shape.round)
    # a tucked lip is at the edge of the upper teeth, wherever the jaw is
    fall += (0.024 - fall) * shape.tuck
    corner = look.mouth_corner * square * (1.0 + 0.6 * shape.spread) + 0.42 * fall * square * (
        1 - 0.55 * shape.round
    ) * (1.0 - free * 0.2)
    cupid = 0.012 * np.exp(-((s / 0.20) ** 2)) - 0.006 * np.exp(-(((np.abs(s) - 0.4) / 0.2) ** 2))
    line = corner + cupid * (1.0 - 0.5 * shape.round)
    upper_inner = line - rise * lens
    lower_inner = line * (1.0 - 0.6 * min(1.0, fall * 12)) + fall * lens
    lower_inner = np.maximum(lower_inner, upper_inner)
    plump = 1.0 + 0.30 * shape.round - 0.12 * shape.spread - 0.30 * shape.press
    upper = look.upper_lip * plump * (1.0 - 0.10 * shape.jaw - 0.12 * shape.upper)
    lower = look.lower_lip * plump * (1.0 - 0.10 * shape.jaw) * (1.0 - 0.45 * shape.tuck)
    bow = (1.0 - np.abs(s) ** 1.9) ** 0.95 * (
        1.0 - 0.20 * np.exp(-((s / 0.13) ** 2)) * (1 - 0.4 * shape.round)
    )
    belly = (1.0 - np.abs(s) ** 2.3) ** 0.85
    return Edges(
        upper_outer=(upper_inner - upper * bow).astype(np.float32),
        upper_inner=upper_inner.astype(np.float32),
        lower_inner=lower_inner.astype(np.float32),
        lower_outer=(lower_inner + lower * belly).astype(np.float32),
        half_width=float(half),
        jaw=float(jaw),
    )


class MouthPainter:
    """Draws one person's mouth; created once per person."""

    def __init__(self, look: Look, mouth_y: float, rng: np.random.Generator) -> None:
        self.look = look
        self.x0 = round(_LEFT * UNIT + CENTRE[0])
        self.y0 = round((_TOP + mouth_y) * UNIT + CENTRE[1])
        self.width = round((_RIGHT - _LEFT) * UNIT)
        self.height = round((_BOTTOM - _TOP) * UNIT)
        self.x = ((np.arange(self.width) + self.x0 - CENTRE[0]) / UNIT).astype(np.float32)
        rows = (np.arange(self.height) + self.y0 - CENTRE[1]) / UNIT - mouth_y
        tilt = look.mouth_tilt * self.x / 0.35
        self.y = (rows[:, None] - tilt[None, :]).astype(np.float32)  # (height, width)
        self.crease = noise(rng, (1, 64), (1, 512))[0]
        self.mottle = 1.0 + 0.03 * noise(rng, (20, 30), (self.height, self.width))
        side = 1.0 + 0.28 * look.contrast * np.clip(self.x * look.light_x / 0.4, -1, 1)
        self.side = side.astype(np.float32)[None, :]
        self.key = 0.66 + 0.10 * (1.0 - look.contrast)

    def edges(self, shape: Shape) -> Edges:
        """The curves of the lips for this mouth shape."""
        return lip_edges(self.look, self.x, shape)

    def draw(self, texture: NDArray[np.uint8], shape: Shape) -> float:
        """Draws the mouth into texture (SIZE, SIZE, 3 or 4) uint8; returns the opening."""
        edges = self.edges(shape)
        look, y = self.look, self.y
        part = texture[self.y0 : self.y0 + self.height, self.x0 : self.x0 + self.width, :3]
        s = np.clip(self.x / edges.half_width, -1.0, 1.0)[None, :]
        skin = from_pixels(part)
        within = step(1.03, 0.95, np.abs(self.x / edges.half_width))[None, :]
        pixel = 1.2 / UNIT

        colour = self._inside(edges, shape, s)
        lips = self._lips(edges, shape, s)
        inner = _between(y, edges.upper_inner, edges.lower_inner, pixel * 0.9)
        lips += (colour - lips) * (inner * step(1.0, 0.90, np.abs(s)))[..., None]
        # a soft outer edge, softer for lips without lipstick
        edge = 0.016 + (0.004 if look.woman else 0.014)
        cover = _between(y, edges.upper_outer, edges.lower_outer, edge) * within
        strength = np.maximum(cover * (0.93 if look.woman else 0.86), inner * within)
        # light and shadow on the skin: a rim above the upper lip, a shadow below the lower one
        below = (y - edges.lower_outer - 0.045) / 0.035
        above = (y - edges.upper_outer + 0.020) / 0.016
        fade = (1.0 - s * s) * within
        tone = -0.20 * np.exp(-below * below) * fade + 0.06 * np.exp(-above * above) * fade
        # dimples at the corners
        corner_y = edges.upper_inner[np.argmin(np.abs(self.x - edges.half_width * 0.98))]
        dx = (np.abs(self.x)[None, :] - edges.half_width * 1.02) / (0.040 + 0.012 * shape.spread)
        dy = (y - corner_y) / 0.035
        tone -= (0.30 + 0.12 * max(shape.spread, 0.0)) * np.exp(-dx * dx - dy * dy)
        # folds of the cheeks deepen when the lips spread
        fold = (np.abs(self.x)[None, :] - 0.50 - 0.22 * y) / 0.035
        tone -= (
            0.10
            * max(shape.spread, 0.0)
            * np.exp(-fold * fold)
            * step(0.35, -0.1, np.abs(y + 0.05))
        )
        skin *= 1.0 + tone[..., None] * np.array([0.85, 1.0, 1.0], np.float32)
        skin += (lips - skin) * strength[..., None]
        part[...] = as_pixels(skin)
        return edges.opening

    def _inside(self, edges: Edges, shape: Shape, s: Array) -> Array:
        """Teeth, tongue and cavity, (height, width, 3) linear."""
        y, look = self.y, self.look
        pixel = 1.3 / UNIT
        x = self.x[None, :]
        deep = np.array([0.030, 0.006, 0.006], np.float32)
        red = np.array([0.10, 0.022, 0.020], np.float32)
        height = np.maximum(edges.lower_inner - edges.upper_inner, 1e-3)
        low = np.clip((y - edges.upper_inner) / height, 0.0, 1.0)
        colour = deep + (red - deep) * (low**2 * (1 - s * s))[..., None]
        arch = 1.0 - 0.55 * np.clip((x / 0.30) ** 2, 0, 1)
        shade = self.key * (1.0 - 0.80 * np.clip((x / 0.285) ** 2, 0, 1))
        # gaps between teeth, which look narrower towards the sides
        bend = np.arcsin(np.clip(x / 0.30, -1, 1)) * 0.30
        gaps = 0.10 * np.exp(-(((((bend / 0.072 + 0.5) % 1.0) - 0.5) / 0.09) ** 2))
        small = 0.10 * np.exp(-(((((bend / 0.056 + 0.5) % 1.0) - 0.5) / 0.10) ** 2))
        white = linear(look.teeth)
        gum = np.array([0.42, 0.13, 0.12], np.float32)

        tongue_top = edges.lower_inner - height * (0.30 + 0.10 * shape.jaw)
        lifted = 0.055 - 0.02 * s[0] ** 2
        tongue_top = tongue_top * (1 - shape.tongue) + lifted * shape.tongue
        tongue_top = tongue_top + 0.06 * s[0] ** 2 + 0.008 * np.exp(-((self.x / 0.03) ** 2))
        flesh = np.array([0.47, 0.125, 0.125], np.float32)
        hump = np.clip((y - tongue_top) / 0.09, 0.0, 1.0)
        light = 0.40 + 0.55 * np.sin(np.pi * np.clip(hump * 0.75 + 0.12, 0, 1))
        light = light * (1 - 0.45 * s * s) * (0.72 + 0.28 * shape.tongue)
        lay = step(-pixel, pixel, y - tongue_top) * step(1.0, 0.7, np.abs(x / 0.27))
        colour += (flesh * (light * self.key * 1.1)[..., None] - colour) * lay[..., None]

        lower_top = 0.052 - 0.024 * arch + edges.jaw * 1.02 - 0.01 + 0.02 * (1 - arch)
        lay = step(-pixel, pixel, y - lower_top) * step(0.26, 0.23, np.abs(x))
        under = 0.80 * shade * (1.0 - small)
        tooth = white * under[..., None]
        colour += (tooth - colour) * (lay * 0.95)[..., None]

        # rounded lips move forward and leave the teeth in the dark
        upper_edge = (0.004 + 0.030 * arch) * look.teeth_length - 0.036 * shape.round
        upper_edge = upper_edge - 0.002 * np.cos(bend / 0.072 * 2 * np.pi)
        gaps = gaps + 0.35 * shape.round
        # the upper lip shades the teeth; gums show only under a lip that is raised far
        shadow = 0.66 + 0.34 * step(0.0, 0.045, y - edges.upper_inner)
        tooth = white * (shade * shadow * (1.0 - gaps))[..., None]
        tooth += (gum * shade[..., None] - tooth) * step(-0.075, -0.095, y)[..., None]
        lay = step(pixel, -pixel, y - upper_edge) * step(0.30, 0.26, np.abs(x))
        if shape.tongue_out > 0.05:
            tip = step(-0.02, 0.02, y - 0.012) * step(0.20, 0.14, np.abs(x)) * shape.tongue_out
            lay = lay * (1.0 - tip)
            colour += (flesh * 0.8 * self.key - colour) * (tip * step(0.09, 0.05, y))[..., None]
        colour += (tooth - colour) * lay[..., None]
        # lips cast a shadow inside
        rim = np.minimum(y - edges.upper_inner, edges.lower_inner - y)
        return np.asarray(colour * (0.45 + 0.55 * step(0.0, 0.022, rim))[..., None], np.float32)

    def _lips(self, edges: Edges, shape: Shape, s: Array) -> Array:
        """The red of both lips (height, width, 3) linear."""
        y, look = self.y, self.look
        upper = np.clip(
            (y - edges.upper_outer) / np.maximum(edges.upper_inner - edges.upper_outer, 4e-3), 0, 1
        )
        lower = np.clip(
            (y - edges.lower_inner) / np.maximum(edges.lower_outer - edges.lower_inner, 4e-3), 0, 1
        )
        middle = (edges.upper_inner + edges.lower_inner) * 0.5
        is_upper = step(0.004, -0.004, y - middle)
        at = np.clip((s[0] * 0.5 + 0.5) * 500.0, 0, 510).astype(np.int32)
        crease = 1.0 + 0.045 * self.crease[at] * (1.0 + 0.5 * shape.round + 0.5 * shape.press)
        bright_upper = 0.80 - 0.24 * upper**1.5 + 0.05 * np.exp(-(((upper - 0.1) / 0.12) ** 2))
        bulge = np.exp(-(((lower - 0.42) / 0.26) ** 2))
        bright_lower = 0.66 + 0.36 * bulge - 0.14 * step(0.75, 1.0, lower)
        bright_lower = bright_lower - 0.22 * step(0.14, 0.0, lower)
        shade = is_upper * bright_upper + (1 - is_upper) * bright_lower
        shade = shade * crease[None, :] * self.mottle * self.side * (1.0 - 0.16 * s * s)
        # the line where the lips touch
        seam = np.exp(-(((y - middle) / 0.011) ** 2)) * step(
            0.02, 0.0, edges.lower_inner - edges.upper_inner
        )
        shade = shade * (1.0 - 0.72 * seam * step(1.0, 0.9, np.abs(s)))
        colour = linear(look.lip) * (shade * 1.08)[..., None]
        spot = np.exp(-((s / 0.42) ** 2)) * np.exp(-(((lower - 0.40) / 0.13) ** 2)) * (1 - is_upper)
        bow = np.exp(-(((np.abs(s) - 0.2) / 0.16) ** 2)) * np.exp(-(((upper - 0.28) / 0.14) ** 2))
        shine = look.lip_gloss * (0.22 * spot + 0.08 * bow * is_upper) * np.clip(crease, 0.8, 1.2)
        shine = shine * (1.0 + 0.4 * shape.round)
        return np.asarray(colour + shine[..., None], np.float32)


def _between(y: Array, top: Array, bottom: Array, soft: float) -> Array:
    """1 where top < y < bottom, with soft edges; 0 where the curves touch."""
    inside = np.minimum(y - top, bottom - y)
    room = np.clip((bottom - top) / (2.0 * soft), 0.0, 1.0)
    return step(-soft * 0.5, soft * 0.5, inside) * room


def displacement(look: Look, mouth_y: float, x: Array, y: Array) -> dict[str, Array]:
    """How "jaw", "spread" and "brow" move the skin: fields (..., 2) in face units at weight 1."""
    chin = step(mouth_y - 0.06, mouth_y + 0.26, y) * (1.0 - 0.75 * step(0.55, 1.0, np.abs(x)))
    cheek = step(0.45, mouth_y + 0.1, y) * step(mouth_y + 0.5, mouth_y + 0.2, y)
    narrow = -0.035 * x * np.exp(-(((np.abs(x) - 0.62) / 0.28) ** 2)) * cheek
    jaw = np.stack([narrow, JAW_DROP * 0.92 * chin], axis=-1)
    near = np.exp(-(((np.abs(x) - 0.46) / 0.24) ** 2) - ((y - mouth_y) / 0.28) ** 2)
    spread = np.stack([0.05 * np.sign(x) * near, -0.022 * near], axis=-1)
    above = np.exp(-(((y - look.brow_height) / 0.17) ** 2)) * step(0.85, 0.6, np.abs(x))
    brow = np.stack([np.zeros_like(x), -0.055 * above], axis=-1)
    return {
        "jaw": jaw.astype(np.float32),
        "spread": spread.astype(np.float32),
        "brow": brow.astype(np.float32),
    }
