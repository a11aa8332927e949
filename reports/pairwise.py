"""Compares every two competitors of a table in each column: is their difference significant?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bench.ground.stats import Comparison
from reports.comparison import BlockColumn, Table
from reports.results import Column, Dataset


@dataclass(frozen=True)
class Matrix:
    """All pairs of competitors in one column, in both orders; the first minus the second.

    duels: with p values Holm-corrected over all pairs of the column; none if it is void. n: the
    number of cases compared. below_floor: the pairs that differ by less than the column's floor.
    """

    dataset: Dataset
    column: Column
    labels: tuple[str, ...]
    duels: Mapping[tuple[str, str], Comparison]
    n: int
    below_floor: frozenset[tuple[str, str]] = frozenset()

    @property
    def n_pairs(self) -> int:
        """How many pairs were compared."""
        return len(self.duels) // 2

    @property
    def n_held(self) -> int:
        """How many of the differences are significant."""
        return sum(duel.holds for duel in self.duels.values()) // 2


def compare_pairs(table: Table) -> list[Matrix]:
    """A matrix for each ranked column, from the comparisons behind its ranks."""
    found: list[Matrix] = []
    for block in table.blocks:
        for one in block.columns:
            is_ranked = one.column.output.better != "none" and not one.column.is_set
            if is_ranked and not one.is_evidence:
                found.append(_matrix(table, block.dataset, one))
    return [matrix for matrix in found if matrix.duels or matrix.column.is_void]


def _matrix(table: Table, dataset: Dataset, one: BlockColumn) -> Matrix:
    pairs = one.standing.pairs
    duels = {**pairs, **{(b, a): _turned(duel) for (a, b), duel in pairs.items()}}
    named = {label for pair in pairs for label in pair}
    labels = tuple(label for label in table.competitors if label in named)
    return Matrix(
        dataset, one.column, labels, duels, one.standing.compared, _below_floor(one, duels)
    )


def _below_floor(one: BlockColumn, pairs: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """The pairs whose means differ by less than the column's floor."""
    floor = one.column.floor
    means = {
        label: entry.interval.mean
        for label, entry in one.standing.entries.items()
        if entry.interval is not None
    }
    return frozenset(
        (first, second)
        for first, second in pairs
        if floor is not None
        and first in means
        and second in means
        and floor.hides(means[first], means[second])
    )


def _turned(duel: Comparison) -> Comparison:
    """The comparison with the two methods exchanged."""
    one = duel.difference
    low = None if one.high is None else -one.high
    high = None if one.low is None else -one.low
    return Comparison(replace(one, mean=-one.mean, low=low, high=high), duel.p_value)
