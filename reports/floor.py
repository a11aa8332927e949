"""The floor of a column: how far it moves where nothing that matters has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Floor:
    """What a column makes of the real video after a light loss of quality.

    levels: by kind of loss, its mean value over n cases. moves: by kind of loss, the mean distance
    of a case's value from that of the real video; empty where the real video has no finite value,
    as in PSNR, which is infinite between equal frames. better: the column's direction.
    """

    better: Literal["higher", "lower", "none"]
    levels: tuple[tuple[str, float], ...]
    moves: tuple[tuple[str, float], ...]
    n: int

    @property
    def mean(self) -> float | None:
        """The mean of the movements; None where there are none."""
        return sum(move for _, move in self.moves) / len(self.moves) if self.moves else None

    @property
    def largest(self) -> float | None:
        """The largest of the movements, below which a difference says nothing."""
        return max((move for _, move in self.moves), default=None)

    @property
    def level(self) -> float | None:
        """Where nothing moves from a finite value: the worst value that the real video gets.

        What is at least as good cannot be told from the real video. None in all other columns.
        """
        if self.moves or self.better == "none":
            return None
        values = [value for _, value in self.levels]
        return min(values, default=None) if self.better == "higher" else max(values, default=None)

    def hides(self, first: float, second: float) -> bool:
        """Whether the difference of two values is below the floor.

        With a level: whether both values are beyond it.
        """
        if self.largest is not None:
            return abs(first - second) < self.largest
        if self.level is None:
            return False
        worse = min(first, second) if self.better == "higher" else max(first, second)
        return worse >= self.level if self.better == "higher" else worse <= self.level

    def hides_difference(self, difference: float) -> bool:
        """Whether a difference is below the floor; False where only a level is known."""
        return self.largest is not None and abs(difference) < self.largest
