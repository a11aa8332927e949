"""Statistics of a comparison: intervals for clustered clips, paired tests, correction, ranks.

Clips of one speaker resemble each other, so the interval of a mean resamples speakers, not clips.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000  # bootstrap draws; the interval's random error is then below 2 % of its width
LEVEL = 0.95
SIGNIFICANT = 0.05
_ALL_SIGNS = 13  # differences of which all combinations of signs are counted
_DRAWS_AT_ONCE = 2_000_000  # bounds the memory of one batch of draws for any number of clips

Unit = Literal["speaker", "clip", "none"]


@dataclass(frozen=True)
class Interval:
    """A mean with its bootstrap interval.

    low, high: None where there is no interval (fewer than two values).
    n: the number of values. n_clusters: of speakers among them. resampled: what the bootstrap drew:
    "speaker" with at least two speakers, "clip" with one, "none" without an interval.
    """

    mean: float
    low: float | None
    high: float | None
    n: int
    n_clusters: int
    resampled: Unit

    @property
    def excludes_zero(self) -> bool:
        """Whether zero is outside the interval; False without an interval."""
        if self.low is None or self.high is None:
            return False
        return self.low > 0.0 or self.high < 0.0


@dataclass(frozen=True)
class Comparison:
    """Two methods on their shared cases: the mean difference, first minus second, and its test."""

    difference: Interval
    p_value: float

    @property
    def holds(self) -> bool:
        """Whether the difference is significant, by the test and by the interval.

        The test treats clips as independent, the interval does not; neither alone is enough. With a
        corrected p value the answer is corrected, too.
        """
        return self.p_value < SIGNIFICANT and self.difference.excludes_zero


def mean_interval(
    values: Sequence[float],
    clusters: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """The mean of `values` with a percentile bootstrap interval that resamples whole clusters.

    Each resample draws as many clusters as there are, with replacement and with all their values,
    and averages over the values. With one cluster the values themselves are drawn. The same
    arguments give the same interval. Raises ValueError without values, or if the lengths differ.
    """
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values but {len(clusters)} cluster names")
    if not values:
        raise ValueError("a mean needs at least one value")
    array = np.asarray(values, dtype=np.float64)  # (N,)
    member, speakers, unit = _units(clusters)
    if unit == "none":
        return Interval(float(array.mean()), None, None, len(array), speakers, unit)
    sums = np.bincount(member, weights=array).astype(np.float64)  # (G,)
    sizes = np.bincount(member).astype(np.float64)  # (G,)
    low, high = _middle_part(_resampled_means(sums, sizes, seed, resamples), level)
    return Interval(float(array.mean()), low, high, len(array), speakers, unit)


def ratio_interval(
    upper: Sequence[float], lower: Sequence[float], clusters: Sequence[str], *, seed: int = 0
) -> Interval:
    """The mean of `upper` by the mean of `lower`, with a bootstrap interval over whole clusters.

    As `mean_interval`, with the same draws for both; a draw whose mean of `lower` is not above 0
    has no ratio and is left out, and without any other there is no interval. Raises ValueError
    without values, if the lengths differ, or if the mean of `lower` is not above 0.
    """
    if not len(upper) == len(lower) == len(clusters):
        raise ValueError(f"{len(upper)} and {len(lower)} values, {len(clusters)} cluster names")
    if sum(lower) <= 0.0:
        raise ValueError("a ratio needs a mean above 0 below the line")
    mean = sum(upper) / sum(lower)
    member, speakers, unit = _units(clusters)
    if unit == "none":
        return Interval(mean, None, None, len(upper), speakers, unit)
    ones = np.ones(int(member.max()) + 1)
    above, below = (
        _resampled_means(
            np.bincount(member, weights=np.asarray(side)).astype(np.float64), ones, seed, RESAMPLES
        )
        for side in (upper, lower)
    )
    drawn = above[below > 0.0] / below[below > 0.0]
    if not len(drawn):
        return Interval(mean, None, None, len(upper), speakers, "none")
    low, high = _middle_part(drawn, LEVEL)
    return Interval(mean, low, high, len(upper), speakers, unit)


def share_interval(
    hits: Sequence[bool],
    clusters: Sequence[str],
    *,
    seed: int = 0,
    level: float = LEVEL,
    exact: bool = False,
) -> Interval:
    """The share of hits, with an interval that has a width even if all clips agree.

    The interval spans two: Wilson's over clips (Wilson 1927), which allows for luck in 20 of 20,
    and the bootstrap over speakers, which allows for the likeness of a speaker's clips. exact: uses
    Clopper and Pearson's (1934) instead of Wilson's, for a verdict: its coverage is at least the
    level, however few the clips. Raises ValueError as `mean_interval` does.
    """
    drawn = mean_interval([float(hit) for hit in hits], clusters, seed=seed, level=level)
    low, high = (_clopper_pearson if exact else _wilson)(sum(hits), len(hits), level)
    if drawn.low is None or drawn.high is None:
        return replace(drawn, low=low, high=high, resampled="clip")
    return replace(drawn, low=min(low, drawn.low), high=max(high, drawn.high))


def _wilson(hits: int, count: int, level: float) -> tuple[float, float]:
    share = hits / count
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    spread = share * (1 - share) / count + z**2 / (4 * count**2)
    reach = z * math.sqrt(spread) / (1 + z**2 / count)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _clopper_pearson(hits: int, count: int, level: float) -> tuple[float, float]:
    import scipy.stats

    found = scipy.stats.binomtest(hits, count).proportion_ci(level, method="exact")
    return float(found.low), float(found.high)


def area_under_curve(
    first: Sequence[float], second: Sequence[float], clusters: Sequence[str], *, seed: int = 0
) -> Interval:
    """How often a value of `first` is above a value of `second`, over all pairs; a tie is half.

    This is the area under the ROC curve (Mann and Whitney 1947): 0.5 if the two do not differ, 1 if
    a threshold separates them. `first[k]` and `second[k]` belong to one clip, `clusters[k]` is its
    speaker. The interval is a percentile bootstrap over speakers with all their values (over clips
    if there is one speaker); a speaker drawn twice is not compared with its copy, which would
    overweight pairs within a speaker. Raises ValueError without values, or if the lengths differ.
    """
    if not len(first) == len(second) == len(clusters):
        raise ValueError(f"{len(first)} and {len(second)} values, {len(clusters)} cluster names")
    if not first:
        raise ValueError("an area needs at least one value on each side")
    rows = np.asarray(first, dtype=np.float64)[:, None]
    columns = np.asarray(second, dtype=np.float64)[None, :]
    above = (rows > columns) + 0.5 * (rows == columns)  # (N, N)
    member, speakers, unit = _units(clusters)
    if unit == "none":
        return Interval(float(above.mean()), None, None, len(first), speakers, unit)
    count = int(member.max()) + 1
    joined = np.zeros((count, count))
    np.add.at(joined, (member[:, None], member[None, :]), above)  # (G, G), by pair of speakers
    sizes = np.bincount(member).astype(np.float64)  # (G,)
    generator = np.random.default_rng(seed)
    times = generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)  # (R, G)
    pairs = np.outer(sizes, sizes)  # (G, G)

    def summed(table: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum over all pairs of a resample, (R,)."""
        of_one = np.diag(table)
        every = ((times @ table) * times).sum(axis=1)
        drawn: NDArray[np.float64] = every - (times**2 - times) @ of_one
        return drawn

    areas = summed(joined) / summed(pairs)
    low, high = _middle_part(areas, LEVEL)
    return Interval(float(above.mean()), low, high, len(first), speakers, unit)


def _units(clusters: Sequence[str]) -> tuple[NDArray[np.intp], int, Unit]:
    """What a bootstrap draws: each value's unit, (N,), the number of speakers, and the unit's name.

    clusters: each value's speaker. Speakers are drawn; of one speaker, his clips; of one value,
    nothing.
    """
    names, member = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    if len(names) > 1:
        return member, len(names), "speaker"
    return np.arange(len(clusters)), len(names), "clip" if len(clusters) > 1 else "none"


def _middle_part(drawn: NDArray[np.float64], level: float) -> tuple[float, float]:
    """The bounds of the middle `level` of what was drawn: a percentile interval."""
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return float(low), float(high)


def _resampled_means(
    sums: NDArray[np.float64], sizes: NDArray[np.float64], seed: int, resamples: int
) -> NDArray[np.float64]:
    """The means, (resamples,), of resampled units that have these sums and sizes."""
    generator = np.random.default_rng(seed)
    count = len(sums)
    batch = max(1, _DRAWS_AT_ONCE // count)
    means: list[NDArray[np.float64]] = []
    for start in range(0, resamples, batch):
        rows = min(batch, resamples - start)
        drawn = generator.integers(0, count, size=(rows, count))  # (rows, count)
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(means)


def wilcoxon(differences: Sequence[float]) -> float:
    """The two-sided p value of the paired Wilcoxon signed-rank test; 1.0 if nothing differs.

    Zero differences are dropped, as by Wilcoxon. The test is exact for up to 13 differences, zeros
    among them, and without ties for up to 50; else it is a normal approximation. These are scipy's
    rule and values, but scipy takes a second for a dozen differences with ties.
    """
    if not any(differences):
        return 1.0
    import scipy.stats

    found = np.asarray(differences, dtype=np.float64)
    if len(found) > _ALL_SIGNS:
        return float(scipy.stats.wilcoxon(found).pvalue)
    found = found[found != 0.0]
    ranks = scipy.stats.rankdata(np.abs(found))
    signs = np.arange(2 ** len(found))[:, None] >> np.arange(len(found)) & 1  # (2 ** N, N)
    sums, seen = signs @ ranks, ranks[found > 0.0].sum()
    return float(min(1.0, 2.0 * min((sums >= seen).mean(), (sums <= seen).mean())))


def compare(
    first: Mapping[str, float],
    second: Mapping[str, float],
    clusters: Mapping[str, str],
    *,
    seed: int = 0,
) -> Comparison | None:
    """First minus second on their shared cases, with interval and p value.

    None if they share no case. clusters: each case's speaker.
    """
    cases = shared_cases([first, second])
    if not cases:
        return None
    differences = [first[case] - second[case] for case in cases]
    interval = mean_interval(differences, [clusters[case] for case in cases], seed=seed)
    return Comparison(interval, wilcoxon(differences))


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """The p values after Holm's step-down correction; None, for no comparison, stays None."""
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for step, (p, place) in enumerate(tested):
        largest = max(largest, min(1.0, p * (len(tested) - step)))
        adjusted[place] = largest
    return tuple(adjusted)


def shared_cases(values: Iterable[Mapping[str, float]]) -> tuple[str, ...]:
    """The cases for which each of these has a value, sorted; empty if there are none."""
    names = [set(one) for one in values]
    return tuple(sorted(set.intersection(*names))) if names else ()


def compare_all(
    values: Mapping[str, Mapping[str, float]], clusters: Mapping[str, str], *, seed: int = 0
) -> dict[tuple[str, str], Comparison]:
    """The comparison of every pair of names on their shared cases, with p values by Holm.

    values: by name, then by case. The correction is over all pairs; pairs without a shared case are
    left out.
    """
    pairs = {
        (first, second): found
        for first, second in combinations(values, 2)
        if (found := compare(values[first], values[second], clusters, seed=seed)) is not None
    }
    adjusted = holm([one.p_value for one in pairs.values()])
    return {
        names: Comparison(one.difference, p_value)
        for (names, one), p_value in zip(pairs.items(), adjusted, strict=True)
        if p_value is not None
    }


def ranks(names: Iterable[str], beaten: Collection[tuple[str, str]]) -> dict[str, int]:
    """Each name's rank: 1 plus the number of names that are significantly better.

    beaten: (better, worse) for each pair whose difference holds. Names that no other beats share
    rank 1.
    """
    worse = [loser for _, loser in beaten]
    return {name: 1 + worse.count(name) for name in names}
