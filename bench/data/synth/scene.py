"""Paints what does not move: background, neck, shoulders and clothes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.data.synth.identity import Look
from bench.data.synth.surface import SIZE, UNIT, Array, linear, lit, mix, noise, step, to_srgb


def paint_scene(
    look: Look, *, head: tuple[float, float], scale: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The frame without the head (256, 256, 3) uint8.

    head: the pixel between the eyes at rest; scale: pixels of the frame per half face width.
    """
    rows, columns = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    x = (columns / 2 - head[0]) / scale
    y = (rows / 2 - head[1]) / scale
    light = _background(look, columns / SIZE, rows / SIZE, rng)
    light = _neck(light, look, x, y, rng)
    light = _clothes(light, look, x, y, rng)
    small = cv2.resize(light, (SIZE // 2, SIZE // 2), interpolation=cv2.INTER_AREA)
    return to_srgb(np.asarray(small, np.float32))


def _background(look: Look, across: Array, down: Array, rng: np.random.Generator) -> Array:
    """One of four blurred backgrounds: a lit wall, a studio screen, window light, bokeh."""
    colour = linear(look.background_colour)
    soft = 1.0 + 0.12 * noise(rng, (4, 4), (SIZE, SIZE))
    light = colour * soft[..., None]
    if look.background == 0:
        glow = np.exp(
            -(((across - 0.5 - 0.2 * look.light_x) / 0.45) ** 2 + ((down - 0.4) / 0.5) ** 2)
        )
        light = light * (0.55 + 0.75 * glow)[..., None]
    elif look.background == 1:
        other = colour[[2, 0, 1]] * 0.7
        edge = float(rng.uniform(0.25, 0.75))
        panel = step(edge - 0.05, edge + 0.05, across + 0.12 * down)
        light = mix(light, np.broadcast_to(other, light.shape).astype(np.float32), 0.55 * panel)
        for _ in range(3):
            at, wide = float(rng.random()), float(rng.uniform(0.01, 0.03))
            bar = np.exp(-(((down - at - 0.1 * across) / wide) ** 2))
            light = light + (0.16 * bar)[..., None] * (colour * 1.5 + 0.1)
    elif look.background == 2:
        side = float(rng.choice([0.0, 1.0]))
        window = np.exp(-(((across - side) / 0.35) ** 2)) * step(1.1, 0.3, down)
        frame = 1.0 - 0.5 * np.exp(-(((((across * 3.1) % 1.0) - 0.5) / 0.08) ** 2))
        light = light * 0.8 + (0.5 * window * frame)[..., None] * np.array(
            [0.9, 0.95, 1.0], np.float32
        )
    else:
        light = light * 0.5
        for _ in range(14):
            cx, cy, size = rng.random(), rng.random(), rng.uniform(0.03, 0.09)
            disc = step(size, size * 0.75, np.hypot(across - cx, down - cy).astype(np.float32))
            hue = linear(tuple(float(v) for v in rng.uniform(90, 230, 3)))  # type: ignore[arg-type]
            light = light + disc[..., None] * hue * 0.28
    light = cv2.GaussianBlur(light.astype(np.float32), (0, 0), 7.0)
    grain = 1.0 + 0.012 * noise(rng, (128, 128), (SIZE, SIZE))
    return np.asarray(light * grain[..., None], np.float32)


def _neck(under: Array, look: Look, x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Paints the neck with the chin's shadow."""
    chin = 1.56 * look.face_length
    half = (
        (0.52 if look.woman else 0.64)
        + 0.10 * step(chin + 0.15, chin + 0.75, y)
        + 0.55 * step(chin + 0.35, chin + 1.0, y) ** 2
    )
    inside = np.abs(x) / half
    height = 0.5 * half * np.sqrt(np.clip(1.0 - inside**2.2, 0.0, 1.0))
    cords = 0.03 * np.exp(-(((np.abs(x) - 0.12 - 0.16 * (chin + 0.6 - y)) / 0.07) ** 2))
    albedo = linear(look.skin) * (0.97 + 0.02 * noise(rng, (30, 30), (SIZE, SIZE)))[..., None]
    skin = lit(
        albedo.astype(np.float32),
        (height + cords).astype(np.float32),
        light=(look.light_x, look.light_y),
        contrast=look.contrast,
        gloss=0.2,
        bleed=0.7,
    )
    throat = x - 0.10 * -look.light_x
    shadow = 0.62 * step(chin + 0.50, chin + 0.02, y + 0.35 * throat**2)
    skin = skin * (1.0 - shadow[..., None] * np.array([0.88, 1.0, 1.0], np.float32))
    return mix(under, skin, step(1.02, 0.97, inside) * step(0.6, 0.9, y))


def _clothes(under: Array, look: Look, x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Paints the shoulders in one of the four CLOTHES."""
    base = 1.56 * look.face_length
    wide = 1.75 if look.woman else 2.0
    reach = np.clip(np.abs(x) / wide, 0.0, 1.3)
    shoulder = base + 0.30 + 0.06 * reach + 0.50 * reach**3.0
    slope = np.clip((np.abs(x) - 0.45) / 0.4, 0, 1)
    top = shoulder + 0.06 * (1 - slope)
    body = step(-0.015, 0.015, y - top)
    height = 0.30 * np.clip((y - top) / 0.9, 0.0, 1.0) ** 0.8 + 0.05 * noise(
        rng, (7, 6), (SIZE, SIZE)
    )
    weave = 1.0 + 0.05 * cv2.GaussianBlur(
        rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), 0.8
    )

    def cloth(colour: tuple[float, float, float], bumps: Array) -> Array:
        albedo = np.broadcast_to(linear(colour) * 0.9 + 0.004, under.shape) * weave[..., None]
        return lit(
            albedo.astype(np.float32),
            bumps.astype(np.float32),
            light=(look.light_x, look.light_y),
            contrast=look.contrast,
            gloss=0.03,
            bleed=0.0,
        )

    if look.cloth == "round_neck":
        hole = np.hypot(x / 0.70, (y - base - 0.12) / 0.48)
        rim = 0.02 * np.exp(-(((hole - 1.08) / 0.05) ** 2))
        return mix(under, cloth(look.cloth_colour, height + rim), body * step(0.985, 1.015, hole))
    if look.cloth == "sweater":
        main = cloth(look.cloth_colour, height)
        # a roll neck: ribs around the neck, with a fold at the bottom
        half = 0.60 if look.woman else 0.71
        rim = base + 0.20 + 0.08 * np.sqrt(np.clip(1.0 - (x / half) ** 2, 0.0, 1.0))
        roll = step(-0.012, 0.012, y - rim) * step(half + 0.012, half - 0.012, np.abs(x))
        roll = roll * step(-0.012, 0.012, rim + 0.36 - y)
        rib = 0.86 + 0.14 * np.sin(x * UNIT * 0.5)
        tube = 0.5 * half * np.sqrt(np.clip(1.0 - (x / half) ** 2, 0.0, 1.0))
        knit = cloth(look.cloth_colour, tube) * rib[..., None]
        fold = np.exp(-(((y - rim - 0.35) / 0.05) ** 2))
        knit = knit * (1.0 - 0.35 * fold)[..., None]
        return mix(mix(under, main, body), knit, roll)
    if look.cloth == "blouse":
        opening = 0.30 * np.clip((base + 0.95 - y) / 0.8, 0.0, 1.2)
        edge = np.abs(x) - opening
        lapel = 0.05 * np.exp(-(((edge - 0.12) / 0.10) ** 2))
        dressed = cloth(look.cloth_colour, height + lapel)
        dressed = dressed * (1.0 - 0.35 * np.exp(-(((edge - 0.20) / 0.02) ** 2)))[..., None]
        return mix(under, dressed, body * step(-0.015, 0.015, edge))
    # a suit: shirt and tie between lapels
    vee = 0.58 * np.clip((base + 1.55 - y) / 1.25, 0.0, 1.05)
    shirt = cloth(look.shirt_colour, height * 0.5)
    collar_edge = np.abs(x) - (0.10 + 0.62 * np.clip(base + 0.62 - y, 0.0, 1.0))
    shirt = (
        shirt * (1.0 - 0.30 * np.exp(-((collar_edge / 0.02) ** 2)) * (y < base + 0.66))[..., None]
    )
    tie_half = 0.085 + 0.035 * step(base + 0.60, base + 0.75, y) + 0.02 * (y - base)
    tie = step(0.012, -0.012, np.abs(x) - tie_half) * step(base + 0.48, base + 0.51, y)
    stripe = 1.0 + 0.22 * np.sign(np.sin((x + y) * 38.0)) * float(look.background % 2)
    tie_cloth = cloth(look.tie_colour, height * 0.3 + 0.25 * np.sqrt(np.clip(0.16 - x * x, 0, 1)))
    if not look.woman:
        shirt = mix(shirt, tie_cloth * stripe[..., None], tie)
        knot = np.exp(-(((y - base - 0.62) / 0.03) ** 2)) * tie
        shirt = shirt * (1.0 - 0.4 * knot)[..., None]
    neck_hole = np.hypot(x / 0.56, (y - base - 0.16) / (0.30 if not look.woman else 0.5))
    over_neck = step(-0.10, -0.05, y - shoulder - 0.06) * step(0.82, 0.72, np.abs(x))
    middle = body * step(0.95, 0.85, np.abs(x))
    dressed = mix(under, shirt, step(0.98, 1.02, neck_hole) * np.maximum(over_neck, middle))
    inside = np.abs(x) - vee
    lapel = 0.06 * np.exp(-(((inside - 0.10) / 0.12) ** 2))
    jacket = cloth(look.cloth_colour, height + lapel)
    notch = np.abs(inside - 0.26 - 0.1 * (y - base - 0.6)) / 0.012
    jacket = (
        jacket * (1.0 - 0.45 * np.exp(-(notch**2)) * step(base + 0.45, base + 0.6, y))[..., None]
    )
    jacket = jacket * (1.0 - 0.3 * np.exp(-((inside / 0.02) ** 2)))[..., None]
    return mix(dressed, jacket, body * step(-0.01, 0.012, inside))
