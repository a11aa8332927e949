"""What a portrait hears in place of DeepSpeech: 29 bands of the mel spectrogram, 16 steps a frame.

The shape is DeepSpeech's in AD-NeRF: 50 rows a second, 16 of them around each frame. DeepSpeech
0.1.0, whose 29 outputs are characters, is not to be had without its weights.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from bench.ground.types import SAMPLE_RATE, SAMPLES_PER_FRAME, Sound

BANDS, STEPS, WINDOWS = 29, 16, 8
STEP, LENGTH, SPECTRUM = 320, 800, 1024  # samples: 20 ms, 50 ms; points of the Fourier transform
LOWEST, HIGHEST = 55.0, 7600.0  # Hz
QUIET, LOUD = -80.0, 0.0  # dB of a band that become -1 and 1

Windows = NDArray[np.float32]


def speech_windows(sound: Sound) -> Windows:
    """sound: (640 T,) int16 -> (T, 16, 29) in [-1, 1]; frame t hears the rows 2t - 8 to 2t + 7.

    Row r lies around sample 320 r; rows outside the sound are silence.
    """
    frames = len(sound) // SAMPLES_PER_FRAME
    rows = _rows(sound, 2 * frames)
    padded = np.pad(rows, ((STEPS // 2, STEPS // 2), (0, 0)), constant_values=-1.0)
    index = 2 * np.arange(frames)[:, None] + np.arange(STEPS)
    return np.ascontiguousarray(padded[index])


def around(windows: Windows, frames: NDArray[np.int64]) -> Windows:
    """The eight windows i - 4 to i + 3 of frames i, (N, 8, 16, 29); zero where there are none."""
    padded = np.pad(windows, ((WINDOWS // 2, WINDOWS // 2 - 1), (0, 0), (0, 0)))
    return np.asarray(padded[frames[:, None] + np.arange(WINDOWS)])


def _rows(sound: Sound, count: int) -> NDArray[np.float32]:
    """The first `count` rows, (count, 29)."""
    half = LENGTH // 2
    padded = np.pad(sound.astype(np.float64) / 32768, (half, half + STEP))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, LENGTH)[::STEP][:count]
    power = abs(np.fft.rfft(pieces * np.hanning(LENGTH), SPECTRUM)) ** 2 / np.hanning(LENGTH).sum()
    decibels = 10 * np.log10(np.maximum(power @ _filters(), 10 ** (QUIET / 10)))
    scaled = (decibels - QUIET) / (LOUD - QUIET) * 2 - 1
    return np.asarray(np.clip(scaled, -1, 1), dtype=np.float32)


@cache
def _filters() -> NDArray[np.float64]:
    """Triangles evenly spaced in mel, (513, 29)."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST, HIGHEST))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hertz = np.arange(SPECTRUM // 2 + 1)[:, None] * SAMPLE_RATE / SPECTRUM
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return np.asarray(np.clip(np.minimum(rising, falling), 0, 1))
