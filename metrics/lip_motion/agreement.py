"""Where and how well a mouth follows what was expected of it: correlations at 31 offsets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FARTHEST = 15  # frames, either way
COST = 0.02  # of a frame of offset, in the search
STILLNESS = 0.15  # of the usual movement: a mouth that moves less agrees with nothing
LEAST_OVERLAP = 10  # frames
LEAST_FRAMES = FARTHEST + LEAST_OVERLAP

Curves = NDArray[np.float64]  # (T, C)


@dataclass(frozen=True)
class Agreement:
    """The agreement at 31 offsets, (31,), entry k at offset 15 - k, each in [-1, 1]."""

    curve: NDArray[np.float64]

    @property
    def offset(self) -> int:
        """Where it is best, in frames, above 0 if the sound is early; a frame off 0 costs COST."""
        return FARTHEST - int(np.argmax(self.curve - _costs()))

    @property
    def at_0(self) -> float:
        """The agreement without a search."""
        return float(self.curve[FARTHEST])

    @property
    def confidence(self) -> float:
        """The best agreement, less the cost of its offset, above the median of all offsets."""
        return float(np.max(self.curve - _costs()) - np.median(self.curve))


def agree(
    expected: Curves, made: Curves, *, known: NDArray[np.bool_], seen: NDArray[np.bool_]
) -> Agreement:
    """How well `made` follows `expected`, both (T, C) in units of the usual movement of each curve.

    known, seen: (T,), the frames of either that count. At each offset: Pearson's correlation of all
    overlapping frames, pooled over the curves (their own means taken off), where the variance of
    `made` is raised by STILLNESS squared, so that a mouth that only trembles has no correlation;
    0 where fewer than LEAST_OVERLAP frames overlap.
    Raises ValueError for fewer than LEAST_FRAMES frames.
    """
    frames = len(made)
    if frames < LEAST_FRAMES:
        raise ValueError(f"{frames} frames; an agreement needs {LEAST_FRAMES}")
    curve = np.zeros(2 * FARTHEST + 1)
    for place, late in enumerate(range(-FARTHEST, FARTHEST + 1)):  # frames that the sound is late
        ahead, behind = max(late, 0), max(-late, 0)
        spoken, moved = slice(ahead, frames - behind), slice(behind, frames - ahead)
        both = known[spoken] & seen[moved]
        if both.sum() >= LEAST_OVERLAP:
            curve[place] = _correlation(expected[spoken][both], made[moved][both])
    return Agreement(curve)


def _correlation(expected: Curves, made: Curves) -> float:
    first, second = expected - expected.mean(axis=0), made - made.mean(axis=0)
    product = float((first * second).mean(axis=0).sum())
    power = float((first**2).mean(axis=0).sum())
    moved = float(((second**2).mean(axis=0) + STILLNESS**2).sum())
    return product / float(np.sqrt(power * moved)) if power > 0.0 else 0.0


def _costs() -> NDArray[np.float64]:
    return COST * np.abs(np.arange(-FARTHEST, FARTHEST + 1))
