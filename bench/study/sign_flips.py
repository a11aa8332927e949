"""The test between two methods of a study: whether the mean of raters' differences is zero.

Where two methods do not differ, each rater's difference is as likely with the other sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

EXACT_RATERS = 14  # up to here all 2^R sign patterns are gone through
FLIPS = 20_000  # beyond, that many random ones
_TIE = 1e-12


def sign_flip(differences: Sequence[float], *, seed: int) -> float:
    """The two-sided p value that the mean of these differences, one a rater, is zero.

    Exact for up to 14 raters, else from 20,000 random sign patterns and the one found. 1.0 where
    nothing differs. Raises ValueError without a difference.
    """
    values = np.asarray(differences, dtype=np.float64)  # (R,)
    if len(values) == 0:
        raise ValueError("a test needs at least one difference")
    signs = _signs(len(values), seed)
    as_far = int((np.abs(signs @ values) >= abs(values.sum()) - _TIE).sum())
    if len(values) <= EXACT_RATERS:
        return as_far / len(signs)
    return (1 + as_far) / (1 + len(signs))


@lru_cache(maxsize=8)  # every comparison of a study flips the same signs
def _signs(raters: int, seed: int) -> NDArray[np.float64]:
    """Sign patterns, (P, R) of -1 and 1: all of them, or random ones."""
    if raters <= EXACT_RATERS:
        return np.array(list(product((1.0, -1.0), repeat=raters)))
    generator = np.random.default_rng([seed, raters])
    heads: NDArray[np.float64] = generator.integers(0, 2, size=(FLIPS, raters)).astype(np.float64)
    return 2.0 * heads - 1.0
