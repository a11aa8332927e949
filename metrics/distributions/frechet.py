"""The Frechet distance of two sets of features, each taken for a normal distribution.

Source: Dowson and Landau 1982, doi 10.1016/0047-259X(82)90077-X; Heusel et al. 2017,
arXiv:1706.08500. Variances have N - 1, as in pytorch-fid and torch-fidelity, whose values this
equals.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from metrics.distributions.feature_rows import Rows

Numbers = NDArray[np.float64]
CHUNK = 1024  # rows in memory as float64 at once


def frechet_distance(
    first: Rows, second: Rows, *, kept: NDArray[np.bool_] | None = None, fast: bool = False
) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), at least 0; first (N, D), second (M, D).

    At least two rows each. With A' A = S1 and B' B = S2, the eigenvalues of S1 S2 are the squares
    of the singular values of A B', so the trace of the root is their sum. A has as many rows as
    there are, at most D; and no root is taken of rounding errors, as with the eigenvalues of S1 S2
    where there are fewer rows than columns.
    kept: (N,), the rows of both sides that count; all without it. fast: the singular values come
    from eigenvalues, three times faster and right to about 1e-7 of the traces.
    """
    mean_1, root_1 = _mean_and_root(first, kept)
    mean_2, root_2 = _mean_and_root(second, kept)
    crossed = root_1 @ root_2.T
    if fast:
        shared = np.sqrt(np.linalg.eigvalsh(crossed @ crossed.T).clip(min=0.0)).sum()
    else:
        shared = np.linalg.svd(crossed, compute_uv=False).sum()
    apart = np.square(mean_1 - mean_2).sum()
    return max(0.0, float(apart + np.square(root_1).sum() + np.square(root_2).sum() - 2 * shared))


def _mean_and_root(rows: Rows, kept: NDArray[np.bool_] | None) -> tuple[Numbers, Numbers]:
    """The mean (D,) of rows (N, D), and a matrix A of at most D rows with A' A = S.

    Never are all rows in memory, unless they are fewer than D.
    """
    columns = rows.shape[1]
    count = len(rows) if kept is None else int(kept.sum())
    mean = sum((part.sum(axis=0) for part in _parts(rows, kept)), np.zeros(columns)) / count
    if count <= columns:
        centred = np.concatenate([part - mean for part in _parts(rows, kept)])
        return mean, centred / np.sqrt(count - 1)
    covariance = np.zeros((columns, columns))
    for part in _parts(rows, kept):
        part -= mean
        covariance += part.T @ part
    values, vectors = np.linalg.eigh(covariance / (count - 1))
    return mean, np.sqrt(values.clip(min=0.0))[:, None] * vectors.T


def _parts(rows: Rows, kept: NDArray[np.bool_] | None) -> Iterator[Numbers]:
    """The rows that count, some at a time, in float64."""
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        yield np.array(part if kept is None else part[kept[start : start + CHUNK]], np.float64)
