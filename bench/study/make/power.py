"""The statistical power of a design: how probably a study will find that two methods differ.

A rating is modelled as a sum of independent effects: of method, rater and clip, of the rater's
taste for the method (rater by method), of the method's fit to the clip (method by clip), and noise.
Rater effects cancel in a difference, since every rater sees all methods equally often; clip effects
cancel if a rater sees both methods on the same clips. The remaining difference per rater is tested
as in significance.py (the mean over raters, with Holm's correction), but by a noncentral t
distribution instead of sign flips. The model ignores the ends of the scale; a test compares it with
simulated studies, which have them. With fewer than ten raters it is too optimistic (0.61, where
simulated studies of eight raters gave 0.47), because few sign patterns are rare enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import stats

from bench.ground.errors import BenchError
from bench.study.blinding import Design
from bench.study.sign_flips import EXACT_RATERS

LEVEL = 0.05  # p value below which two methods count as different
WANTED = 0.8  # the power that a study should have
ROUNDING = 1.0 / 12.0  # variance that rounding adds to a rating (Sheppard 1897)
LITTLE = 0.5  # below this power, a study will more likely find nothing
MOST_RATERS, MOST_CASES = 2000, 500


@dataclass(frozen=True)
class Sizes:
    """The numbers of a balanced design. per_rater: videos that each rater rates."""

    methods: int
    cases: int
    raters: int
    per_rater: int

    def __post_init__(self) -> None:
        videos = self.methods * self.cases
        if self.methods < 2:
            raise BenchError(f"methods: {self.methods}; expected at least two.")
        if not self.methods <= self.per_rater <= videos:
            raise BenchError(
                f"--per-rater: {self.per_rater}; expected {self.methods} (each method once) to "
                f"{videos} (every video once)."
            )


@dataclass(frozen=True)
class Spread:
    """Standard deviations of the modelled effects, in steps of the scale.

    clip, noise: as in simulated studies. taste (rater by method), fit (method by clip): our
    assumptions, without a source.
    """

    clip: float = 0.3
    taste: float = 0.25
    fit: float = 0.25
    noise: float = 0.7


def probability(sizes: Sizes, difference: float, spread: Spread) -> float:
    """The probability that the test finds a true difference between two methods.

    It uses the strictest step of Holm's correction, that of the smallest p value.
    """
    level = LEVEL / (sizes.methods * (sizes.methods - 1) / 2)
    if sizes.raters < 2 or (sizes.raters <= EXACT_RATERS and 2.0 ** (1 - sizes.raters) > level):
        return 0.0  # even if all raters agree, the p value cannot be that small
    own = sizes.per_rater / sizes.methods  # ratings of one method by one rater
    share = own / sizes.cases
    # A rater who sees a method on more than half of the clips sees most clips by both methods, so
    # that the clips' levels cancel.
    level_of_clips = 0.0 if share > 0.5 else spread.clip**2 / own
    of_rater = spread.taste**2 + (spread.noise**2 + ROUNDING) / own
    of_rater += level_of_clips + (1.0 - share) * spread.fit**2 / own
    error = math.sqrt(2.0 * of_rater / sizes.raters)
    on_clips = math.sqrt(2.0 * spread.fit**2 / sizes.cases)  # sd that the choice of clips adds
    return _found(level, sizes.raters, difference / error, on_clips / error)


def least_difference(sizes: Sizes, spread: Spread) -> float:
    """The smallest difference that is found with probability 0.8; infinite if there is none."""
    if probability(sizes, 4.0, spread) < WANTED:
        return math.inf
    low, high = 0.0, 4.0
    for _ in range(40):
        middle = (low + high) / 2.0
        enough = probability(sizes, middle, spread) >= WANTED
        low, high = (low, middle) if enough else (middle, high)
    return high


def raters_needed(sizes: Sizes, difference: float, spread: Spread) -> int | None:
    """The smallest number of raters for probability 0.8; None if more than 2000."""
    return _least(
        lambda raters: probability(replace(sizes, raters=raters), difference, spread) >= WANTED,
        MOST_RATERS,
    )


def cases_needed(sizes: Sizes, difference: float, spread: Spread) -> int | None:
    """The smallest number of cases for which enough raters exist; None if more than 500."""

    def enough(cases: int) -> bool:
        some = replace(sizes, cases=cases, per_rater=sizes.methods * cases)
        return raters_needed(some, difference, spread) is not None

    return _least(enough, MOST_CASES)


def sizes_of(design: Design) -> Sizes | None:
    """The sizes of a drawn design; None unless each rater sees at least two methods."""
    balance = design.plan.balance
    if balance.methods < 2 or not design.sessions or balance.per_rater < balance.methods:
        return None
    return Sizes(balance.methods, balance.cases, len(design.sessions), balance.per_rater)


def power_sentences(sizes: Sizes, difference: float, spread: Spread) -> tuple[str, ...]:
    """What the organiser should know before the study starts, one sentence per line."""
    chance = probability(sizes, difference, spread)
    least = least_difference(sizes, spread)
    first = f"a true difference of {difference:g} between two methods is found with probability "
    first += f"{chance:.2f}"
    if chance < LITTLE:
        first = f"THIS DESIGN WILL PROBABLY FIND NOTHING: {first} only"
    lines = [first]
    if chance < WANTED:
        lines.append(f"a probability of {WANTED:g} takes {_ways(sizes, difference, spread)}")
    if math.isfinite(least):
        lines.append(f"the smallest difference found with probability 0.8 is {least:.2f}")
    pairs = sizes.methods * (sizes.methods - 1) // 2
    lines.append(
        f"assumed: standard deviations of {spread.noise:g} (noise), {spread.taste:g} (rater by "
        f"method), {spread.fit:g} (method by clip), {spread.clip:g} (clips); p < {LEVEL:g} after "
        f"Holm over {pairs} pair{'s' * (pairs > 1)}. `bench study power` takes other values"
    )
    return tuple(lines)


def power_table(sizes: Sizes, difference: float, spread: Spread) -> tuple[str, ...]:
    """The probability for several numbers of raters and cases, as lines of text.

    Each rater sees as many videos as in `sizes`, or all if there are fewer.
    """
    raters = (10, 20, 30, 50, 80, 120)
    lines = ["probability, by raters and cases", f"{'cases':>8}" + _cells(raters)]
    for cases in (5, 10, 20, 40):
        some = replace(sizes, cases=cases, per_rater=min(sizes.per_rater, sizes.methods * cases))
        found = [probability(replace(some, raters=n), difference, spread) for n in raters]
        lines.append(f"{cases:>8}" + _cells(f"{one:.2f}" for one in found))
    return tuple(lines)


def _cells(values: Iterable[object]) -> str:
    return "".join(f"{value!s:>7}" for value in values)


def _ways(sizes: Sizes, difference: float, spread: Spread) -> str:
    """The ways to reach probability 0.8."""
    needed = raters_needed(sizes, difference, spread)
    ways = [f"{needed} raters with {sizes.per_rater} videos each"] if needed else []
    videos = sizes.methods * sizes.cases
    if sizes.per_rater < videos:
        more = min(videos, 2 * sizes.per_rater)
        with_more = raters_needed(replace(sizes, per_rater=more), difference, spread)
        if with_more and with_more != needed:
            ways.append(f"{with_more} raters with {more} videos each")
    else:
        twice = replace(sizes, cases=2 * sizes.cases, per_rater=2 * videos)
        with_cases = raters_needed(twice, difference, spread)
        if with_cases and with_cases != needed:
            ways.append(f"{with_cases} raters on {twice.cases} cases")
    if needed is None:
        cases = cases_needed(sizes, difference, spread)
        ways.append(f"at least {cases} cases" if cases else "more than 500 cases")
    if sizes.methods > 2:
        fewer = replace(sizes, methods=2, per_rater=min(sizes.per_rater, 2 * sizes.cases) // 2 * 2)
        of_two = raters_needed(fewer, difference, spread)
        if of_two:
            ways.append(f"{of_two} raters for only two methods")
    return ", or ".join(ways)


def _least(is_enough: Callable[[int], bool], most: int) -> int | None:
    """The smallest number in 1..most that is enough, by bisection; None if `most` is not."""
    if not is_enough(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


@lru_cache(maxsize=4096)
def _found(level: float, raters: int, true: float, clips: float) -> float:
    """The probability that the t value exceeds its critical value in the true direction.

    true: the difference; clips: the standard deviation that the choice of clips adds to it; both in
    standard errors. The noncentral t is averaged over the clips' normal part by Gauss-Hermite
    quadrature.
    """
    points, weights = np.polynomial.hermite_e.hermegauss(15)
    free = raters - 1
    critical = stats.t.ppf(1.0 - level / 2.0, free)
    chances = stats.nct.sf(critical, free, true + clips * points)
    return float(weights @ chances / weights.sum())
