"""Inter-rater agreement: Krippendorff's alpha for ordinal ratings, and intraclass correlation.

Alpha follows Krippendorff (2011), "Computing Krippendorff's alpha-reliability". It is implemented
here because the package `krippendorff` is GPL; tests check it against his example and against the
definition.

ICC(2,1) and ICC(2,k) are those of Shrout and Fleiss (1979): absolute agreement with random raters
and videos, for a single rating and for the mean over k raters. If not every rater rated every
video, the variance components come from Henderson's method 1 (Henderson 1953, Biometrics 9,
226-252), k is the harmonic mean of the number of raters per video, and the coefficient is ICC(A,k)
of ten Hove, Jorgensen and van der Ark (2022, doi 10.1037/met0000516); it equals ICC(2,k) for
complete ratings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.ground.stats import LEVEL
from bench.study.answers import HIGHEST, LOWEST
from bench.study.score.bootstrap import Bootstrap
from bench.study.score.ratings import Floats, Ratings
from bench.study.score.scores import Agreement, Estimate

CLIPS_LEAST = 5  # fewer clips are too few to resample for an interval
_NEAR_ZERO = 1e-12

_ALL_SAME = "all ratings are equal, so no disagreement is expected"
_NO_PAIR = "no video has two ratings"


@dataclass(frozen=True)
class Components:
    """The variance components of videos, raters and residual."""

    video: float
    rater: float
    residual: float


def agreement(ratings: Ratings, bootstrap: Bootstrap) -> Agreement:
    """Both coefficients for one question.

    The interval of alpha resamples clips, each with all of its videos, but not raters: a rater
    drawn twice would agree with themselves.
    """
    active = int((~np.isnan(ratings.values)).any(axis=(1, 2)).sum())
    alpha = _alpha(ratings, bootstrap)
    average, single = intraclass(ratings.items)
    return Agreement(ratings.question, active, alpha, average, single)


# ---- Krippendorff's alpha -------------------------------------------------------------------


def ordinal_alpha(values: Floats) -> float | None:
    """Krippendorff's alpha of ratings (R raters, I items) with NaN for a missing rating, or None.

    At most 1; 0 is chance agreement, below 0 systematic disagreement. None (undefined) if no item
    has two ratings or all ratings are equal.
    """
    return _from_coincidences(_coincidences(values).sum(axis=0)[None])[0]


def _alpha(ratings: Ratings, bootstrap: Bootstrap) -> Estimate:
    flat = ratings.values.transpose(0, 2, 1)  # (R, M, C)
    n_raters, n_methods, n_clips = flat.shape
    single = _coincidences(flat.reshape(n_raters, -1))  # (M * C, V, V)
    by_clip = single.reshape(n_methods, n_clips, *single.shape[1:]).sum(axis=0)  # (C, V, V)
    by_clip = by_clip[by_clip.sum(axis=(1, 2)) > 0]
    pairable = int((single.sum(axis=(1, 2)) > 0).sum())
    value = _from_coincidences(by_clip.sum(axis=0)[None])[0]
    if value is None:
        return Estimate(None, None, None, pairable, _ALL_SAME if pairable else _NO_PAIR)
    if len(by_clip) < CLIPS_LEAST:
        reason = f"no interval: fewer than {CLIPS_LEAST} clips to draw from"
        return Estimate(value, None, None, pairable, reason)
    clips = bootstrap.draw(1, len(by_clip)).clips  # (B, C)
    drawn = _from_coincidences(np.tensordot(clips, by_clip, axes=1))
    defined = [one for one in drawn if one is not None]
    tail = (1.0 - LEVEL) / 2.0
    low, high = np.quantile(defined, [tail, 1.0 - tail])
    return Estimate(value, float(low), float(high), pairable)


def _coincidences(values: Floats) -> Floats:
    """Each item's coincidence matrix, (I, V, V): pairs of ratings / (number of ratings - 1)."""
    scale = np.arange(LOWEST, HIGHEST + 1)
    counts = (values[:, :, None] == scale).sum(axis=0).astype(np.float64)  # (I, V)
    rated = counts.sum(axis=1)  # (I,)
    pairs = counts[:, :, None] * counts[:, None, :]  # (I, V, V)
    pairs -= counts[:, :, None] * np.eye(len(scale))  # no rating is paired with itself
    pairable = rated >= 2
    return np.where(pairable[:, None, None], pairs / np.maximum(rated - 1, 1)[:, None, None], 0.0)


def _from_coincidences(coincidences: Floats) -> list[float | None]:
    """Alpha of each of B coincidence matrices, (B, V, V)."""
    totals = coincidences.sum(axis=2)  # (B, V): how often each value is in a pair
    n = totals.sum(axis=1)  # (B,)
    upto = totals.cumsum(axis=1)  # (B, V)
    # Ordinal distance of c and k: the number of ratings from c to k, those of c and k counted half,
    # squared.
    middles = upto - totals / 2.0
    distance = (middles[:, :, None] - middles[:, None, :]) ** 2  # (B, V, V)
    observed = (coincidences * distance).sum(axis=(1, 2))
    expected = (totals[:, :, None] * totals[:, None, :] * distance).sum(axis=(1, 2))
    return [
        None if there < 2 or by_chance <= 0 else float(1.0 - (there - 1.0) * seen / by_chance)
        for there, seen, by_chance in zip(n, observed, expected, strict=True)
    ]


# ---- intraclass correlation -----------------------------------------------------------------


def intraclass(values: Floats) -> tuple[Estimate, Estimate]:
    """ICC(2,k) and ICC(2,1) of ratings (R raters, I videos) with NaN for a missing rating.

    n counts videos. The interval follows McGraw and Wong (1996) and needs complete ratings.
    """
    there = ~np.isnan(values)
    values = values[there.any(axis=1)][:, there.any(axis=0)]
    n_raters, n_items = values.shape
    if n_raters < 2 or n_items < 2:
        return _twice(n_items, "needs at least two raters and two videos")
    components = variance_components(values)
    if components is None:
        return _twice(n_items, "the variances of raters and videos cannot be told apart: too few "
                      "videos were rated by several raters")  # fmt: skip
    total = components.video + components.rater + components.residual
    if total <= _NEAR_ZERO:
        return _twice(n_items, _ALL_SAME)
    per_item = (~np.isnan(values)).sum(axis=0)  # (I,)
    k = float(n_items / (1.0 / per_item).sum())
    single = components.video / total
    spread = components.video + (components.rater + components.residual) / k
    if spread <= _NEAR_ZERO:
        return _twice(n_items, "the estimated variances do not leave a positive total")
    average = components.video / spread
    if max(single, average) > 1.0 + _NEAR_ZERO:
        return _twice(n_items, "a variance is estimated below zero: too few videos with two raters")
    if np.isnan(values).any():
        reason = "no interval: not every rater rated every video"
        return (
            Estimate(average, None, None, n_items, reason),
            Estimate(single, None, None, n_items, reason),
        )
    return _with_interval(values, average=average, single=single)


def variance_components(values: Floats) -> Components | None:
    """Henderson's method 1 for ratings (R, I) with NaN for a missing rating; None if unsolvable.

    For complete ratings the result equals that of the mean squares of a two-way ANOVA. Estimates
    may be negative.
    """
    there = ~np.isnan(values)
    known = np.where(there, values - np.nanmean(values), 0.0)  # centred for numerical stability
    by_item, by_rater = there.sum(axis=0), there.sum(axis=1)  # (I,), (R,)
    n, n_items, n_raters = int(there.sum()), len(by_item), len(by_rater)
    quadratics = (
        np.array(
            [
                (known**2).sum(),
                (known.sum(axis=0) ** 2 / by_item).sum(),
                (known.sum(axis=1) ** 2 / by_rater).sum(),
            ]
        )
        - known.sum() ** 2 / n
    )
    # Expectations in terms of the variances of items, raters and residual.
    shared = np.array([(by_item**2).sum() / n, (by_rater**2).sum() / n, 1.0])
    expected = np.array([[n, n, n], [n, n_items, n_items], [n_raters, n, n_raters]]) - shared
    if np.linalg.matrix_rank(expected) < 3:
        return None
    video, rater, residual = (float(one) for one in np.linalg.solve(expected, quadratics))
    return Components(video, rater, residual)


def _with_interval(values: Floats, *, average: float, single: float) -> tuple[Estimate, Estimate]:
    """McGraw and Wong's (1996, table 7) interval of ICC(A,1), and by Spearman-Brown of ICC(A,k)."""
    k, n = values.shape
    low, high = _single_interval(*_mean_squares(values), single=single, k=k, n=n)
    if low is None or high is None:
        reason = "no interval: raters differ too little"
        return (
            Estimate(average, None, None, n, reason),
            Estimate(single, None, None, n, reason),
        )
    pole = -1.0 / (k - 1)  # at this ICC(A,1), ICC(A,k) tends to minus infinity
    if low <= pole + _NEAR_ZERO:
        reason = "no interval: its lower end is unbounded, raters agree less than by chance"
        return Estimate(average, None, None, n, reason), Estimate(single, low, high, n)
    return (
        Estimate(average, _of_average(low, k), _of_average(high, k), n),
        Estimate(single, low, high, n),
    )


def _single_interval(
    rows: float, columns: float, error: float, *, single: float, k: int, n: int
) -> tuple[float, float] | tuple[None, None]:
    """Both ends for ICC(A,1) from the mean squares; (None, None) if a denominator is zero."""
    import scipy.stats

    if 1.0 - single <= _NEAR_ZERO:
        return None, None
    a = k * single / (n * (1.0 - single))
    b = 1.0 + k * single * (n - 1) / (n * (1.0 - single))
    parts = (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    if parts <= _NEAR_ZERO:
        return None, None
    freedom = (a * columns + b * error) ** 2 / parts
    tail = 1.0 - (1.0 - LEVEL) / 2.0
    below = float(scipy.stats.f.ppf(tail, n - 1, freedom))
    above = float(scipy.stats.f.ppf(tail, freedom, n - 1))
    rest = k * columns + (k * n - k - n) * error
    low = n * (rows - below * error) / (below * rest + n * rows)
    high = n * (above * rows - error) / (rest + n * above * rows)
    return (low, high) if np.isfinite([low, high]).all() else (None, None)


def _mean_squares(values: Floats) -> tuple[float, float, float]:
    """The mean squares of videos, raters and residual of complete ratings (k raters, n videos)."""
    k, n = values.shape
    mean = values.mean()
    of_items, of_raters = values.mean(axis=0), values.mean(axis=1)
    residual = values - of_items[None, :] - of_raters[:, None] + mean
    rows = float(k * ((of_items - mean) ** 2).sum() / (n - 1))
    columns = float(n * ((of_raters - mean) ** 2).sum() / (k - 1))
    return rows, columns, float((residual**2).sum() / ((n - 1) * (k - 1)))


def _of_average(single: float, k: int) -> float:
    return k * single / (1.0 + (k - 1) * single)


def _twice(n: int, reason: str) -> tuple[Estimate, Estimate]:
    undefined = Estimate(None, None, None, n, reason)
    return undefined, undefined
