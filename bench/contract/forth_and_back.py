"""Which frames to show if a clip is shorter than the video to generate from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def forth_and_back(recorded: int, wanted: int) -> NDArray[np.int64]:
    """The recorded frame for each wanted one, (wanted,): 0 1 2 1 0 1 ... for three recorded."""
    period = max(1, 2 * recorded - 2)
    place = np.arange(wanted, dtype=np.int64) % period
    return np.minimum(place, period - place)
