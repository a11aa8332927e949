"""Correlation coefficients of weighted pairs: Pearson's r, Spearman's rho, Kendall's tau-b.

A bootstrap counts every pair a number of times; each function does that for all draws at once.
"""

from __future__ import annotations

import numpy as np

from bench.study.score.ratings import Floats

_PAIRS_AT_ONCE = 2_000_000  # of points; bounds the memory of Kendall's tau for any number of them


def weighted_pearson(first: Floats, second: Floats, weights: Floats) -> Floats:
    """Pearson's r in each of B rows of N pairs, each pair counted `weights` (B, N) times: (B,).

    NaN in rows where one of the two is constant.
    """
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        one = first - (first * weights).sum(axis=1, keepdims=True) / total
        other = second - (second * weights).sum(axis=1, keepdims=True) / total
        joint = (weights * one * other).sum(axis=1)
        own = (weights * one**2).sum(axis=1) * (weights * other**2).sum(axis=1)
        least = 1e-24 * (weights * first**2).sum(axis=1) * (weights * second**2).sum(axis=1)
        r = joint / np.sqrt(np.where(own > np.maximum(least, 0.0), own, np.nan))
    clipped: Floats = np.clip(r, -1.0, 1.0)
    return clipped


def weighted_spearman(first: Floats, second: Floats, weights: Floats) -> Floats:
    """Spearman's rho in each of B rows of N pairs, each pair counted `weights` (B, N) times: (B,).

    Ties have mean ranks. NaN in rows where one of the two is constant.
    """
    return weighted_pearson(_ranks(first, weights), _ranks(second, weights), weights)


def weighted_kendall(first: Floats, second: Floats, weights: Floats) -> Floats:
    """Kendall's tau-b of two (N,) arrays, each pair counted `weights` (B, N) times: (B,).

    A pair that was drawn twice is tied with itself. NaN where one of the two is constant.
    """
    count = len(first)
    step = max(1, _PAIRS_AT_ONCE // max(count, 1))
    joint = np.zeros(len(weights))
    untied = np.zeros((2, len(weights)))
    for start in range(0, count, step):  # rows of the table of all pairs of points
        rows = slice(start, start + step)
        one = np.sign(first[rows, None] - first[None, :])  # (n, N)
        other = np.sign(second[rows, None] - second[None, :])
        own = weights[:, rows]  # (B, n)
        joint += ((own @ (one * other)) * weights).sum(axis=1)
        untied[0] += ((own @ np.abs(one)) * weights).sum(axis=1)
        untied[1] += ((own @ np.abs(other)) * weights).sum(axis=1)
    return _tau(joint, untied)


def kendall(first: Floats, second: Floats) -> Floats:
    """Kendall's tau-b in each of B rows of N pairs: (B,). NaN in rows where one is constant."""
    step = max(1, _PAIRS_AT_ONCE // max(first.shape[1] ** 2, 1))
    found = [np.zeros(0)]
    for start in range(0, len(first), step):
        one, other = (  # (b, N, N)
            np.sign(part[:, :, None] - part[:, None, :])
            for part in (first[start : start + step], second[start : start + step])
        )
        joint = (one * other).sum(axis=(1, 2))
        found.append(_tau(joint, np.stack([np.abs(own).sum(axis=(1, 2)) for own in (one, other)])))
    return np.concatenate(found)


def _tau(joint: Floats, untied: Floats) -> Floats:
    """Tau-b of (B,) sums of signs and the (2, B) numbers of untied pairs: (B,)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        tau = joint / np.sqrt(np.where((untied > 0).all(axis=0), untied.prod(axis=0), np.nan))
    clipped: Floats = np.clip(tau, -1.0, 1.0)
    return clipped


def _ranks(values: Floats, weights: Floats) -> Floats:
    """The mean rank of each of (B, N) values in its row, each counted `weights` (B, N) times."""
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    upto = np.take_along_axis(weights, order, axis=1).cumsum(axis=1)  # (B, N)
    differs = np.diff(ordered, axis=1) != 0  # (B, N - 1)
    starts = np.concatenate([np.ones_like(differs[:, :1]), differs], axis=1)
    ends = np.concatenate([differs, np.ones_like(differs[:, :1])], axis=1)
    before = np.concatenate([np.zeros((len(upto), 1)), upto[:, :-1]], axis=1)
    below = np.maximum.accumulate(np.where(starts, before, 0.0), axis=1)
    above = np.where(ends, upto, np.inf)[:, ::-1]
    above = np.minimum.accumulate(above, axis=1)[:, ::-1]
    ranks = np.empty_like(values)
    np.put_along_axis(ranks, order, (below + above + 1.0) / 2.0, axis=1)
    return ranks
