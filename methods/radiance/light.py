"""The light of a recording, taken from its upper face: cameras balance white anew in each clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import bench

UPPER = 0.45  # of the box's rows, from above: no lip comes there
MOST_GAIN = 2.0  # and at least 1 / 2: a plain wall says nothing of gains
LEAST_SPREAD = 1.0  # grey levels, standard deviation


@dataclass(frozen=True)
class Light:
    """What colours are multiplied by, and what is added, by channel: (3,) each, grey levels."""

    gain: NDArray[np.float64]
    offset: NDArray[np.float64]

    def on(self, face: bench.Frame) -> bench.Frame:
        """The face (S, S, 3) in this light."""
        lit = face * self.gain + self.offset
        return np.asarray(lit.round().clip(0, 255), dtype=np.uint8)


def light_of(recorded: NDArray[np.uint8], rendered: NDArray[np.uint8]) -> Light:
    """The light in which rendered faces, (T, S, S, 3), look most like the recorded ones.

    By least squares over the upper parts of the boxes of all frames.
    """
    rows = round(UPPER * rendered.shape[1])
    wanted = recorded[:, :rows].reshape(-1, 3).astype(np.float64)
    shown = rendered[:, :rows].reshape(-1, 3).astype(np.float64)
    spread = shown.std(axis=0)
    together = ((shown - shown.mean(axis=0)) * (wanted - wanted.mean(axis=0))).mean(axis=0)
    gain = together / np.maximum(spread, LEAST_SPREAD) ** 2
    gain = gain.clip(1 / MOST_GAIN, MOST_GAIN)
    return Light(gain, wanted.mean(axis=0) - gain * shown.mean(axis=0))
