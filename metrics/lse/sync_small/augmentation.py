"""Augmentation of mouths and sounds, so that the scorer learns speech rather than a studio.

Three kinds: views (`View`, `heard`) vary what cameras and microphones vary, and lips and speech
still match; `damaged` degrades mouths as generators and codecs do, which must never raise the
score; `still_mouths` do not speak, but may have artefacts that follow the sound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.ground.types import SAMPLE_RATE
from bench.networks import mfcc
from metrics.lse.sync_small.network import HEIGHT, WIDTH

Mouths = NDArray[np.uint8]  # (T, 56, 64, 3) RGB
Random = np.random.Generator

STORED = 96  # pixels, side of the stored square around the mouth (128 pixels of the 224 crop)
STORED_CENTRE = (47.5, 47.5)
STORED_SCALE = WIDTH / 72.0  # stored pixels to the network's: 72 stored pixels are 64
BINS = mfcc.SPECTRUM // 2 + 1
DAMAGES = (
    "blur",
    "blocks",
    "lines",
    "noise",
    "cast",
    "freeze",
    "jpeg",
    "smear",
    "flicker",
    "mixed",
)


@dataclass(frozen=True)
class View:
    """How a camera sees a clip: geometry (including a detector's errors) and colour."""

    affine: NDArray[np.float32]  # (T, 2, 3), stored pixels to the network's
    colour: NDArray[np.float32]  # (3, 3)
    curves: NDArray[np.uint8]  # (1, 256, 3)
    low_height: int  # rows kept before enlarging again; HEIGHT keeps all
    blur: float  # pixels
    noise: float  # grey levels
    jpeg: int  # quality, 0 for none
    hidden: tuple[int, int, int, int] | None  # x, y, width, height of a covered patch
    lines: tuple[tuple[int, int, int, bool], ...]  # place, thickness, grey level, across

    def of(self, stored: NDArray[np.uint8], index: NDArray[np.int64], random: Random) -> Mouths:
        """The frames `index` of a stored clip (T, 96, 96, 3), at most the view's, in this view."""
        mouths = np.empty((len(index), HEIGHT, WIDTH, 3), dtype=np.uint8)
        for mouth, frame, affine in zip(mouths, index, self.affine, strict=False):
            cv2.warpAffine(
                stored[frame],
                affine,
                (WIDTH, HEIGHT),
                dst=mouth,
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
        tall = cv2.transform(mouths.reshape(-1, WIDTH, 3), self.colour)
        mouths = np.asarray(cv2.LUT(tall, self.curves), dtype=np.uint8).reshape(mouths.shape)
        if self.low_height < HEIGHT:
            mouths = _each(mouths, lambda mouth: _low_resolution(mouth, self.low_height))
        if self.blur:
            mouths = _each(mouths, lambda mouth: _blurred(mouth, self.blur))
        if self.noise:
            mouths = _noised(mouths, self.noise, random)
        if self.jpeg:
            mouths = _each(mouths, lambda mouth: _compressed(mouth, self.jpeg))
        if self.hidden is not None:
            x, y, width, height = self.hidden
            mouths[:, y : y + height, x : x + width] = mouths[:, y, x].mean(axis=0)
        for place, thickness, level, across in self.lines:
            if across:
                mouths[:, place : place + thickness] = level
            else:
                mouths[:, :, place : place + thickness] = level
        return mouths


def view(frames: int, random: Random) -> View:
    """A random view of a clip of `frames` frames."""
    small = random.random() < 0.25
    jitter = random.normal(0.0, random.choice([0.0, 0.3, 0.8]), (frames, 2))
    phase = 2 * np.pi * (random.random(2) + np.arange(frames)[:, None] * random.uniform(0, 0.03))
    drift = random.uniform(0.0, 2.5, 2) * np.sin(phase)  # (T, 2)
    shift = random.uniform(-6.0, 6.0, 2) + jitter + drift
    affine = _affine(
        shift,
        angle=float(np.clip(random.normal(0.0, 6.0), -14.0, 14.0)),
        scale=float(np.exp(random.uniform(-0.2, 0.2))),
        aspect=float(np.exp(random.uniform(-0.08, 0.08))),
        is_mirrored=bool(random.random() < 0.5),
    )
    return View(
        affine=affine,
        colour=_colour(random, strength=1.0),
        curves=_curves(random),
        low_height=int(random.integers(24, HEIGHT)) if small else HEIGHT,
        blur=float(random.uniform(0.5, 1.1)) if random.random() < 0.2 else 0.0,
        noise=float(random.uniform(1.0, 9.0)) if random.random() < 0.4 else 0.0,
        jpeg=int(random.integers(25, 80)) if random.random() < 0.25 else 0,
        hidden=_patch(random) if random.random() < 0.2 else None,
        lines=_lines(random) if random.random() < 0.15 else (),
    )


def damaged(
    stored: NDArray[np.uint8], index: NDArray[np.int64], seen: View, random: Random
) -> tuple[Mouths, float]:
    """The same frames in the same view, damaged, and the severity of the damage, in (0, 1].

    Each kind of damage occurs in generated, compressed or badly edited videos.
    """
    kind = str(random.choice(DAMAGES))
    severity = float(random.uniform(0.15, 1.0))
    if kind in ("freeze", "mixed"):
        index = _frozen(index, severity if kind == "freeze" else severity * 0.5, random)
    mouths = seen.of(stored, index, random)
    if kind in ("blur", "mixed"):
        sigma = 0.8 + 4.5 * severity
        mouths = _each(mouths, lambda mouth: _blurred(mouth, sigma))
    elif kind == "blocks":
        rows = max(3, round(20 - 17 * severity))
        mouths = _each(mouths, lambda mouth: _blocks(mouth, rows))
    elif kind == "cast":
        matrix = _colour(random, strength=1.0 + 5.0 * severity)
        tall = np.asarray(cv2.transform(mouths.reshape(-1, WIDTH, 3), matrix), dtype=np.uint8)
        mouths = tall.reshape(mouths.shape)
    elif kind == "jpeg":
        quality = max(1, round(16 * (1.0 - severity)))
        mouths = _each(mouths, lambda mouth: _compressed(mouth, quality))
    elif kind == "smear":
        mouths = _smeared(mouths, severity)
    if kind in ("noise", "mixed"):
        mouths = _noised(mouths, 10.0 + 60.0 * severity, random)
    if kind in ("lines", "flicker", "mixed"):
        strength = random.uniform(0.0, 1.0, len(mouths)) if kind != "lines" else 1.0
        mouths = _overlaid(mouths, np.broadcast_to(strength, len(mouths)), severity, random)
    return mouths, severity


def still_mouths(
    stored: NDArray[np.uint8], energy: NDArray[np.float32], seen: View, random: Random
) -> Mouths:
    """A frozen face in this view, (T, 56, 64, 3), sometimes with artefacts that follow the sound.

    energy: (T,) in [0, 1], the loudness at each frame. Nothing here speaks, so nothing may match.
    """
    frame = int(random.integers(len(stored)))
    mouths = seen.of(stored, np.full(len(energy), frame), random)
    if random.random() < 0.5:
        return mouths
    lag = int(random.integers(-2, 3))
    return _overlaid(mouths, np.roll(energy, lag), float(random.uniform(0.2, 1.0)), random)


def log_power(sound: NDArray[np.int16]) -> NDArray[np.float32]:
    """The log power spectrum from which SyncNet's cepstra are computed, (M, 257) float32."""
    power = mfcc._power(mfcc._frames(mfcc._emphasised(sound)))
    return np.asarray(np.log(np.maximum(power, 1e-9)), dtype=np.float32)


def heard(
    logarithm: NDArray[np.float32], random: Random, *, babble: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The cepstra (13, M) of a sound with another vocal tract, room and microphone.

    logarithm: (M, 257) from `log_power`. babble: the same of another clip, sometimes mixed in.
    Warps the mel filters (a longer or shorter vocal tract), tilts, ripples and band-limits the
    spectrum, and adds steady noise.
    """
    places = np.linspace(0.0, 1.0, BINS)
    ripple = random.normal(0.0, 0.5, 4) @ np.cos(np.pi * np.arange(1, 5)[:, None] * places)
    equaliser = random.normal(0.0, 1.5) * (places - 0.5) + ripple + random.uniform(-3.0, 1.0)
    if random.random() < 0.2:
        equaliser -= 12.0 / (1.0 + np.exp((random.uniform(0.42, 0.95) - places) * 60.0))
    if random.random() < 0.2:
        equaliser -= 8.0 / (1.0 + np.exp((places - random.uniform(0.0, 0.04)) * 200.0))
    power = np.exp(logarithm + equaliser.astype(np.float32))  # (M, 257)
    loud = float(np.percentile(power.sum(axis=1), 95))
    if random.random() < 0.6:
        colour = np.exp(-random.uniform(0.0, 4.0) * places)
        level = loud * np.exp(-random.uniform(2.5, 9.0)) / colour.sum()
        start = int(random.integers(len(_normal_pool()) - power.size))
        grain = np.square(_normal_pool()[start : start + power.size]).reshape(power.shape)
        power += grain * (level * colour).astype(np.float32)
    if random.random() < 0.2:
        other = np.exp(np.take(babble, np.arange(len(power)) % len(babble), axis=0))
        gain = loud / max(float(np.percentile(other.sum(axis=1), 95)), 1e-6)
        power += gain * np.exp(-random.uniform(2.0, 6.0)) * other
    if random.random() < 0.1:
        start = int(random.integers(len(power)))
        power[start : start + int(random.integers(3, 20))] = 1e-9  # a gap of digital silence
    warp = int(random.integers(-6, 7))
    return cepstra(power, warp=warp)


def cepstra(power: NDArray[np.float32], *, warp: int = 0) -> NDArray[np.float32]:
    """SyncNet's cepstra (13, M) of a power spectrum (M, 257), with filters warped by `warp`."""
    filtered = np.maximum(power @ _warped_filters(warp).T, mfcc.EPS)  # (M, 26)
    coefficients = np.log(filtered) @ mfcc._cosines().T.astype(np.float32)  # (M, 13)
    coefficients[:, 0] = np.log(np.maximum(power.sum(axis=1), mfcc.EPS))
    return np.ascontiguousarray(coefficients.T, dtype=np.float32)


@cache
def _warped_filters(warp: int) -> NDArray[np.float32]:
    """The mel filters (26, 257), read at frequencies stretched by 1 + 0.025 warp up to 6 kHz."""
    bins = np.arange(BINS, dtype=np.float64)
    knee = 6000.0 / (SAMPLE_RATE / 2) * (BINS - 1) / (1.0 + 0.025 * max(warp, 0))
    stretched = bins * (1.0 + 0.025 * warp)
    top = BINS - 1
    knee_value = knee * (1.0 + 0.025 * warp)
    beyond = knee_value + (bins - knee) * (top - knee_value) / (top - knee)
    source = np.where(bins <= knee, stretched, beyond)
    rows = [np.interp(source, bins, row) for row in mfcc._filters()]
    return np.asarray(rows, dtype=np.float32)


def _affine(
    shift: NDArray[np.float64], *, angle: float, scale: float, aspect: float, is_mirrored: bool
) -> NDArray[np.float32]:
    """Matrices (T, 2, 3) that map the stored square to the network's window."""
    turn = np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = STORED_SCALE * scale * rotation @ np.diag([aspect, 1.0 / aspect])
    if is_mirrored:
        linear = np.diag([-1.0, 1.0]) @ linear
    target = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    affine = np.empty((len(shift), 2, 3), dtype=np.float32)
    affine[:, :, :2] = linear
    affine[:, :, 2] = target - linear @ np.array(STORED_CENTRE) + shift
    return affine


def straight_view(frames: int) -> View:
    """The view without changes: as in scoring, except for resampling the stored square."""
    plain = _affine(np.zeros((frames, 2)), angle=0.0, scale=1.0, aspect=1.0, is_mirrored=False)
    levels = np.arange(256, dtype=np.uint8)
    curves = np.repeat(levels[None, :, None], 3, axis=2)
    colour = np.eye(3, dtype=np.float32)
    return View(plain, colour, curves, HEIGHT, 0.0, 0.0, 0, None, ())


def _colour(random: Random, *, strength: float) -> NDArray[np.float32]:
    """A matrix that mixes colours: saturation from none to strong, and a cast."""
    saturation = 0.0 if random.random() < 0.25 else random.uniform(0.3, 1.4)
    luma = np.tile([0.299, 0.587, 0.114], (3, 1))
    cast = np.diag(np.exp(random.normal(0.0, 0.1 * strength, 3)))
    mixed = random.normal(0.0, 0.04 * strength, (3, 3))
    return np.asarray(cast @ (luma + saturation * (np.eye(3) - luma)) + mixed, dtype=np.float32)


def _curves(random: Random) -> NDArray[np.uint8]:
    """A random grading: gamma, contrast, brightness and a bend, for each channel, (1, 256, 3)."""
    levels = np.linspace(0.0, 1.0, 256)[:, None]
    gamma = np.exp(random.uniform(-0.45, 0.45) + random.normal(0.0, 0.05, 3))
    bent = levels**gamma
    bent = bent + random.normal(0.0, 0.05, 3) * np.sin(2 * np.pi * levels)
    contrast = np.exp(random.uniform(-0.5, 0.3))
    graded = (bent - 0.5) * contrast + 0.5 + random.uniform(-0.15, 0.15)
    return np.asarray((graded * 255.0).clip(0, 255), dtype=np.uint8)[None]


def _patch(random: Random) -> tuple[int, int, int, int]:
    width, height = int(random.integers(6, 28)), int(random.integers(6, 24))
    return (
        int(random.integers(0, WIDTH - width)),
        int(random.integers(0, HEIGHT - height)),
        width,
        height,
    )


def _lines(random: Random) -> tuple[tuple[int, int, int, bool], ...]:
    return tuple(
        (
            int(random.integers(0, HEIGHT - 3)),
            int(random.integers(1, 3)),
            int(random.integers(0, 256)),
            bool(random.random() < 0.5),
        )
        for _ in range(int(random.integers(1, 4)))
    )


def _each(mouths: Mouths, change: Callable[[Mouths], Mouths]) -> Mouths:
    for mouth in mouths:
        mouth[:] = change(mouth)
    return mouths


def _blurred(mouth: Mouths, sigma: float) -> Mouths:
    return np.asarray(cv2.GaussianBlur(mouth, (0, 0), sigma), dtype=np.uint8)


def _low_resolution(mouth: NDArray[np.uint8], rows: int) -> NDArray[np.uint8]:
    columns = round(rows * WIDTH / HEIGHT)
    small = cv2.resize(mouth, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR))


def _blocks(mouth: NDArray[np.uint8], rows: int) -> NDArray[np.uint8]:
    small = cv2.resize(mouth, (rows, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST))


def _compressed(mouth: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    _, coded = cv2.imencode(".jpg", mouth, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))


def _noised(mouths: Mouths, sigma: float, random: Random) -> Mouths:
    pool = _normal_pool()
    noisy = np.empty_like(mouths)
    for target, mouth in zip(noisy, mouths, strict=True):
        start = int(random.integers(len(pool) - mouth.size))
        noise = pool[start : start + mouth.size].reshape(mouth.shape)
        target[:] = (mouth + noise * np.float32(sigma)).clip(0, 255)
    return noisy


@cache
def _normal_pool() -> NDArray[np.float32]:
    """Normal deviates to take slices from: drawing new ones would take a third of a step."""
    return np.random.default_rng(0).standard_normal(1 << 20, dtype=np.float32)


def _smeared(mouths: Mouths, severity: float) -> Mouths:
    """Mixes every frame with a running mean of earlier ones, so that lips lag and blur."""
    keep = 0.35 + 0.6 * severity
    mixed = mouths.astype(np.float32)
    for i in range(1, len(mixed)):
        mixed[i] = keep * mixed[i - 1] + (1.0 - keep) * mixed[i]
    return mixed.astype(np.uint8)


def _frozen(index: NDArray[np.int64], share: float, random: Random) -> NDArray[np.int64]:
    """Frame indices in which a share of the frames repeats the previous one."""
    is_dropped = random.random(len(index)) < share
    is_dropped[0] = False
    last = np.maximum.accumulate(np.where(is_dropped, 0, np.arange(len(index))))
    return index[last]


def _overlaid(
    mouths: Mouths, strength: NDArray[np.float64 | np.float32], severity: float, random: Random
) -> Mouths:
    """Overlays lines, a patch or a tint on the mouth; `strength`, (T,), is that of each frame."""
    mask = np.zeros((HEIGHT, WIDTH, 1), dtype=np.float32)
    form = random.integers(4)
    if form == 3:
        mask[:] = 0.4 * severity
    elif form == 2:
        x, y, width, height = _patch(random)
        mask[y : y + height, x : x + width] = severity
    else:
        for _ in range(int(random.integers(1, 2 + round(4 * severity)))):
            place, thick = int(random.integers(12, 48)), int(random.integers(1, 4))
            if form == 1:
                mask[place : place + thick, 8:56] = 0.3 + 0.7 * severity
            else:
                mask[8:50, place : place + thick] = 0.3 + 0.7 * severity
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.7), dtype=np.float32)[:, :, None]
    ink = random.choice([[20, 20, 20], [40, 200, 60], [255, 255, 255], [180, 60, 60]])
    weight = mask[None] * np.asarray(strength, dtype=np.float32)[:, None, None, None]
    return np.asarray(mouths * (1.0 - weight) + ink * weight, dtype=np.uint8)
