"""The kernel distance of two sets of features: squared maximum mean discrepancy, unbiased.

Source: Binkowski et al. 2018, arXiv:1801.01401 (KID); Gretton et al. 2012, JMLR 13, lemma 6;
toshas/torch-fidelity 0.4.0, metric_kid.py, whose settings these are.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from metrics.distributions.feature_rows import Rows

Numbers = NDArray[np.float64]
SUBSETS, SUBSET = 100, 1000  # draws, and features of each
SEED = 2020
MOST = 4000  # rows that tell how the distance moves from clip to clip
CHUNK = 512  # rows of the kernel in memory at once


def kernel(first: NDArray[np.float64], second: NDArray[np.float64]) -> Numbers:
    """(x.y / D + 1)^3 for all pairs of rows of (N, D) and (M, D)."""
    base = first @ second.T / first.shape[1] + 1.0
    return np.asarray(base * base * base)  # `** 3` would call pow() for each pair


def kernel_distance(first: Rows, second: Rows) -> float:
    """The mean over subsets of what `_unbiased` gives; may come out below 0.

    A subset has 1000 features of each side, or all where there are fewer: then there is but one.
    """
    size = min(SUBSET, len(first), len(second))
    if size == len(first) == len(second):
        return _unbiased(first, second)
    draw = np.random.default_rng(SEED)
    values = [
        _unbiased(*(rows[np.sort(draw.choice(len(rows), size, replace=False))] for rows in sides))
        for sides in [(first, second)] * SUBSETS
    ]
    return float(np.mean(values))


def _unbiased(first: Rows, second: Rows) -> float:
    """Mean kernel within each side, pairs of a row with itself left out, less twice that across."""
    return _distance(*block_sums(first, second, np.zeros(len(first), int)))


def block_sums(
    first: Rows, second: Rows, blocks: NDArray[np.int64]
) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Sums of the kernel between blocks of rows, (G, G) within each side and across; and sizes.

    blocks: which block each row of both sides belongs to, (N,). Pairs of a row with itself are left
    out within a side.
    """
    count = int(blocks.max()) + 1
    member = np.eye(count)[blocks]  # (N, G)
    sums = [np.zeros((count, count)) for _ in range(3)]
    left, right = first.astype(np.float64), second.astype(np.float64)
    for total, (one, other) in zip(
        sums, ((left, left), (right, right), (left, right)), strict=True
    ):
        for rows in _chunks(len(one)):
            values = kernel(one[rows], other)
            if one is other:
                values[np.arange(len(values)), np.arange(len(one))[rows]] = 0.0
            total += member[rows].T @ values @ member
    return sums[0], sums[1], sums[2], member.sum(axis=0)


def _distance(within_1: Numbers, within_2: Numbers, across: Numbers, sizes: Numbers) -> float:
    """The distance from sums between blocks; both sides have as many rows."""
    n = float(sizes.sum())
    inner = (within_1.sum() + within_2.sum()) / (n * (n - 1))
    return float(inner - 2.0 * across.sum() / n**2)


def without_each_block(first: Rows, second: Rows, blocks: NDArray[np.int64]) -> Iterator[float]:
    """The distance of all rows but those of one block, for each block.

    Of more than 4,000 rows, so many evenly taken ones stand for all.
    """
    step = -(-len(first) // MOST)
    within_1, within_2, across, sizes = block_sums(first[::step], second[::step], blocks[::step])
    for left_out in range(len(sizes)):
        kept = np.arange(len(sizes)) != left_out
        chosen = np.ix_(kept, kept)
        yield _distance(within_1[chosen], within_2[chosen], across[chosen], sizes[kept])


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, count, CHUNK))
