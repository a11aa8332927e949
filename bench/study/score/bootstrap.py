"""The pigeonhole bootstrap: means over raters and clips with intervals for both.

Raters and clips are crossed random effects: another study would ask other people about other clips.
The pigeonhole bootstrap (Owen 2007, Annals of Applied Statistics 1(2), 386-411) draws raters and,
independently, clips with replacement; a rating's weight is its rater's count times its clip's. No
bootstrap is exact for crossed effects (McCullagh 2000). This one is conservative: it counts the
residual variance up to three times, so intervals tend to be too wide, above all if raters differ
little in level but answer noisily.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bench.ground.stats import LEVEL, RESAMPLES
from bench.study.score.ratings import Floats, quotients
from bench.study.score.scores import Estimate

EMPTY_MOST = 0.05  # largest share of draws without any of a method's ratings


@dataclass(frozen=True)
class Draws:
    """The count of each rater, (B, R) float64, and of each clip, (B, C) float64, in each draw."""

    raters: Floats
    clips: Floats


@dataclass(frozen=True)
class Bootstrap:
    """Determines all draws: equal seeds and equal numbers of raters and clips give equal draws."""

    seed: int = 0
    resamples: int = RESAMPLES

    def draw(self, raters: int, clips: int) -> Draws:
        """Draws this many raters and clips with replacement; a single one is part of every draw."""
        return _draw(self.seed, self.resamples, raters, clips)


def mean_estimate(values: Floats, bootstrap: Bootstrap) -> Estimate:
    """The mean of `values`, (R, C) with NaN for a missing rating, with its interval.

    n counts ratings. Raters and clips without a rating in `values` are not drawn.
    """
    there = ~np.isnan(values)
    values = values[there.any(axis=1)][:, there.any(axis=0)]
    count = int(there.sum())
    if count == 0:
        return Estimate(None, None, None, 0, "nobody rated it")
    drawn = drawn_means(values, bootstrap.draw(*values.shape))
    return with_interval(float(np.nanmean(values)), drawn, count)


def drawn_means(values: Floats, draws: Draws) -> Floats:
    """The mean of `values`, (R, C) with NaN for a missing rating, in each draw: (B,).

    NaN for a draw without any rating.
    """
    there = ~np.isnan(values)  # (R, C)
    sums = ((draws.raters @ np.where(there, values, 0.0)) * draws.clips).sum(axis=1)  # (B,)
    counts = ((draws.raters @ there.astype(np.float64)) * draws.clips).sum(axis=1)  # (B,)
    return quotients(sums, counts)


def with_interval(value: float, drawn: Floats, count: int) -> Estimate:
    """The value with the percentile interval of its draws, (B,), or with the reason for none."""
    if count < 2:
        return Estimate(value, None, None, count, "no interval: only one rating")
    missed = float(np.isnan(drawn).mean())
    if missed > EMPTY_MOST:
        reason = f"no interval: too few ratings, {missed:.0%} of the draws give no value"
        return Estimate(value, None, None, count, reason)
    tail = (1.0 - LEVEL) / 2.0
    low, high = np.nanquantile(drawn, [tail, 1.0 - tail])
    return Estimate(value, float(low), float(high), count)


@lru_cache(maxsize=16)  # a study needs the same few sizes repeatedly
def _draw(seed: int, resamples: int, raters: int, clips: int) -> Draws:
    generator = np.random.default_rng([seed, raters, clips])
    return Draws(
        _multiplicities(generator, raters, resamples), _multiplicities(generator, clips, resamples)
    )


def _multiplicities(generator: np.random.Generator, units: int, resamples: int) -> Floats:
    if units < 2:
        return np.ones((resamples, units))  # (B, units)
    counts: Floats = generator.multinomial(units, [1.0 / units] * units, size=resamples).astype(
        np.float64
    )  # (B, units)
    counts.setflags(write=False)
    return counts
