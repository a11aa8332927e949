"""Tests whether two methods differ, by a sign-flip permutation test over raters.

Raters are independent; the ratings of one rater are not. So each rater contributes one number, the
mean difference between the two methods. If the methods do not differ, its sign is random: the p
value is the share of sign patterns whose mean is at least as far from zero as the observed one
(Fisher 1935, The Design of Experiments, section 21). The test is about the same difference of means
that the table shows and assumes no normal distribution; Wilcoxon's test would drop the ties that a
five-point scale causes. With few raters p cannot be small: with five it is at least 1/16. The test
generalises to other raters on these clips; the interval beside it generalises to other clips, too,
and tends to be too wide (bootstrap.py).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np

from bench.ground.stats import holm
from bench.study.score.bootstrap import Bootstrap, drawn_means, mean_estimate, with_interval
from bench.study.score.ratings import Floats, Ratings, quotients
from bench.study.score.scores import Estimate, MethodComparison
from bench.study.sign_flips import sign_flip

PAIRED_LEAST = 0.5  # smallest share of ratings in pairs on one clip for a comparison by clip


def compare_all(ratings: Ratings, bootstrap: Bootstrap) -> tuple[MethodComparison, ...]:
    """The comparisons of all pairs of methods on one question, with Holm's correction."""
    uncorrected = [_compare(ratings, bootstrap, *two) for two in combinations(ratings.methods, 2)]
    corrected = holm([one.p_value for one in uncorrected])
    return tuple(replace(one, p_corrected=p) for one, p in zip(uncorrected, corrected, strict=True))


def _compare(ratings: Ratings, bootstrap: Bootstrap, first: str, second: str) -> MethodComparison:
    one, other = ratings.of_method(first), ratings.of_method(second)  # (R, C)
    pairs = one - other  # NaN where one of the two is missing
    either = (~np.isnan(one)) | (~np.isnan(other))
    given = int((~np.isnan(one)).sum() + (~np.isnan(other)).sum())
    by_clip = 2 * (~np.isnan(pairs)).sum() >= PAIRED_LEAST * given
    counted = ~np.isnan(pairs) if by_clip else either
    own = _row_means(pairs) if by_clip else _row_means(one) - _row_means(other)  # (R,)
    own = own[~np.isnan(own)]
    enough = len(own) >= 2
    return MethodComparison(
        question=ratings.question,
        first=first,
        second=second,
        pairing="clip" if by_clip else "rater",
        difference=mean_estimate(pairs, bootstrap)
        if by_clip
        else _unpaired(one[either.any(axis=1)], other[either.any(axis=1)], given, bootstrap),
        p_value=sign_flip(list(own), seed=bootstrap.seed) if enough else None,
        p_corrected=None,
        n_raters=len(own),
        n_cases=int(counted.any(axis=0).sum()),
        reason="" if enough else f"{len(own)} raters rated both: a test needs at least two",
    )


def _unpaired(one: Floats, other: Floats, given: int, bootstrap: Bootstrap) -> Estimate:
    """The difference of the means of two methods' ratings, both (R, C), with the same draws."""
    draws = bootstrap.draw(*one.shape)
    drawn = drawn_means(one, draws) - drawn_means(other, draws)
    return with_interval(float(np.nanmean(one) - np.nanmean(other)), drawn, given)


def _row_means(values: Floats) -> Floats:
    """The mean of each row of (R, C): (R,), with NaN for a row without a value."""
    there = ~np.isnan(values)
    return quotients(np.where(there, values, 0.0).sum(axis=1), there.sum(axis=1))
