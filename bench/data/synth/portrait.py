"""Paints a person's head once: skin on a height field, nose, brows, hair, beard, glasses.

The head is a texture with alpha, which is bent and moved for each frame; mouth and eyes are drawn
on it per frame (mouth.py, eyes.py). Proportions follow facial anthropometry, in units of half the
face width from the point between the eyes: mouth line at 1.02, chin at 1.56.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.data.synth.hair import COVERS_EARS, paint_back_hair, paint_hair
from bench.data.synth.identity import Look
from bench.data.synth.surface import (
    CENTRE,
    SIZE,
    UNIT,
    Array,
    bump,
    grid,
    linear,
    lit,
    mix,
    noise,
    pair,
    step,
    to_srgb,
)

MOUTH_Y = 1.02  # where the lips meet, before scaling by `face_length`
CHIN_Y = 1.56

# The right half of the face's outline, from the top of the skull to the chin, in face units.
_OUTLINE = (
    (0.0, -1.42),
    (0.52, -1.31),
    (0.86, -0.90),
    (0.965, -0.35),
    (0.975, 0.15),
    (0.925, 0.62),
    (0.80, 1.04),
    (0.54, 1.38),
    (0.28, 1.53),
    (0.0, CHIN_Y),
)


@dataclass(frozen=True)
class Portrait:
    """The painted head.

    pixels: (SIZE, SIZE, 3) uint8 sRGB, not multiplied by alpha; alpha: (SIZE, SIZE) uint8.
    depth: (SIZE, SIZE) float32, larger where nearer, for the parallax of a turning head.
    over: (SIZE, SIZE, 4) uint8 sRGB and alpha, drawn over the eyes (glasses), or None.
    mouth_y: y of the mouth line in face units.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    depth: Array
    over: NDArray[np.uint8] | None
    mouth_y: float


def radius(look: Look, x: Array, y: Array) -> tuple[Array, Array]:
    """Each point's distance from the face's centre, and the outline's in the same direction."""
    from scipy.interpolate import CubicSpline

    points = np.array(_OUTLINE)
    below = np.clip((points[:, 1] - 0.3) / 0.8, 0.0, 1.0)
    points[:, 0] *= look.cheek_width * (1.0 + below * (look.jaw_width - 1.0))
    points[:, 1] = np.where(points[:, 1] > 0, points[:, 1] * look.face_length, points[:, 1])
    points[:, 1] -= 0.15
    angle = np.arctan2(points[:, 0], -points[:, 1])
    length = np.hypot(points[:, 0], points[:, 1])
    full_angle = np.concatenate([angle, 2 * np.pi - angle[-2::-1]])
    full_length = np.concatenate([length, length[-2::-1]])
    spline = CubicSpline(full_angle, full_length, bc_type="periodic")
    here = np.arctan2(x, -(y - 0.15)) % (2 * np.pi)
    return np.hypot(x, y - 0.15).astype(np.float32), spline(here).astype(np.float32)


def _height(look: Look, x: Array, y: Array, inside: Array) -> Array:
    """The face as a height field (SIZE, SIZE) in face units."""
    ears = look.eye_distance
    nose = look.nose_length
    wide = look.nose_width
    mouth = MOUTH_Y * look.face_length
    z = 0.80 * np.sqrt(np.clip(1.0 - inside**2.7, 0.0, 1.0))
    slope = np.clip((y + 0.10) / (nose + 0.04), 0.0, 1.0)
    ridge = look.nose_depth * (0.22 + 0.78 * slope**1.25) * step(-0.20, 0.02, y)
    ridge = ridge * step(nose + 0.05, nose - 0.10, y)
    z = z + ridge * np.exp(-((x / (0.085 + 0.075 * slope)) ** 2))
    z = z + 0.07 * bump(x, y, (0.0, nose - 0.11), (0.115, 0.10))
    z = z + 0.085 * pair(x, y, (wide * 0.78, nose - 0.075), (0.07, 0.075))
    z = z - 0.13 * pair(x, y, (ears - 0.02, -0.06), (0.25, 0.13))
    z = z - 0.05 * pair(x, y, (0.17, -0.02), (0.07, 0.12))
    z = z + 0.075 * pair(x, y, (ears, 0.0), (0.17, 0.10))
    z = z + 0.045 * pair(x, y, (0.36, -0.27), (0.30, 0.08)) * (0.7 if look.woman else 1.2)
    z = z + 0.07 * pair(x, y, (0.56, 0.40), (0.24, 0.22))
    z = z - 0.03 * pair(x, y, (0.66, 0.85), (0.16, 0.22))
    z = z + 0.07 * bump(x, y, (0.0, mouth), (0.36, 0.23))
    z = z - 0.012 * bump(x, y, (0.0, mouth - 0.20), (0.035, 0.10))
    z = z + 0.008 * pair(x, y, (0.07, mouth - 0.20), (0.03, 0.10))
    z = z - 0.05 * bump(x, y, (0.0, mouth + 0.215), (0.24, 0.055))
    z = z + 0.06 * bump(x, y, (0.0, CHIN_Y * look.face_length - 0.22), (0.20, 0.13))
    return np.asarray(z, np.float32)


def _albedo(look: Look, x: Array, y: Array, rng: np.random.Generator) -> Array:
    """The skin's albedo (SIZE, SIZE, 3), with blood, pores and freckles."""
    skin = linear(look.skin)
    albedo = np.broadcast_to(skin, (SIZE, SIZE, 3)).astype(np.float32)
    blood = (
        0.8 * pair(x, y, (0.56, 0.42), (0.26, 0.22))
        + 0.7 * bump(x, y, (0.0, look.nose_length - 0.1), (0.17, 0.14))
        + 0.35 * bump(x, y, (0.0, 1.36), (0.2, 0.12))
        + 0.5 * pair(x, y, (1.0, 0.2), (0.1, 0.3))
        + 0.15 * noise(rng, (9, 9), (SIZE, SIZE))
    )
    red = np.array([0.02, -0.16, -0.15], np.float32) * look.redness
    albedo = albedo * (1.0 + blood[..., None] * red)
    mottle = 0.018 * noise(rng, (24, 24), (SIZE, SIZE)) + 0.012 * noise(rng, (90, 90), (SIZE, SIZE))
    pores = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), 0.9)
    albedo = albedo * (1.0 + mottle + 0.035 * pores)[..., None]
    # thin skin below the eyes
    bags = pair(x, y, (look.eye_distance - 0.02, 0.13), (0.17, 0.055))
    albedo = albedo * (1.0 - bags[..., None] * np.array([0.10, 0.13, 0.10], np.float32))
    if look.freckles:
        dots = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), 1.6)
        where = pair(x, y, (0.38, 0.35), (0.36, 0.2)) + bump(x, y, (0, 0.35), (0.3, 0.2))
        albedo = albedo * (
            1
            - 0.35
            * look.freckles
            * (step(0.28, 0.45, np.asarray(dots, np.float32)) * where)[..., None]
        )
    return np.asarray(albedo, np.float32)


def _beard_mask(look: Look, x: Array, y: Array, inside: Array) -> Array:
    """Where a beard grows, (SIZE, SIZE) in 0..1: jaw, chin, upper lip."""
    mouth = MOUTH_Y * look.face_length
    jaw = step(mouth - 0.30, mouth + 0.12, y + 0.55 * (np.abs(x) - 0.55)) * step(1.08, 0.9, inside)
    jaw = jaw * step(0.35, 0.55, np.abs(x) + step(mouth + 0.02, mouth + 0.3, y))
    lip = bump(x, y, (0.0, mouth - 0.19), (0.34, 0.075))
    clear = 1.0 - bump(x, y, (0.0, mouth + 0.02), (0.36, 0.13))
    return np.asarray(np.clip(np.maximum(jaw, lip) * clear, 0.0, 1.0), np.float32)


def _paint_brows(pixels: Array, look: Look, rng: np.random.Generator) -> Array:
    """Paints brows with many short strokes."""
    cover = np.zeros((SIZE, SIZE), np.float32)
    for side in (-1.0, 1.0):
        start, end = look.eye_distance - 0.27, look.eye_distance + 0.27
        for _ in range(150):
            t = float(rng.random())
            arch = look.brow_arch * np.sin(np.pi * min(1.0, t * 1.25) * 0.72) * 1.6
            thick = look.brow_thickness * (1.0 - 0.55 * t) * (0.6 + 0.4 * min(1.0, t / 0.12))
            px = start + (end - start) * t
            py = look.brow_height + 0.018 - arch + 0.05 * max(0.0, t - 0.72) / 0.28
            py += thick * float(rng.uniform(-0.7, 0.7))
            lean = 0.9 - 0.9 * t + float(rng.normal(0, 0.15))
            long = 0.055 + 0.03 * float(rng.random())
            dx, dy = side * long * np.cos(lean), -long * np.sin(lean) * 0.7
            a = _pixel(side * px, py)
            b = _pixel(side * px + dx, py + dy)
            cv2.line(cover, a, b, 1.0, 1, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(cover, (0, 0), 1.1)
    base = cv2.GaussianBlur(cover, (0, 0), 3.5)
    alpha = np.clip(0.75 * soft + 0.55 * base, 0.0, 0.92) * (0.8 if look.woman else 0.95)
    return mix(pixels, np.broadcast_to(linear(look.brow), pixels.shape).astype(np.float32), alpha)


def _pixel(x: float, y: float) -> tuple[int, int]:
    """A point in face units as cv2's fixed-point pixel with 4 fraction bits."""
    return round((x * UNIT + CENTRE[0]) * 16), round((y * UNIT + CENTRE[1]) * 16)


def _nostrils(pixels: Array, look: Look, x: Array, y: Array) -> Array:
    """Paints nostrils, the shadow below the nose and the folds beside it."""
    nose, wide = look.nose_length, look.nose_width
    hole = pair(x, y, (wide * 0.43, nose - 0.016), (0.045, 0.020))
    pixels = pixels * (1.0 - 0.78 * np.clip(hole * 1.15, 0, 1)[..., None] * _RED_DARK)
    wing = pair(x, y, (wide * 0.98, nose - 0.075), (0.022, 0.055))
    under = bump(x, y, (0.0, nose + 0.03), (wide * 0.62, 0.045))
    pixels = pixels * (1.0 - (0.24 * wing + 0.20 * under)[..., None] * _RED_DARK)
    # nasolabial fold: a soft line from the wing of the nose past the corner of the mouth
    t = (y - (nose - 0.08)) / (MOUTH_Y * look.face_length - nose + 0.06)
    line = wide + 0.06 + 0.20 * np.clip(t, 0, 1.2) ** 1.2
    fold = np.exp(-(((np.abs(x) - line) / 0.035) ** 2)) * step(-0.05, 0.25, t) * step(1.25, 0.6, t)
    return np.asarray(pixels * (1.0 - 0.14 * fold[..., None] * _RED_DARK), np.float32)


_RED_DARK = np.array([0.85, 1.0, 1.0], np.float32)  # shadows on skin keep some red


def _lines_of_age(pixels: Array, look: Look, x: Array, y: Array) -> Array:
    """Paints folds from nose and mouth to the jaw, and lines of forehead, eyes and upper lip."""
    mouth = MOUTH_Y * look.face_length
    t = (y - (look.nose_length - 0.08)) / (mouth - look.nose_length + 0.06)
    fold = look.nose_width + 0.06 + 0.20 * np.clip(t, 0, 1.2) ** 1.2
    tone = 0.30 * np.exp(-(((np.abs(x) - fold) / 0.028) ** 2)) * step(-0.05, 0.25, t)
    tone = tone * step(1.3, 0.7, t)
    # from the corners of the mouth downwards
    drop = look.mouth_width + 0.03 + 0.10 * (y - mouth)
    below = step(mouth + 0.02, mouth + 0.10, y) * step(mouth + 0.42, mouth + 0.2, y)
    tone = tone + 0.26 * np.exp(-(((np.abs(x) - drop) / 0.026) ** 2)) * below
    upright = 0.5 + 0.5 * np.cos(x * 95.0 + 3.0 * np.sin(x * 17.0))
    tone = tone + 0.10 * upright**6 * bump(x, y, (0.0, mouth - 0.17), (0.30, 0.06))
    across = 0.5 + 0.5 * np.cos((y + 0.05 * np.cos(x * 2.2)) * 62.0)
    tone = tone + 0.16 * across**8 * bump(x, y, (0.0, -0.62), (0.62, 0.17))
    tone = tone + 0.16 * across**4 * pair(x, y, (look.eye_distance + 0.33, 0.0), (0.09, 0.10))
    return np.asarray(pixels * (1.0 - look.age * tone[..., None] * _RED_DARK), np.float32)


def _paint_glasses(look: Look, x: Array, y: Array) -> NDArray[np.uint8] | None:
    """The frame of a pair of glasses with a faint reflection, as sRGB and alpha."""
    if not look.glasses:
        return None
    thick = 0.016 if look.glasses == 1 else 0.03
    half_x, half_y = (0.31, 0.25) if look.glasses == 1 else (0.34, 0.235)
    power = 2.2 if look.glasses == 1 else 4.0
    across, down = (np.abs(x) - look.eye_distance) / half_x, (y - 0.03) / half_y
    ring = (np.abs(across) ** power + np.abs(down) ** power) ** (1 / power)
    frame = step(thick, thick * 0.45, np.abs(ring - 1.0) * 0.28)
    inner = look.eye_distance - half_x
    bridge = step(thick, thick * 0.4, np.abs(y + 0.03 + 0.25 * (inner**2 - x * x)))
    frame = np.maximum(frame, bridge * (np.abs(x) < inner))
    outer = look.eye_distance + half_x
    arm = step(thick * 1.2, thick * 0.5, np.abs(y + 0.05)) * (np.abs(x) > outer) * (np.abs(x) < 1.0)
    frame = np.maximum(frame, arm)
    glass = step(1.0, 0.96, ring) * (0.035 + 0.05 * step(0.15, 0.0, np.abs(across + down * 0.6)))
    over = np.empty((SIZE, SIZE, 4), np.float32)
    dark = (88.0, 80.0, 70.0) if look.glasses == 1 else (30.0, 26.0, 28.0)
    shine = (60 * step(0.6, -1.0, down) * (look.glasses == 1))[..., None]
    total = np.clip(frame * 0.95 + glass * (1 - frame), 1e-6, 1.0)[..., None]
    colour = np.array(dark, np.float32) + shine
    over[..., :3] = (
        colour * frame[..., None] * 0.95 + 240.0 * (glass * (1 - frame))[..., None]
    ) / total
    over[..., 3:] = np.where(total > 2e-3, total, 0.0) * 255.0
    return np.clip(over, 0, 255).astype(np.uint8)


def relief(look: Look) -> Array:
    """This person's `Portrait.depth`, without painting."""
    x, y = grid()
    distance, outline = radius(look, x, y)
    inside = distance / outline
    return _depth(_height(look, x, y, inside), inside)


def _depth(height: Array, inside: Array) -> Array:
    depth = cv2.GaussianBlur((height + 0.2) * step(1.25, 0.95, inside), (0, 0), 5.0)
    return np.asarray(depth, np.float32)


def paint(look: Look, rng: np.random.Generator) -> Portrait:
    """Paints this person's head."""
    x, y = grid()
    distance, outline = radius(look, x, y)
    inside = distance / outline
    albedo = _albedo(look, x, y, rng)
    beard = _beard_mask(look, x, y, inside)
    shaved = beard * min(look.beard, 0.45) * 0.55
    stubble = np.array([0.62, 0.52, 0.42], np.float32)
    grain = 1.0 + 0.25 * cv2.GaussianBlur(
        rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), 0.8
    )
    albedo = albedo * (1.0 - (shaved * grain)[..., None] * stubble)
    height = _height(look, x, y, inside)
    light = (look.light_x, look.light_y)
    pixels = lit(albedo, height, light=light, contrast=look.contrast, gloss=0.5, bleed=0.7)
    # the face's rim, the eye sockets and the hollow below the lip receive less ambient light
    shadow = 0.18 * step(0.84, 1.02, inside)
    shadow = shadow + 0.13 * pair(x, y, (look.eye_distance - 0.04, -0.09), (0.22, 0.07))
    shadow = shadow + 0.18 * bump(x, y, (0.0, MOUTH_Y * look.face_length + 0.2), (0.22, 0.05))
    pixels = pixels * (1.0 - shadow[..., None] * _RED_DARK)
    pixels = _nostrils(pixels, look, x, y)
    if look.age:
        pixels = _lines_of_age(pixels, look, x, y)
    alpha = step(1.012, 0.992, inside)

    if look.hair_style not in COVERS_EARS:
        pixels, alpha = _paint_ears(pixels, alpha, look, x, y, albedo)
    pixels = _paint_brows(pixels, look, rng)
    if look.beard > 0.5:
        strands = cv2.GaussianBlur(
            rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), 0.9, sigmaY=2.2
        )
        strands = strands / strands.std()
        colour = linear(look.hair) * (0.9 + 0.35 * strands[..., None]) * 0.95 + 0.012
        if not look.moustache:
            beard = beard * step(
                MOUTH_Y - 0.02, MOUTH_Y + 0.1, y + 0.25 * step(0.3, 0.6, np.abs(x))
            )
        cover = np.clip(beard * (0.80 + 0.16 * strands) * look.beard, 0.0, 0.93)
        pixels = mix(pixels, np.clip(colour, 0.002, 1).astype(np.float32), cover.astype(np.float32))
    pixels, alpha = paint_hair(pixels, alpha, look, x, y, inside, rng)
    pixels, alpha = paint_back_hair(pixels, alpha, look, x, y, rng)

    return Portrait(
        pixels=to_srgb(pixels),
        alpha=(np.clip(alpha, 0, 1) * 255 + 0.5).astype(np.uint8),
        depth=_depth(height, inside),
        over=_paint_glasses(look, x, y),
        mouth_y=MOUTH_Y * look.face_length,
    )


def _paint_ears(
    pixels: Array, alpha: Array, look: Look, x: Array, y: Array, albedo: Array
) -> tuple[Array, Array]:
    """Paints ears behind the face's edge."""
    across = (np.abs(x) - 0.985 - 0.05 * (0.2 - y)) / 0.115
    down = (y - 0.20) / (0.36 * (1.0 - 0.25 * np.clip(y - 0.2, 0, 1)))
    ring = np.sqrt(across**2 + down**2)
    ear_alpha = step(1.06, 0.96, ring)
    dome = 0.12 * np.sqrt(np.clip(1.0 - ring**2, 0.0, 1.0)) - 0.10 * np.exp(-((ring / 0.5) ** 2))
    light = (look.light_x, look.light_y)
    ear = lit(
        albedo * np.array([1.0, 0.9, 0.88], np.float32),
        dome.astype(np.float32),
        light=light,
        contrast=look.contrast,
        gloss=0.3,
        bleed=1.0,
    )
    near_face = step(0.55, -0.7, across)
    ear = ear * (0.86 - 0.30 * near_face - 0.18 * np.exp(-((ring / 0.45) ** 2)))[..., None]
    pixels = mix(ear, pixels, alpha)
    return pixels, np.maximum(alpha, ear_alpha)
