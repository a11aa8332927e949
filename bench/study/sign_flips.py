"""A sign-flip permutation test for two methods of a study: is the raters' mean difference zero?

If two methods do not differ, each rater's difference is equally likely to have either sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

EXACT_RATERS = 14  # with up to this many raters, all 2^R sign patterns are used
FLIPS = 20_000  # random sign patterns with more raters
_TIE = 1e-12


def sign_flip(differences: Sequence[float], *, seed: int) -> float:
    """The two-sided p value of the hypothesis that the mean of the differences is zero.

    differences: one per rater. The test is exact for up to 14 raters; for more it uses 20,000
    random sign patterns and the observed one. 1.0 if all differences are 0. Raises ValueError if
    `differences` is empty.
    """
    values = np.asarray(differences, dtype=np.float64)  # (R,)
    if len(values) == 0:
        raise ValueError("a test needs at least one difference")
    signs = _signs(len(values), seed)
    as_far = int((np.abs(signs @ values) >= abs(values.sum()) - _TIE).sum())
    if len(values) <= EXACT_RATERS:
        return as_far / len(signs)
    return (1 + as_far) / (1 + len(signs))


@lru_cache(maxsize=8)  # all comparisons of a study use the same sign patterns
def _signs(raters: int, seed: int) -> NDArray[np.float64]:
    """Sign patterns, (P, R) of -1 and 1: all of them, or random ones."""
    if raters <= EXACT_RATERS:
        return np.array(list(product((1.0, -1.0), repeat=raters)))
    generator = np.random.default_rng([seed, raters])
    heads: NDArray[np.float64] = generator.integers(0, 2, size=(FLIPS, raters)).astype(np.float64)
    return 2.0 * heads - 1.0
