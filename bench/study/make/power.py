"""What a design can find: how probably two methods are told apart, before anybody is asked.

A rating is taken as the sum of what the method, the rater and the clip have for themselves, of a
rater's own taste for a method, of how a method comes out on a clip, and of noise, all independent.
Levels of raters cancel in a difference, for every rater sees all methods equally often; levels of
clips do where a rater sees both methods on the same clips. What is left of one rater's difference
is compared as the scores do it (significance.py: the mean over raters, corrected after Holm), by a
noncentral t distribution in place of flipped signs. The ends of the scale are not in it; a test
holds it against simulated studies, which have them. With fewer than ten raters it promises rather
too much (0.61 where simulated studies of eight raters found 0.47): few patterns of signs are rare.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import stats

from bench.errors import BenchError
from bench.study.blinding import Design
from bench.study.sign_flips import EXACT_RATERS

LEVEL = 0.05  # p value below which two methods count as told apart
WANTED = 0.8  # probability that a study should have
ROUNDING = 1.0 / 12.0  # variance that whole numbers add to a rating (Sheppard 1897)
LITTLE = 0.5  # below, it will rather find nothing
MOST_RATERS, MOST_CASES = 2000, 500


@dataclass(frozen=True)
class Sizes:
    """A balanced design: methods on cases, so many raters, so many ratings of each (a question)."""

    methods: int
    cases: int
    raters: int
    per_rater: int

    def __post_init__(self) -> None:
        videos = self.methods * self.cases
        if self.methods < 2:
            raise BenchError(f"methods: {self.methods}; two at least can be told apart.")
        if not self.methods <= self.per_rater <= videos:
            raise BenchError(
                f"--per-rater: {self.per_rater}; expected {self.methods} to {videos}, each method "
                "once to every video once."
            )


@dataclass(frozen=True)
class Spread:
    """Standard deviations in steps of the scale; see the module. clip, noise: as in simulations.

    taste (rater by method) and fit (clip by method) are assumptions of ours, without a source.
    """

    clip: float = 0.3
    taste: float = 0.25
    fit: float = 0.25
    noise: float = 0.7


def probability(sizes: Sizes, difference: float, spread: Spread) -> float:
    """How probably two methods that truly differ so much are told apart.

    The strictest step of Holm's correction is taken: that of the first of all pairs.
    """
    level = LEVEL / (sizes.methods * (sizes.methods - 1) / 2)
    if sizes.raters < 2 or (sizes.raters <= EXACT_RATERS and 2.0 ** (1 - sizes.raters) > level):
        return 0.0  # even where all raters agree, no pattern of signs is as rare
    own = sizes.per_rater / sizes.methods  # ratings of one method by one rater
    share = own / sizes.cases
    # With half of the clips and more, most are seen by both methods, and clips' levels cancel.
    level_of_clips = 0.0 if share > 0.5 else spread.clip**2 / own
    of_rater = spread.taste**2 + (spread.noise**2 + ROUNDING) / own
    of_rater += level_of_clips + (1.0 - share) * spread.fit**2 / own
    error = math.sqrt(2.0 * of_rater / sizes.raters)
    on_clips = math.sqrt(2.0 * spread.fit**2 / sizes.cases)  # what these clips add to the truth
    return _found(level, sizes.raters, difference / error, on_clips / error)


def least_difference(sizes: Sizes, spread: Spread) -> float:
    """The difference that is told apart with probability 0.8; infinite where none is."""
    if probability(sizes, 4.0, spread) < WANTED:
        return math.inf
    low, high = 0.0, 4.0
    for _ in range(40):
        middle = (low + high) / 2.0
        enough = probability(sizes, middle, spread) >= WANTED
        low, high = (low, middle) if enough else (middle, high)
    return high


def raters_needed(sizes: Sizes, difference: float, spread: Spread) -> int | None:
    """The least number of raters for probability 0.8; None beyond 2000."""
    return _least(
        lambda raters: probability(replace(sizes, raters=raters), difference, spread) >= WANTED,
        MOST_RATERS,
    )


def cases_needed(sizes: Sizes, difference: float, spread: Spread) -> int | None:
    """The least number of cases on which some number of raters is enough; None beyond 500."""

    def enough(cases: int) -> bool:
        some = replace(sizes, cases=cases, per_rater=sizes.methods * cases)
        return raters_needed(some, difference, spread) is not None

    return _least(enough, MOST_CASES)


def sizes_of(design: Design) -> Sizes | None:
    """The sizes of a drawn design; None where it has no two methods that each rater sees."""
    balance = design.plan.balance
    if balance.methods < 2 or not design.sessions or balance.per_rater < balance.methods:
        return None
    return Sizes(balance.methods, balance.cases, len(design.sessions), balance.per_rater)


def power_sentences(sizes: Sizes, difference: float, spread: Spread) -> tuple[str, ...]:
    """What an organiser should know before the study starts, one sentence a line."""
    chance = probability(sizes, difference, spread)
    least = least_difference(sizes, spread)
    apart = f"a true difference of {difference:g} between two methods is told apart"
    lines = [f"{apart} with probability {chance:.2f}"]
    if chance < LITTLE:
        lines[0] = f"THIS DESIGN WILL PROBABLY FIND NOTHING: {lines[0]} only"
    if chance < WANTED:
        lines.append(f"for {WANTED:g} it takes {_ways(sizes, difference, spread)}")
    if math.isfinite(least):
        lines.append(f"the least difference told apart with probability 0.8 is {least:.2f}")
    pairs = sizes.methods * (sizes.methods - 1) // 2
    lines.append(
        f"assumed: standard deviations of {spread.noise:g} (noise), {spread.taste:g} (a rater's "
        f"taste for a method), {spread.fit:g} (a method on a clip), {spread.clip:g} (clips); "
        f"p < {LEVEL:g} after Holm over {pairs} pair{'s' * (pairs > 1)}. Others: bench study power"
    )
    return tuple(lines)


def power_table(sizes: Sizes, difference: float, spread: Spread) -> tuple[str, ...]:
    """The probability for other numbers of raters and cases, as lines of text.

    Each rater sees as many videos as in `sizes`, or all, if there are fewer.
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
    """How to come to probability 0.8."""
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
        ways.append(f"{cases} cases at least" if cases else "more than 500 cases")
    if sizes.methods > 2:
        fewer = replace(sizes, methods=2, per_rater=min(sizes.per_rater, 2 * sizes.cases) // 2 * 2)
        of_two = raters_needed(fewer, difference, spread)
        if of_two:
            ways.append(f"{of_two} raters for two methods alone")
    return ", or ".join(ways)


def _least(is_enough: Callable[[int], bool], most: int) -> int | None:
    """The least number, 1 to `most`, that is enough, where more are never less."""
    if not is_enough(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


@lru_cache(maxsize=4096)
def _found(level: float, raters: int, true: float, clips: float) -> float:
    """The probability that a t value is beyond its critical one, on the true side.

    true: the difference, clips: the standard deviation of what the clips add to it, both in
    standard errors; the noncentral t is averaged over that normal part (Gauss and Hermite).
    """
    points, weights = np.polynomial.hermite_e.hermegauss(15)
    free = raters - 1
    critical = stats.t.ppf(1.0 - level / 2.0, free)
    chances = stats.nct.sf(critical, free, true + clips * points)
    return float(weights @ chances / weights.sum())
