"""The parts of every plot: scales, axes, labels, whiskers, and the SVG element around them.

A drawing is 360 units wide: its text is readable on a phone, and four drawings fit side by side on
a desktop screen. Colours come from the page's style sheet: classes `c0` .. `c6` for methods, dashed
from the eighth method on, and greys `k0` .. `k3` for controls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.ground.stats import Interval

WIDTH = 360
LABELS = 122  # units for the labels of plots whose rows are methods
LONGEST = 18  # letters of a row's label; the tooltip has the whole label
LEFT, RIGHT = 40, WIDTH - 10  # horizontal extent of plots with two axes
COLOURS, GREYS = 7, 4
LETTER = 6.3  # units, about the width of a letter


@dataclass(frozen=True)
class Scale:
    """A linear map of [low, high] onto [start, end] units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The position of the value, in units."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """About `count` round values inside the range."""
        rough = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = min((1.0, 2.0, 5.0, 10.0), key=lambda one: abs(one * power - rough)) * power
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


@dataclass(frozen=True)
class LogScale(Scale):
    """A logarithmic map; low and high are above 0."""

    def __call__(self, value: float) -> float:
        """The position of the value, in units."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """Values such as 1, 2, 5, 10 inside the range, at most about twice `count`."""
        lowest, highest = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for steps in ((1.0, 2.0, 5.0), (1.0,)):
            powers = [step * 10.0**power for power in range(lowest, highest + 1) for step in steps]
            found = [value for value in powers if self.low <= value <= self.high]
            if len(found) <= count + 2:
                break
        return found if len(found) > 1 else Scale.ticks(self, count)


def log_scale(values: Sequence[float], start: float, end: float) -> Scale:
    """A logarithmic scale that covers all values, which are above 0, with a margin."""
    low, high = min(values), max(values)
    air = (high / low) ** 0.05 if high > low else 1.5
    return LogScale(low / air, high * air, start, end)


def scale(values: Sequence[float], start: float, end: float) -> Scale:
    """A scale that covers all values with a margin."""
    low, high = min(values), max(values)
    air = (high - low) * 0.05 or max(abs(high), 1.0) * 0.05
    return Scale(low - air, high + air, start, end)


def number(value: float) -> str:
    """A tick's label, with six significant digits at most."""
    return f"{round(value, 6):g}".replace("-", "\N{MINUS SIGN}")


def colour_class(colour: int) -> str:
    """The CSS class of a series: a grey for a control (below 0), a hue for a method."""
    if colour < 0:
        return f"k{(-1 - colour) % GREYS}"
    dash = " dashed" if colour >= COLOURS else ""
    return f"c{colour % COLOURS}{dash}"


def drawn(
    title: str,
    about: str,
    height: float,
    body: Sequence[Markup],
    *,
    classes: str = "",
    frame: tuple[float, float] = (0.0, 0.0),
    numbers: Sequence[str] = (),
) -> Markup:
    """The whole drawing.

    frame: the axes' top and bottom, for the page's script. numbers: the description lists them for
    readers who do not see the drawing.
    """
    head = Markup(
        '<svg class="{}" viewBox="0 0 {} {:.0f}" role="img" data-left="{}" data-right="{}" '
        'data-top="{:.0f}" data-bottom="{:.0f}"><title>{}</title><desc>{}</desc>'
    ).format(
        f"plot {classes}".strip(),
        WIDTH,
        height,
        LEFT,
        RIGHT,
        *frame,
        title,
        " ".join([about, "; ".join(numbers)]).strip(),
    )
    return head + Markup("").join(body) + Markup("</svg>")


def interval_text(interval: Interval | None) -> str:
    """A mean with its interval, for the description."""
    if interval is None:
        return "–"
    if interval.low is None or interval.high is None:
        return number(round(interval.mean, 3))
    low, high = number(round(interval.low, 3)), number(round(interval.high, 3))
    return f"{number(round(interval.mean, 3))} ({low} – {high})"


def names_beside(
    points: Sequence[tuple[str, float, float]], top: float, bottom: float
) -> list[Markup]:
    """The points' labels, each placed beside its point where it overlaps least."""
    taken = [(x - 6, y - 6, x + 6, y + 6) for _, x, y in points]
    drawn: list[Markup] = []
    for label, x, y in points:
        wide = LETTER * len(label)
        best: tuple[float, float, float] | None = None
        for left, base in (
            (x + 8, y - 6),
            (x + 8, y + 14),
            (x - 8 - wide, y - 6),
            (x - 8 - wide, y + 14),
            (x - wide / 2, y - 10),
            (x - wide / 2, y + 20),
        ):
            box = (left, base - 10, left + wide, base + 3)
            covered = sum(_overlap(box, other) for other in taken)
            inside = (LEFT, top - 6, WIDTH, bottom)
            covered += 4 * (wide * 13 - _overlap(box, inside))
            if best is None or covered < best[0] - 1e-6:
                best = (covered, left, base)
        assert best is not None
        _, left, base = best
        taken.append((left, base - 10, left + wide, base + 3))
        drawn.append(
            Markup('<text class="name" x="{:.1f}" y="{:.1f}">{}</text>').format(left, base, label)
        )
    return drawn


def _overlap(
    first: tuple[float, float, float, float], second: tuple[float, float, float, float]
) -> float:
    """The area in which two boxes (x0, y0, x1, y1) overlap."""
    wide = min(first[2], second[2]) - max(first[0], second[0])
    tall = min(first[3], second[3]) - max(first[1], second[1])
    return max(0.0, wide) * max(0.0, tall)


def plain_scale(values: Sequence[float], start: float, end: float) -> Scale:
    low, high = min(values), max(values)
    return Scale(low, high if high > low else low + 1.0, start, end)


def ends(intervals: Sequence[Interval]) -> list[float]:
    return [
        end
        for interval in intervals
        for end in (interval.mean, interval.low, interval.high)
        if end is not None
    ]


def grid_x(across: Scale, top: float, bottom: float) -> Markup:
    parts = [
        Markup(
            '<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>'
            '<text class="tick" x="{0:.1f}" y="{3}" text-anchor="middle">{4}</text>'
        ).format(across(tick), top, bottom, bottom + 14, number(tick))
        for tick in across.ticks()
    ]
    return Markup("").join(parts)


def grid_y(up: Scale, left: float, right: float) -> Markup:
    parts = [
        Markup(
            '<line class="grid" x1="{1}" x2="{2}" y1="{0:.1f}" y2="{0:.1f}"/>'
            '<text class="tick" x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>'
        ).format(up(tick), left, right, left - 5, up(tick) + 4, number(tick))
        for tick in up.ticks(4)
    ]
    return Markup("").join(parts)


def caption_x(text: str, left: float, height: float) -> Markup:
    return Markup('<text class="caption" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
        (left + WIDTH - 12) / 2, height - 5, text
    )


def caption_y(text: str) -> Markup:
    return Markup('<text class="caption" x="2" y="13">{}</text>').format(text)


def row_label(label: str, middle: float) -> Markup:
    short = label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"
    return Markup(
        '<text class="name" x="{}" y="{:.1f}" text-anchor="end">{}<title>{}</title></text>'
    ).format(LABELS - 8, middle + 4, short, label)


def diamond(x: float, middle: float, colour: int) -> Markup:
    """The mark of a mean."""
    return Markup('<path class="dot {}" d="M{:.1f} {:.1f}l5 5 -5 5 -5 -5z"/>').format(
        colour_class(colour), x, middle - 5
    )


def whisker(interval: Interval, across: Scale, middle: float, colour: int) -> Markup:
    if interval.low is None or interval.high is None:
        return Markup("")
    return Markup(
        '<line class="line {0}" x1="{1:.1f}" x2="{2:.1f}" y1="{3:.1f}" y2="{3:.1f}"/>'
    ).format(colour_class(colour), across(interval.low), across(interval.high), middle)
