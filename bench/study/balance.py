"""A balanced design: which cases and methods each rater sees, and in which order.

All cells (case, method) form one infinite sequence of units, and rater r gets the r-th stretch of
it. A unit is one cell or, in side-by-side layouts, `per_page` methods of one case. From one unit to
the next, the methods advance through a fixed cycle and the cases through another, like two gear
wheels. Whenever both cycles return to their start together, the cases are shifted by one, so that
every (case, method) pair occurs once before any occurs again. With one cell per page and as many
videos per rater as cases, the stretches are the rows of a Latin square. Pages with fewer methods
than the study has form incomplete blocks; each turn then uses another order of the methods, so that
all pairs of methods meet about equally often.

Properties (tested in tests/test_study_make.py): No rater sees a cell twice. The number of ratings
per method differs by at most one over all raters; within one rater it differs by at most one, or
two in side-by-side layouts. The number of ratings per cell differs by at most one, or by per_page
in side-by-side layouts. Single videos come in rounds of all methods, and in each group of as many
raters as methods every method occurs once at every position.
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import gcd, lcm
from typing import TypeAlias

import numpy as np

TURNS = 16  # after this many turns the orders of compared methods repeat

Cell: TypeAlias = tuple[int, int]  # index of the case, index of the method


@dataclass(frozen=True)
class Balance:
    """The numbers that determine a design.

    per_page: videos on one page; 1 in the single layout. per_rater: videos that each rater rates,
    at most methods * cases; in side-by-side layouts a multiple of per_page, at most
    per_page * cases.
    """

    methods: int
    cases: int
    per_rater: int
    per_page: int
    seed: int


def rater_pages(balance: Balance, rater: int) -> list[list[Cell]]:
    """The pages of one rater (counted from 0) in order; each page lists its cells in order."""
    count = balance.per_rater // balance.per_page
    units = [_unit(balance, number) for number in range(rater * count, (rater + 1) * count)]
    blocks = units if balance.per_page > 1 else _rounds(units, balance.methods)
    whole = [block for block in blocks if len(block) == len(blocks[0])]
    shuffled = np.random.default_rng([balance.seed, rater]).permutation(len(whole))
    ordered = [whole[index] for index in shuffled] + blocks[len(whole) :]
    pages: list[list[Cell]] = []
    for place, block in enumerate(ordered):
        cells = sorted(block, key=lambda cell: cell[1])
        page = [cells[index] for index in _latin_row(balance.seed, place, len(cells), rater)]
        pages += [page] if balance.per_page > 1 else [[cell] for cell in page]
    return pages


def _unit(balance: Balance, number: int) -> list[Cell]:
    """The cells of unit `number`."""
    methods, cases, width = balance.methods, balance.cases, balance.per_page
    common = gcd(methods, width)
    together = lcm(methods // common, cases)  # units after which both cycles are at their start
    period = cases * methods // common  # units in one turn: each start of methods with each case
    steps = number % period if width == 1 else number  # single videos: every turn is the same
    case = (steps + steps // together) % cases
    chosen = [(number * width + step) % methods for step in range(width)]
    if width > 1:
        circles = _circles(methods, width, balance.seed)
        chosen = [circles[number // period % len(circles)][index] for index in chosen]
    return [(case, method) for method in chosen]


@functools.cache
def _circles(methods: int, width: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """Orders of the methods, one per turn, such that all pairs meet about equally often.

    Greedy: each turn takes, of several random orders, the one whose pairs have met least so far.
    """
    generator = np.random.default_rng([seed, methods, width])
    met: Counter[frozenset[int]] = Counter()
    circles: list[tuple[int, ...]] = []
    for _ in range(TURNS):
        drawn = [tuple(map(int, generator.permutation(methods))) for _ in range(TURNS)]
        best = min(drawn, key=lambda circle: sum(met[pair] for pair in _pairs(circle, width)))
        met.update(_pairs(best, width))
        circles.append(best)
    return tuple(circles)


def _pairs(circle: tuple[int, ...], width: int) -> list[frozenset[int]]:
    """The pairs of methods that share a page in one turn."""
    starts = range(0, len(circle), gcd(len(circle), width))
    pages = [[circle[(start + step) % len(circle)] for step in range(width)] for start in starts]
    return [frozenset(pair) for page in pages for pair in combinations(page, 2)]


def _rounds(units: list[list[Cell]], methods: int) -> list[list[Cell]]:
    """Single cells in rounds of `methods` cells; the last round may be shorter."""
    cells = [cell for unit in units for cell in unit]
    return [cells[start : start + methods] for start in range(0, len(cells), methods)]


def _latin_row(seed: int, place: int, size: int, rater: int) -> list[int]:
    """Row `rater` of a random Latin square of 0..size-1; each group and place has its own."""
    group, row = divmod(rater, size)
    generator = np.random.default_rng([seed, group, place, size])
    columns, symbols = generator.permutation(size), generator.permutation(size)
    return [int(index) for index in symbols[(row + columns) % size]]


def spread(generator: np.random.Generator, *, count: int, places: int, first: int = 0) -> list[int]:
    """`count` of the places first..places-1: a random one in each of `count` equal stretches."""
    edges = np.linspace(first, places, count + 1).astype(int)
    return [int(generator.integers(low, max(low + 1, high))) for low, high in pairwise(edges)]
