"""Who sees what, in which order: a balanced share of cases and methods for every rater.

All cells (case, method) stand in one endless sequence of units; rater r takes the r-th stretch of
it. A unit is one cell, or `per_page` methods of one case to compare side by side. From unit to unit
the methods go round in a fixed circle and the cases in theirs, as on two gear wheels; where both
come back to their start together, the cases move on by one, so that every pair is met once before
any is met again. For one cell a page and as many videos a rater as cases, the stretches are the
rows of a Latin square. Pages of fewer methods than there are make incomplete blocks; the circle is
drawn anew in every turn, so that all pairs of methods meet about equally often.

What follows (tests/test_study_make.py holds it to this): no rater sees a cell twice. Over all
raters methods differ in their counts by one at most, within one rater too, or by two where videos
are compared; so do the cells, or by per_page where videos are compared. Single videos come in
rounds of all methods, and each group of as many raters as methods meets every method once at every
place.
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import gcd, lcm
from typing import TypeAlias

import numpy as np

TURNS = 16  # after so many turns the orders of compared methods come again

Cell: TypeAlias = tuple[int, int]  # which case, which method


@dataclass(frozen=True)
class Balance:
    """The numbers that a design is drawn from.

    per_rater: videos that each rater rates, at most methods * cases, and where videos are compared
    a multiple of per_page, at most per_page * cases. per_page: 1, or how many are compared.
    """

    methods: int
    cases: int
    per_rater: int
    per_page: int
    seed: int


def rater_pages(balance: Balance, rater: int) -> list[list[Cell]]:
    """The pages of one rater (counted from 0) in order, each with its cells in order."""
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
    """The cells of the unit with this number."""
    methods, cases, width = balance.methods, balance.cases, balance.per_page
    common = gcd(methods, width)
    together = lcm(methods // common, cases)  # units after which both wheels are at their start
    period = cases * methods // common  # units after which every start of methods met every case
    steps = number % period if width == 1 else number  # cells of the last turn are not met again
    case = (steps + steps // together) % cases
    chosen = [(number * width + step) % methods for step in range(width)]
    if width > 1:
        circles = _circles(methods, width, balance.seed)
        chosen = [circles[number // period % len(circles)][index] for index in chosen]
    return [(case, method) for method in chosen]


@functools.cache
def _circles(methods: int, width: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """Orders of the methods, one for each turn, in which all pairs meet about equally often.

    Greedy: of some random orders, the one in which the pairs meet that met least so far.
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
    """Who stands together in the pages of one turn."""
    starts = range(0, len(circle), gcd(len(circle), width))
    pages = [[circle[(start + step) % len(circle)] for step in range(width)] for start in starts]
    return [frozenset(pair) for page in pages for pair in combinations(page, 2)]


def _rounds(units: list[list[Cell]], methods: int) -> list[list[Cell]]:
    """Single cells in stretches of as many as there are methods; the last may be shorter."""
    cells = [cell for unit in units for cell in unit]
    return [cells[start : start + methods] for start in range(0, len(cells), methods)]


def _latin_row(seed: int, place: int, size: int, rater: int) -> list[int]:
    """Row `rater` of a random Latin square of 0..size-1, drawn anew for each group and place."""
    group, row = divmod(rater, size)
    generator = np.random.default_rng([seed, group, place, size])
    columns, symbols = generator.permutation(size), generator.permutation(size)
    return [int(index) for index in symbols[(row + columns) % size]]


def spread(generator: np.random.Generator, *, count: int, places: int, first: int = 0) -> list[int]:
    """`count` places of first..places-1, one at random in each of as many equal stretches."""
    edges = np.linspace(first, places, count + 1).astype(int)
    return [int(generator.integers(low, max(low + 1, high))) for low, high in pairwise(edges)]
