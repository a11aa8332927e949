"""What PC-AVS hears: a mel spectrogram of evenly loud sound, and the part that each frame gets.

Source: Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 (CC-BY-4.0): config/AudioConfig.py, its use of
the package lws (window and padding), data/voxtest_dataset.py.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.ground.types import Sound
from bench.networks.audio import mel_filters

Mel: TypeAlias = NDArray[np.float32]  # (80, M), one column per 10 ms

SPECTRUM = 1280  # points of the Fourier transform, samples of its window
HOP = 160  # samples from column to column
LOWEST, HIGHEST = 125.0, 7600.0  # hertz
LOUDNESS = 0.1  # the root mean square that every sound is scaled to
QUIETEST = 1e-4  # a root mean square below counts as this
COLUMNS = 20  # of one window, 0.2 s
STEP = 4  # columns from frame to frame
LEAD = 2  # frames by which a window begins before its frame


def gain(sound: Sound) -> float:
    """What a sound (S,) int16, as -1 to 1, is multiplied by for a root mean square of 0.1."""
    level = np.sqrt(np.mean(np.square(sound / 32768.0)))
    return float(LOUDNESS / max(QUIETEST, level))


def mel_spectrogram(sound: Sound) -> Mel:
    """The mel spectrogram, (80, M) float32 in [0, 1], M = 7 + S / 160, rounded up.

    sound: (S,) int16 at 16 kHz. Column c is centred at 10 c - 30 ms. Decibels of the mel magnitudes
    less 20, mapped from [-100, 0] to [0, 1] and clipped. Raises ValueError for an empty sound or
    one that is not int16.
    """
    if sound.ndim != 1 or len(sound) == 0 or sound.dtype != np.int16:
        raise ValueError(f"sound must be (S,) int16, S >= 1; got {sound.dtype} {sound.shape}")
    beside = SPECTRUM - HOP
    signal = np.pad(gain(sound) * (sound / 32768.0), (beside, beside + -len(sound) % HOP))
    frames = np.lib.stride_tricks.sliding_window_view(signal, SPECTRUM)[::HOP]  # (M, 1280)
    angles = np.pi * (2 * np.arange(SPECTRUM) + 1) / SPECTRUM
    window = np.sqrt(0.5 - 0.5 * np.cos(angles)) / 2.0
    magnitude = np.abs(np.fft.rfft(frames * window))  # (M, 641)
    mel = mel_filters(SPECTRUM, LOWEST, HIGHEST) @ magnitude.T  # (80, M)
    decibels = 20.0 * np.log10(np.maximum(1e-5, mel)) - 20.0
    return np.clip((decibels + 100.0) / 100.0, 0.0, 1.0).astype(np.float32)


def official_frames(columns: int) -> range:
    """The frames that the official program makes from M columns: 2 to M // 4 - 3.

    Its first frame shows what frame 2 of a recording does. Empty for very short sounds.
    """
    return range(LEAD, max(LEAD, columns // STEP - 2))


def windows(mel: Mel, frames: NDArray[np.int64]) -> Mel:
    """What each frame hears, (B, 1, 80, 20): columns 4 (f - 2) to 4 (f - 2) + 19.

    mel: (80, M). frames: (B,), 0 or above. Columns before and after those of `mel` are silent, just
    as if the sound were padded with zeros, so that every frame has a window; the official program
    makes `official_frames` only.
    """
    index = STEP * (frames[:, None] - LEAD) + np.arange(COLUMNS)  # (B, 20)
    is_inside = (index >= 0) & (index < mel.shape[1])
    heard = mel[:, np.clip(index, 0, mel.shape[1] - 1)] * is_inside  # (80, B, 20)
    return np.ascontiguousarray(heard.transpose(1, 0, 2)[:, None], dtype=np.float32)
