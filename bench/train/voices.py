"""Other voices made of one: the same speech at the same time from another throat, louder or softer.

A longer or shorter vocal tract moves all formants by one factor (Lee and Rose 1998, doi
10.1109/89.650310); here harmonics move with them, for the mel bands hold both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.networks import audio
from bench.networks.audio import AudioKind, Features

FURTHEST = 0.2  # the logarithm of the largest factor of frequency, either way
DECIBEL = 2.0 * audio.LIMIT / -audio.FLOOR  # in the features' units
LEVEL, TILT = 4.0, 6.0  # decibels: of all bands, and of the lowest against the highest


@dataclass(frozen=True)
class Voice:
    """Another voice. warp: (80, 80) float32, mixes mel bands. level: (80, 1) float32, is added."""

    warp: NDArray[np.float32]
    level: NDArray[np.float32]

    def says(self, mel: Features, kind: AudioKind) -> Features:
        """The features (D, M) of this kind of a mel spectrogram (80, M), column by column."""
        changed = np.clip(self.warp @ mel + self.level, -audio.LIMIT, audio.LIMIT)
        return audio.features_of_mel(np.asarray(changed, dtype=np.float32), kind)


def voice(random: np.random.Generator) -> Voice:
    """The voice that is drawn next."""
    slope = np.linspace(-0.5, 0.5, audio.MELS)[:, None]
    level = LEVEL * random.uniform(-1.0, 1.0) + TILT * random.uniform(-1.0, 1.0) * slope
    factor = float(np.exp(random.uniform(-FURTHEST, FURTHEST)))
    return Voice(warp=warped(factor), level=np.asarray(DECIBEL * level, dtype=np.float32))


def warped(factor: float) -> NDArray[np.float32]:
    """The matrix (80, 80) that moves what is at a frequency to `factor` times that frequency."""
    hertz = audio.mel_centres(audio.LOWEST, audio.HIGHEST)
    places = np.interp(hertz / factor, hertz, np.arange(audio.MELS))
    return reading_at(places).astype(np.float32)


def reading_at(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix (N, N) that reads a column of N values at `places`, (N,) in 0..N - 1, linearly."""
    count = len(places)
    low = np.minimum(places.astype(int), count - 2)
    share = places - low
    matrix = np.zeros((count, count))
    matrix[np.arange(count), low] = 1.0 - share
    matrix[np.arange(count), low + 1] += share
    return matrix
