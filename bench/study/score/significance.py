"""Whether two methods differ: each rater's own difference, tested by flipping signs.

The rater is what is independent in a study; the ratings of one rater are not. So each rater gives
one number, the mean difference between two methods, and under no difference its sign is a coin's:
the p value is the share of all sign patterns whose mean is as far from zero as the one found
(Fisher 1935, The Design of Experiments, section 21). The test speaks of the very difference of
means that the table shows, and asks for no normal scale; Wilcoxon's would drop the ties that a
scale of five makes. With few raters it cannot become small: five raters give 1/16 at best. It
speaks of other raters, at these clips; the interval beside it speaks of other clips too and is
rather too wide (crossed.py).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np

from bench.stats import holm
from bench.study.score.bootstrap import Bootstrap, drawn_means, mean_estimate, with_interval
from bench.study.score.ratings import Floats, Ratings, quotients
from bench.study.score.scores import Estimate, MethodComparison
from bench.study.sign_flips import sign_flip

PAIRED_LEAST = 0.5  # share of both methods' ratings that pairs of one clip must hold to be used


def compare_all(ratings: Ratings, bootstrap: Bootstrap) -> tuple[MethodComparison, ...]:
    """Every two methods of one question, in order, corrected together."""
    made = [_compare(ratings, bootstrap, *two) for two in combinations(ratings.methods, 2)]
    corrected = holm([one.p_value for one in made])
    return tuple(replace(one, p_corrected=p) for one, p in zip(made, corrected, strict=True))


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
        reason="" if enough else f"{len(own)} raters rated both: a test needs two at least",
    )


def _unpaired(one: Floats, other: Floats, given: int, bootstrap: Bootstrap) -> Estimate:
    """The difference of two methods' means, both (R, C), over the same draws."""
    draws = bootstrap.draw(*one.shape)
    drawn = drawn_means(one, draws) - drawn_means(other, draws)
    return with_interval(float(np.nanmean(one) - np.nanmean(other)), drawn, given)


def _row_means(values: Floats) -> Floats:
    """The mean of each row of (R, C), NaN for a row without a value: (R,)."""
    there = ~np.isnan(values)
    return quotients(np.where(there, values, 0.0).sum(axis=1), there.sum(axis=1))
