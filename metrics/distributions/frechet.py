"""The Frechet distance of two sets of features, each taken for a normal distribution.

Source: Dowson and Landau 1982, doi 10.1016/0047-259X(82)90077-X; Heusel et al. 2017,
arXiv:1706.08500. Variances have N - 1, as in pytorch-fid and torch-fidelity, whose values this
equals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.distributions.feature_rows import Rows

Numbers = NDArray[np.float64]
CHUNK = 1024  # rows in memory as float64 at once


def frechet_distance(first: Rows, second: Rows) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), at least 0; first (N, D), second (M, D).

    At least two rows each. With A' A = S1 and B' B = S2, the eigenvalues of S1 S2 are the squares
    of the singular values of A B', so the trace of the root is their sum. It comes out of a matrix
    of no more rows than there are, and no root is taken of rounding errors, as eigenvalues of S1 S2
    do where there are fewer rows than columns.
    """
    mean_1, root_1 = _mean_and_root(first)
    mean_2, root_2 = _mean_and_root(second)
    shared = np.linalg.svd(root_1 @ root_2.T, compute_uv=False).sum()
    apart = np.square(mean_1 - mean_2).sum()
    return max(0.0, float(apart + np.square(root_1).sum() + np.square(root_2).sum() - 2 * shared))


def _mean_and_root(rows: Rows) -> tuple[Numbers, Numbers]:
    """The mean (D,) of rows (N, D), and a matrix A of at most D rows with A' A = S."""
    count, columns = rows.shape
    mean = rows.mean(axis=0, dtype=np.float64)
    if count <= columns:
        return mean, (rows - mean) / np.sqrt(count - 1)
    covariance = np.zeros((columns, columns))
    for start in range(0, count, CHUNK):
        part = rows[start : start + CHUNK] - mean
        covariance += part.T @ part
    values, vectors = np.linalg.eigh(covariance / (count - 1))
    return mean, np.sqrt(values.clip(min=0.0))[:, None] * vectors.T
