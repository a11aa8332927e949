"""Moves the head: slow drift with accents of the speech, blinks, gaze, brows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.synth.identity import Manner
from bench.ground.types import FPS


@dataclass(frozen=True)
class Pose:
    """The head in one frame: shifts in half face widths, angles in radians."""

    x: float
    y: float
    roll: float
    yaw: float
    pitch: float
    scale: float
    blink: float  # 0 open, 1 shut
    brow: float  # 0 rest, 1 raised
    gaze: tuple[float, float]


def _drift(rng: np.random.Generator, frames: int, seconds: float) -> NDArray[np.float64]:
    """A smooth random curve (frames,) around 0, with a new random value every `seconds`."""
    knots = max(4, int(frames / FPS / seconds) + 4)
    values = rng.standard_normal(knots)
    at = np.linspace(0.0, knots - 3.001, frames) + 1.0
    low = at.astype(int)
    t = at - low
    # uniform cubic B-spline: two continuous derivatives, so the head never jerks
    weights = (
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    )
    index = np.clip(np.stack([low - 1, low, low + 1, low + 2]), 0, knots - 1)
    return np.asarray(1.5 * sum(w * values[i] for w, i in zip(weights, index, strict=True)))


def move(manner: Manner, loudness: NDArray[np.float32], rng: np.random.Generator) -> list[Pose]:
    """The poses of a clip; loudness: (T,) in 0..1."""
    frames = len(loudness)
    gain = manner.head_motion
    smooth = np.convolve(np.pad(loudness, 4, mode="edge"), np.hanning(9) / 4.0, mode="valid")
    accent = smooth - smooth.mean()
    x = 0.05 * gain * _drift(rng, frames, 0.9)
    y = 0.03 * gain * _drift(rng, frames, 0.8) + 0.035 * gain * accent
    roll = 0.028 * gain * _drift(rng, frames, 1.0)
    yaw = 0.085 * gain * _drift(rng, frames, 1.1)
    pitch = 0.05 * gain * _drift(rng, frames, 0.8) + 0.06 * gain * accent
    scale = 1.0 + 0.008 * _drift(rng, frames, 1.2)
    brow = np.clip(
        manner.brow_motion * (0.28 * _drift(rng, frames, 0.5) + 0.45 * accent), -0.3, 0.8
    )
    gaze_x, gaze_y = _gaze(rng, frames)
    gaze_x = gaze_x - 0.25 * yaw
    blink = _blinks(rng, frames, manner.blink_seconds)
    return [
        Pose(
            x=float(x[k]),
            y=float(y[k]),
            roll=float(roll[k]),
            yaw=float(yaw[k]),
            pitch=float(pitch[k]),
            scale=float(scale[k]),
            blink=float(blink[k]),
            brow=float(brow[k]),
            gaze=(float(gaze_x[k]), float(gaze_y[k])),
        )
        for k in range(frames)
    ]


def _gaze(rng: np.random.Generator, frames: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A gaze that rests and jumps, in half face widths."""
    x, y = np.zeros(frames), np.zeros(frames)
    here = rng.normal(0.0, 0.008, 2)
    until = 0
    for k in range(frames):
        if k >= until:
            here = np.clip(rng.normal(0.0, [0.018, 0.007]), -0.04, 0.04)
            until = k + int(rng.integers(8, 40))
        x[k], y[k] = here
    return x, y


def _blinks(rng: np.random.Generator, frames: int, seconds: float) -> NDArray[np.float64]:
    """Blinks of about a quarter second, which shut faster than they open."""
    shut = np.zeros(frames)
    course = np.array([0.45, 1.0, 0.95, 0.6, 0.28, 0.08])
    at = int(rng.uniform(0.1, seconds) * FPS)
    while at < frames:
        end = min(frames, at + len(course))
        shut[at:end] = np.maximum(shut[at:end], course[: end - at])
        at += int(max(0.5, rng.gamma(4.0, seconds / 4.0)) * FPS)
    return shut
