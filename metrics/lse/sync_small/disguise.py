"""Other people made of one: a look for the mouths and a voice for the sound.

A disguise is drawn from a seed and does the same to every frame and to every column of the sound,
so lips and speech stay in step and all clips of a person look and sound alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct

from bench.networks import mfcc
from bench.train.looks import Look, look
from bench.train.voices import reading_at

Array = NDArray[np.float32]

BINS = mfcc.SPECTRUM // 2 + 1
ENVELOPE = 30  # cepstral coefficients (samples at 16 kHz) that make up the spectral envelope


@dataclass(frozen=True)
class Disguise:
    """Another person. voice: (257, 257) float32, turns a row of log power into his."""

    look: Look
    voice: Array

    def heard(self, logarithm: Array) -> Array:
        """The log power (M, 257) of a sound in this person's voice, column by column in time."""
        return np.asarray(logarithm @ self.voice, dtype=np.float32)


def disguise(seed: Sequence[int]) -> Disguise:
    """The person that is drawn from this seed."""
    random = np.random.default_rng(seed)
    return Disguise(
        look=look(random),
        voice=voice(
            pitch=float(2.0 ** (random.uniform(-5.0, 9.0) / 12.0)),
            formants=float(np.exp(random.uniform(-0.13, 0.18))),
        ),
    )


def voice(*, pitch: float, formants: float) -> Array:
    """The matrix (257, 257) for `Disguise.voice`: pitch and formants times these factors.

    The log spectrum's envelope (its first cepstral coefficients) is stretched along frequency by
    `formants`, what remains, the harmonics, by `pitch`.
    """
    whole = np.eye(BINS)
    cepstra = dct(whole, axis=1, norm="ortho")
    cepstra[:, ENVELOPE:] = 0.0
    envelope = idct(cepstra, axis=1, norm="ortho")  # (257, 257), row by row
    changed = envelope @ _stretched(formants) + (whole - envelope) @ _stretched(pitch)
    return np.asarray(changed, dtype=np.float32)


def _stretched(factor: float) -> NDArray[np.float64]:
    """The matrix (257, 257) that reads a row at frequencies divided by `factor`."""
    return reading_at(np.minimum(np.arange(BINS) / factor, BINS - 1.0)).T
