"""Paints hair: a mask from hairline and style, strands from the parting, a band of light."""

from __future__ import annotations

import cv2
import numpy as np

from bench.data.synth.identity import Look
from bench.data.synth.surface import SIZE, Array, linear, mix, noise, step

COVERS_EARS = frozenset({"bob", "long", "parted_long", "fringe"})


def _strands(look: Look, x: Array, y: Array, rng: np.random.Generator, *, fall: float) -> Array:
    """Strand noise (SIZE, SIZE), mean about 0, sd about 1, fine across the hair and long along it.

    fall: 0 for hair that radiates from the parting, 1 for hair that hangs down.
    """
    grain = rng.standard_normal((160, 1400)).astype(np.float32)
    fine = cv2.GaussianBlur(grain, (0, 0), 1.1, sigmaY=9.0)
    broad = noise(rng, (5, 70), (160, 1400))
    sheet = np.asarray(fine / np.std(fine) * 0.7 + broad * 0.5, np.float32)
    away_x, away_y = x - look.parting * 0.8, y + 1.22
    angle = np.arctan2(away_x, -away_y - 0.02)
    length = np.hypot(away_x, away_y)
    bend = look.hair_wave * 0.05 * np.sin(5.0 * y + 2.0 * np.sign(x)) * fall
    across = (1.0 - fall) * (angle / (2 * np.pi) + 0.5) * 1.0 + fall * ((x + bend) / 5.0 + 0.5)
    map_x = (across * 1390.0 + 30.0 * (1 - fall) * np.sin(length * 4) * look.hair_wave * 0.3) % 1399
    map_y = np.clip(length * 50.0, 0, 158)
    found = cv2.remap(sheet, map_x.astype(np.float32), map_y.astype(np.float32), cv2.INTER_LINEAR)
    # at the parting, where strands meet, they are too fine to see
    seen = step(0.02, 0.55, length) * (1.0 - fall) + fall
    return np.asarray(found * (0.25 + 0.75 * seen), np.float32)


def _coloured(look: Look, strands: Array, shade: Array, band: Array) -> Array:
    """Hair of this colour (SIZE, SIZE, 3) in linear light."""
    base = linear(look.hair) * 1.15 + 0.006
    tone = np.clip(shade * (1.0 + 0.30 * strands), 0.08, 3.0)
    sheen = np.clip(band * (0.75 + 0.35 * strands), 0.0, None)
    warm = np.array([1.0, 0.93, 0.86], np.float32)
    glow = (0.05 + 0.55 * base) * sheen[..., None] * warm
    return np.asarray(base * tone[..., None] + glow, np.float32)


def _hairline(look: Look, x: Array) -> Array:
    """The y of the hairline at each x; the face is visible below it."""
    line = look.hairline + 0.22 * x**2 + 1.05 * np.abs(x / 0.955) ** 9
    style = look.hair_style
    if style == "receding":
        line = line - 0.16 - 0.16 * np.exp(-(((np.abs(x) - 0.45) / 0.2) ** 2))
    elif style in ("parted", "parted_long"):
        line = line - 0.10 * np.exp(-(((x - look.parting) / 0.16) ** 2))
        line = line + 0.12 * step(0.0, 0.9, -np.sign(look.parting) * x)
    elif style == "swept":
        line = line - 0.05
    elif style == "tousled":
        line = line + 0.12 + 0.05 * np.sin(9 * x + 3 * look.parting) + 0.03 * np.sin(23 * x)
    elif style in ("fringe", "bob"):
        drop = 0.44 if style == "fringe" else 0.36 * step(-0.9, 0.9, -np.sign(look.parting) * x)
        line = line + drop * step(0.98, 0.7, np.abs(x)) + 0.02 * np.sin(31 * x)
    return np.asarray(line, np.float32)


def paint_hair(
    pixels: Array,
    alpha: Array,
    look: Look,
    x: Array,
    y: Array,
    inside: Array,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Paints the hair of the head over the face; returns pixels and alpha."""
    style = look.hair_style
    volume = look.hair_volume * {"buzz": 0.25, "receding": 0.4, "tied": 0.6}.get(style, 1.0)
    strands = _strands(look, x, y, rng, fall=0.0)
    up = np.clip(-(y + 0.1) / 1.3, 0.0, 1.0)
    ragged = 0.012 * strands * (2.2 if style == "tousled" else 1.0)
    outer = 1.0 + volume * (0.35 + 0.65 * up**0.7) + ragged * (0.4 if style == "buzz" else 1.0)
    side_end = {"bob": 1.2, "long": 1.5, "parted_long": 1.5, "fringe": 1.35}.get(style, 0.06)
    cover = step(0.02, -0.02, inside - outer)
    line = _hairline(look, x)
    soft = 0.09 if style in ("buzz", "receding") else 0.045
    above = step(soft, -soft, y - line - 0.03 * strands)
    ear_free = step(side_end + 0.06, side_end - 0.06, y)
    if side_end > 1.0:
        # strands that frame the face
        edge = 0.90 - 0.06 * np.sin(2.2 * y) - 0.14 * step(0.9, 1.5, y)
        frame = step(-0.03, 0.03, np.abs(x) - edge - 0.015 * strands) * step(-0.5, 0.0, y)
        above = np.maximum(above, frame)
    mask = cover * above * ear_free
    dome = np.clip(1.0 - (inside / 1.25) ** 2, 0.05, 1.0) ** 0.5
    side = 1.0 + 0.35 * look.contrast * np.clip(x * look.light_x, -0.8, 0.8)
    shade = (0.45 + 0.75 * dome * (0.6 + 0.4 * up)) * side
    from_top = np.hypot(x - 0.35 * look.light_x, (y + 1.30) * 1.15)
    band = 0.55 * np.exp(-(((from_top - 0.36) / 0.15) ** 2)) * step(0.0, -0.7, y)
    hair = _coloured(look, strands, shade, band * (0.4 if style == "buzz" else 1.0))
    # the hair's shadow on the skin next to it
    near = cv2.GaussianBlur(mask, (0, 0), 7.0)
    pixels = pixels * (1.0 - 0.42 * (near * (1 - mask) * alpha)[..., None])
    if style == "buzz":
        mask = mask * (0.80 + 0.10 * np.clip(strands, -1, 1))
        return mix(pixels, hair, mask * (inside < 1.2)), np.maximum(alpha, mask)
    # outside the face there is only hair: its colour must not mix with the pixels below
    lay = np.where(alpha > 0.05, mask, (mask > 0.003).astype(np.float32))
    return mix(pixels, hair, lay.astype(np.float32)), np.maximum(alpha, mask)


def paint_back_hair(
    pixels: Array, alpha: Array, look: Look, x: Array, y: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Paints the hair behind the face: long hair beside the neck, a bob, a bun."""
    end = {"bob": 1.42, "long": 2.22, "parted_long": 2.1, "fringe": 1.75}.get(look.hair_style)
    if look.hair_style == "tied":
        bun = np.hypot(x / 0.42, (y + 1.62) / 0.26)
        mask = step(1.03, 0.95, bun) * (look.hair_wave > 0.5)
        strands = _strands(look, x, y, rng, fall=0.0)
        dome = np.sqrt(np.clip(1.1 - bun**2, 0.02, 1.0))
        hair = _coloured(look, strands, 0.4 + 0.5 * dome, np.zeros((SIZE, SIZE), np.float32))
        return _behind(pixels, alpha, hair, mask.astype(np.float32))
    if end is None:
        return pixels, alpha
    strands = _strands(look, x, y, rng, fall=1.0)
    wave = 0.03 * look.hair_wave * np.sin(4.5 * y + x)
    wide = 1.03 + 0.75 * look.hair_volume + 0.12 * step(0.0, 1.3, y) + wave
    # above the eyes the hair follows the head
    wide = wide * np.sqrt(np.clip(1.0 - (np.minimum(y, 0.0) / 1.6) ** 2, 0.0, 1.0))
    wide = wide - 0.25 * step(end - 0.35, end + 0.1, y) * (look.hair_style == "bob")
    inner = 0.30 + 0.32 * step(1.2, 1.7, y) + wave
    mask = step(0.03, -0.03, np.abs(x) - wide - 0.02 * strands)
    mask = mask * step(-0.04, 0.04, np.abs(x) - inner * step(0.9, 1.3, y) - 0.02 * strands)
    mask = mask * step(-1.0, -0.8, y) * step(end + 0.05, end - 0.06, y + 0.05 * strands)
    deep = 0.42 + 0.55 * step(0.72, 1.02, np.abs(x))
    side = 1.0 + 0.3 * look.contrast * np.clip(x * look.light_x, -0.8, 0.8)
    band = 0.22 * np.exp(-(((y - 0.35) / 0.22) ** 2)) * step(0.85, 1.05, np.abs(x))
    hair = _coloured(look, strands, deep * side, band)
    return _behind(pixels, alpha, hair, mask.astype(np.float32))


def _behind(pixels: Array, alpha: Array, hair: Array, mask: Array) -> tuple[Array, Array]:
    """The hair with the existing pixels laid over it; and the joint alpha."""
    total = np.maximum(alpha + mask * (1.0 - alpha), 1e-6)
    mixed = pixels * alpha[..., None] + hair * (mask * (1.0 - alpha))[..., None]
    visible = (alpha + mask > 0.002)[..., None]
    return (
        np.asarray(np.where(visible, mixed / total[..., None], hair), np.float32),
        np.asarray(total, np.float32),
    )
