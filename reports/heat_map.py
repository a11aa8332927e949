"""Draws a map of methods by cases as a small SVG, whatever the number of cases.

Each shade is one path, and adjacent cells of one shade in a row are merged: a map of 300 cases and
12 methods takes less than 60 kB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.drawing import LONGEST, number

WIDTH = 700
LEFT = 150  # units left of the cells, for the methods' names
ROW = 17  # units, height of a row
STEPS = 4  # shades each way from the middle
GAPS = 120  # up to this many cases, there are gaps between cells
MARKS = {  # the sign in a cell without a value, in units of the cell
    "failed": "M{x}.25 {y}.25l.5 .5m0-.5l-.5 .5",
    "faceless": "M{x}.25 {y}.25h.5v.5h-.5z",
    "undefined": "M{x}.3 {y}.5h.4",
    "missing": "M{x}.45 {y}.5h.1",
}


@dataclass(frozen=True)
class Heat:
    """One cell. level: -1 (worst) to 1 (best), or None; then state says why.

    state "absent": the cell was not planned, and nothing is drawn.
    """

    level: float | None
    state: str = "ok"


@dataclass(frozen=True)
class HeatCase:
    """One case: the address of its page and its tooltip, both "" for a case without a link."""

    href: str
    tooltip: str


def heat_map(
    title: str,
    about: str,
    names: Sequence[str],
    cases: Sequence[HeatCase],
    cells: Sequence[Sequence[Heat]],
    *,
    ends: tuple[str, str],
    sides: tuple[str, str],
) -> Markup:
    """Methods (rows) by cases (columns). cells: by method, then by case.

    ends: what the worst and the best shade mean. sides: captions of the left and right edge.
    """
    if not names or not cases:
        return Markup("")
    top, tall = 4, ROW * len(names)
    height = top + tall + 58
    across = (WIDTH - LEFT - 4) / len(cases)
    body = [_name(name, top + ROW * index + ROW / 2) for index, name in enumerate(names)]
    body.append(
        Markup('<g transform="translate({} {}) scale({:.4f} {})">').format(LEFT, top, across, ROW)
    )
    wide = 0.94 if len(cases) <= GAPS else 1.0
    body += [
        Markup('<path class="h{}" d="{}"/>').format(shade, path)
        for shade, path in sorted(_shades(cells, wide).items())
    ]
    body += [
        Markup('<path class="{}" d="{}"/>').format(f"nothing {state}", path)
        for state, path in _marks(cells).items()
    ]
    body += [
        Markup(
            '<a href="{}" tabindex="-1"><rect class="hit" x="{}" width="1" height="{}"/>'
            "<title>{}</title></a>"
        ).format(case.href, index, len(names), case.tooltip)
        for index, case in enumerate(cases)
        if case.tooltip
    ]
    body.append(Markup("</g>"))
    body.append(_text(LEFT, top + tall + 15, "start", sides[0]))
    body.append(_text(WIDTH - 4, top + tall + 15, "end", sides[1]))
    body.append(_legend(top + tall + 26, ends))
    return Markup(
        '<svg class="plot heat" viewBox="0 0 {} {}" role="img"><title>{}</title>'
        "<desc>{}</desc>{}</svg>"
    ).format(WIDTH, height, title, about, Markup("").join(body))


def _shades(cells: Sequence[Sequence[Heat]], wide: float) -> dict[int, str]:
    """The SVG path of each shade, 0 (worst) to 2 * STEPS (best)."""
    paths: dict[int, list[str]] = {}
    for y, row in enumerate(cells):
        x = 0
        while x < len(row):
            shade, start = _shade(row[x]), x
            x += 1
            while wide == 1.0 and x < len(row) and _shade(row[x]) == shade:
                x += 1
            if shade is not None:
                run = number(x - start - 1 + wide)
                paths.setdefault(shade, []).append(f"M{start} {y}h{run}v.9h-{run}z")
    return {shade: "".join(parts) for shade, parts in paths.items()}


def _shade(cell: Heat) -> int | None:
    if cell.level is None:
        return None
    return STEPS + round(max(-1.0, min(1.0, cell.level)) * STEPS)


def _marks(cells: Sequence[Sequence[Heat]]) -> Mapping[str, str]:
    """The SVG path of each state without a value."""
    found: dict[str, str] = {}
    for state, shape in MARKS.items():
        parts = [
            shape.format(x=x, y=y)
            for y, row in enumerate(cells)
            for x, cell in enumerate(row)
            if cell.state == state
        ]
        if parts:
            found[state] = "".join(parts)
    return found


def _name(name: str, middle: float) -> Markup:
    longest = LONGEST + 4
    short = name if len(name) <= longest else name[: longest - 1] + "…"
    return Markup(
        '<text class="name" x="{}" y="{:.1f}" text-anchor="end">{}<title>{}</title></text>'
    ).format(LEFT - 8, middle + 4, short, name)


def _text(x: float, y: float, anchor: str, text: str) -> Markup:
    return Markup('<text class="caption" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        x, y, anchor, text
    )


def _legend(y: float, ends: tuple[str, str]) -> Markup:
    side = 18
    count = 2 * STEPS + 1
    middle = (LEFT + WIDTH - 4) / 2
    left = middle - side * count / 2
    boxes = [
        Markup('<rect class="h{}" x="{:.1f}" y="{}" width="{}" height="12"/>').format(
            shade, left + side * shade, y, side - 1
        )
        for shade in range(count)
    ]
    below = [
        _text(left - 8, y + 11, "end", ends[0]),
        _text(left + side * count + 7, y + 11, "start", ends[1]),
    ]
    return Markup("").join(boxes + below)
