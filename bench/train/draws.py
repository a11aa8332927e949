"""Draws clips to train on, so that a data set or speaker with many clips does not dominate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Drawn = TypeVar("Drawn")


class Draw(Generic[Drawn]):
    """Draws clips by their group: a data set, a speaker.

    power: a group's probability is proportional to its number of clips to this power. 0: all groups
    are equally likely; 1: all clips are. Within a group, all clips are equally likely.
    """

    def __init__(
        self, clips: Sequence[Drawn], *, group: Callable[[Drawn], object], power: float
    ) -> None:
        self.clips = list(clips)
        names = sorted({group(clip) for clip in clips})  # type: ignore[type-var]
        self._groups = [[clip for clip in clips if group(clip) == name] for name in names]
        sizes = {name: len(own) for name, own in zip(names, self._groups, strict=True)}
        self._by_group = _shares([len(own) ** power for own in self._groups])
        self._by_clip = _shares([sizes[group(clip)] ** (power - 1.0) for clip in clips])

    def one(self, random: np.random.Generator) -> Drawn:
        """One clip."""
        own = self._groups[int(random.choice(len(self._groups), p=self._by_group))]
        return own[int(random.integers(len(own)))]

    def several(self, count: int, random: np.random.Generator) -> NDArray[np.int64]:
        """Indices into `clips`, (count,), all different if there are enough clips."""
        is_repeated = count > len(self.clips)
        return random.choice(len(self.clips), count, replace=is_repeated, p=self._by_clip)


def _shares(weights: Sequence[float]) -> NDArray[np.float64]:
    numbers = np.array(weights, dtype=np.float64)
    return np.asarray(numbers / numbers.sum())
