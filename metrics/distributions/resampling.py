"""How far a set's value would move with other clips: the jackknife over groups of clips.

Source: Tukey 1958; Efron and Tibshirani 1993, chapter 11. The bootstrap does not do here: a clip
drawn twice adds no new features, and these distances grow with fewer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GROUPS = 20  # at most, of clips that are left out together
LEVEL = 0.95


def groups_of(clips: int) -> NDArray[np.int64]:
    """Which group each clip belongs to, (clips,): neighbours, who share a speaker, together."""
    return np.arange(clips) * min(clips, GROUPS) // clips


def interval(value: float, without: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a value. without: the value without each group in turn, at least two.

    It is that of the value at this number of clips; how much a larger set would lower it, it does
    not say.
    """
    from scipy.stats import t

    spread = np.square(np.subtract(without, np.mean(without))).sum()
    deviation = math.sqrt(spread * (len(without) - 1) / len(without))
    reach = float(t.ppf(0.5 + LEVEL / 2, len(without) - 1)) * deviation
    return value - reach, value + reach
