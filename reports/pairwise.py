"""Every two competitors of a table, column by column: is the difference between them real?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from bench.stats import Interval, compare, holm, shared_cases
from reports.comparison import SIGNIFICANT, Block, BlockColumn, Table
from reports.results import Column, Dataset, Results


@dataclass(frozen=True)
class Duel:
    """Two methods on the same cases: first minus second; p after Holm's correction in the column.

    holds: whether both the test and the interval tell them apart. The test takes cases as
    independent, the interval does not; neither alone is enough.
    """

    difference: Interval
    p_value: float

    @property
    def holds(self) -> bool:
        """Whether the difference is real as far as these cases can tell."""
        return self.p_value < SIGNIFICANT and self.difference.excludes_zero

    @property
    def reverse(self) -> Duel:
        """The same from the other's side."""
        one = self.difference
        low = None if one.high is None else -one.high
        high = None if one.low is None else -one.low
        turned = Interval(-one.mean, low, high, one.n, one.n_clusters, one.resampled)
        return Duel(turned, self.p_value)


@dataclass(frozen=True)
class Matrix:
    """One column of a table: every two of its competitors, both ways. n: cases they stand on."""

    dataset: Dataset
    column: Column
    labels: tuple[str, ...]
    duels: Mapping[tuple[str, str], Duel]
    n: int

    @property
    def n_pairs(self) -> int:
        """How many pairs were compared."""
        return len(self.duels) // 2

    @property
    def n_held(self) -> int:
        """How many of the differences hold."""
        return sum(duel.holds for duel in self.duels.values()) // 2


def compare_pairs(results: Results, table: Table) -> list[Matrix]:
    """A matrix for each ranked column, on the cases that its means stand on."""
    found = (_matrix(results, table, block, one) for block, one in _ranked(table))
    return [matrix for matrix in found if matrix is not None]


def _ranked(table: Table) -> Iterator[tuple[Block, BlockColumn]]:
    for block in table.blocks:
        for one in block.columns:
            if not (one.is_evidence or one.column.is_set or one.column.output.better == "none"):
                yield block, one


def _matrix(results: Results, table: Table, block: Block, one: BlockColumn) -> Matrix | None:
    entries = one.standing.entries
    values = {
        row.label: results.scores(block.dataset, row.label, one.column, kind="reconstruct").values
        for row in table.rows
        if entries[row.label].state == "value" and not entries[row.label].is_apart
    }
    cases = shared_cases([values[label] for label in sorted(values)])
    labels = tuple(label for label in table.competitors if label in values)
    if len(labels) < 2 or not cases:
        return None
    same = {label: {case: values[label][case] for case in cases} for label in labels}
    speakers = block.dataset.speakers
    tested = {
        pair: found
        for pair in combinations(labels, 2)
        if (found := compare(same[pair[0]], same[pair[1]], speakers, seed=results.seed))
    }
    corrected = holm([found.p_value for found in tested.values()])
    duels: dict[tuple[str, str], Duel] = {}
    for ((first, second), found), p_value in zip(tested.items(), corrected, strict=True):
        assert p_value is not None  # every pair was tested
        duels[first, second] = Duel(found.difference, p_value)
        duels[second, first] = duels[first, second].reverse
    return Matrix(block.dataset, one.column, labels, duels, len(cases))
