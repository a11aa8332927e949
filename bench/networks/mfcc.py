"""The mel-frequency cepstrum that SyncNet reads, equal to python_speech_features' defaults.

Source: jameslyons/python_speech_features @ e280ac2, base.py and sigproc.py (FIELD.md, section 4.1,
step 4). Written with whole-array numpy instead of a loop over frames; no window function is
applied, as there.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from bench.ground.types import SAMPLE_RATE, Sound

FRAME = 400  # samples, 25 ms
STEP = 160  # samples, 10 ms
SPECTRUM = 512  # points of the Fourier transform
FILTERS = 26
COEFFICIENTS = 13
PREEMPHASIS = 0.97
LIFTER = 22
EPS = float(np.finfo(np.float64).eps)  # replaces zeros before a logarithm


def mfcc(sound: Sound) -> NDArray[np.float32]:
    """The cepstral coefficients of a sound, (13, M) float32, one column per 10 ms.

    sound: (S,) int16 at 16 kHz, S >= 1, taken as whole numbers (not scaled to [-1, 1]).
    M is 1 for S <= 400, else 1 + ceil((S - 400) / 160); the last frame is filled up with zeros.
    Row 0 is the logarithm of the frame's energy. Raises ValueError for an empty sound.
    """
    if sound.ndim != 1 or len(sound) == 0:
        raise ValueError(f"sound must be (S,) with S >= 1, got shape {sound.shape}")
    power = _power(_frames(_emphasised(sound)))  # (M, 257)
    energy = power.sum(axis=1)  # (M,)
    filtered = power @ _filters().T  # (M, 26)
    logarithm = np.log(np.where(filtered == 0.0, EPS, filtered))
    coefficients = logarithm @ _cosines().T  # (M, 13)
    coefficients[:, 0] = np.log(np.where(energy == 0.0, EPS, energy))
    return np.ascontiguousarray(coefficients.T, dtype=np.float32)  # (13, M)


def _emphasised(sound: Sound) -> NDArray[np.float64]:
    signal = sound.astype(np.float64)
    signal[1:] -= PREEMPHASIS * signal[:-1]
    return signal


def _frames(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Overlapping frames of the signal, (M, 400), a view of its zero-padded copy."""
    count = 1 if len(signal) <= FRAME else 1 + -(-(len(signal) - FRAME) // STEP)
    padded = np.zeros((count - 1) * STEP + FRAME)
    padded[: len(signal)] = signal
    return np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::STEP]


def _power(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(frames, SPECTRUM)  # (M, 257)
    return (spectrum.real**2 + spectrum.imag**2) / SPECTRUM


@cache
def _filters() -> NDArray[np.float64]:
    """Triangular mel filters with corners on whole spectral bins, (26, 257)."""
    top = 2595.0 * np.log10(1.0 + SAMPLE_RATE / 2 / 700.0)
    hertz = 700.0 * (10.0 ** (np.linspace(0.0, top, FILTERS + 2) / 2595.0) - 1.0)
    corners = np.floor((SPECTRUM + 1) * hertz / SAMPLE_RATE)  # (28,)
    bins = np.arange(SPECTRUM // 2 + 1)  # (257,)
    low, middle, high = (corners[i : i + FILTERS, None] for i in range(3))
    rising = (bins - low) / (middle - low)
    falling = (high - bins) / (high - middle)
    filters = np.where(bins < middle, rising, falling)
    return np.where((bins >= low) & (bins < high), filters, 0.0)


@cache
def _cosines() -> NDArray[np.float64]:
    """Orthonormal DCT-II with the lifter multiplied in, (13, 26)."""
    order = np.arange(COEFFICIENTS)[:, None]
    place = np.arange(FILTERS)[None, :]
    cosines = np.cos(np.pi * order * (2 * place + 1) / (2 * FILTERS)) * np.sqrt(2.0 / FILTERS)
    cosines[0] /= np.sqrt(2.0)
    lifter = 1.0 + LIFTER / 2.0 * np.sin(np.pi * order / LIFTER)
    return np.asarray(cosines * lifter)
