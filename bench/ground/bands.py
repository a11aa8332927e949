"""Triangular bands of a spectrum, as mel spectrograms sum it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.ground.types import SAMPLE_RATE


def triangles(corners: NDArray[np.float64], spectrum: int) -> NDArray[np.float64]:
    """Bands of equal area, (B, spectrum // 2 + 1), at 16 kHz.

    corners: hertz, (B + 2,); band b rises from corner b to the next one and falls to the one after.
    spectrum: points of the Fourier transform.
    """
    bins = np.fft.rfftfreq(spectrum, 1.0 / SAMPLE_RATE)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    heights = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
    return np.asarray(np.maximum(heights, 0.0) * 2.0 / (high - low))
