"""Which frames to show where a recording is shorter than what is to be made of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def forth_and_back(recorded: int, wanted: int) -> NDArray[np.int64]:
    """Which recorded frame each wanted one shows, (wanted,): 0 1 2 1 0 1 ... for three recorded."""
    period = max(1, 2 * recorded - 2)
    place = np.arange(wanted, dtype=np.int64) % period
    return np.minimum(place, period - place)
