"""Draws the sessions of raters: practice first, then rated videos mixed with attention checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from bench.study.answers import Role
from bench.study.balance import rater_pages, spread
from bench.study.blinding import Item, SessionPages, SessionPlan


def draw_sessions(
    plan: SessionPlan, items: Iterable[Item], raters: range
) -> dict[str, SessionPages]:
    """The pages of these raters (counted from 0), by the raters' names: r01, r02, ..."""
    by_role: dict[Role, list[Item]] = defaultdict(list)
    # Sorted without the random codes, so that sessions depend on the seed only.
    for item in sorted(items, key=lambda item: (item.dataset, item.case, item.method)):
        by_role[item.role].append(item)
    return {f"r{rater + 1:02d}": _session(plan, by_role, rater) for rater in raters}


def _session(plan: SessionPlan, by_role: dict[Role, list[Item]], rater: int) -> SessionPages:
    rated = {(item.dataset, item.case, item.method): item for item in by_role["rated"]}
    pages = [
        [rated[(*plan.cases[case], plan.methods[method])] for case, method in cells]
        for cells in rater_pages(plan.balance, rater)
    ]
    generator = np.random.default_rng([plan.balance.seed, rater, 1])
    for place, role, turn in _checks(plan, len(pages), rater, generator):
        used = {item.code for page in pages for item in page}
        left = [item for item in by_role[role] if item.code not in used]
        if not left:  # fewer than asked for; `bench study new` has said so
            continue
        if plan.balance.per_page == 1:
            pages.insert(place, [left[turn % len(left)]])
            continue
        page = pages[place]
        same = [i for i in left if (i.dataset, i.case) == (page[0].dataset, page[0].case)]
        check = same[0] if same else left[turn % len(left)]
        page.insert(int(generator.integers(0, len(page) + 1)), check)
    practice = [[item] for item in by_role["training"]]
    return tuple(tuple(item.code for item in page) for page in practice + pages)


def _checks(
    plan: SessionPlan, pages: int, rater: int, generator: np.random.Generator
) -> list[tuple[int, Role, int]]:
    """(place, role, turn) of each check, from the last place to the first.

    turn: the index of the check's video, modulo the number of available videos. In the single
    layout, no check comes first after practice; side by side, a check may be on any page.
    """
    roles: list[Role] = ["truth", "low"] * plan.checks
    first = 1 if plan.balance.per_page == 1 else 0
    places = spread(generator, count=len(roles), places=pages, first=min(first, pages))
    order = generator.permutation(len(roles))
    return [
        (place, roles[number], rater * plan.checks + int(number) // 2)
        for place, number in sorted(zip(places, order, strict=True), reverse=True)
    ]
