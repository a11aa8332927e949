"""Small SVG plots, drawn from numbers; colours come from the page's style sheet.

Every plot is 440 units wide, so that its text stays readable on a phone, and carries a title and a
description for readers who do not see it. Series are coloured by class `c0` .. `c7` and dashed from
the ninth on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.stats import Interval

WIDTH = 440
COLOURS = 8
MOST_DOTS = 150  # of a method's values in one row; more are thinned by rank


@dataclass(frozen=True)
class Group:
    """One method's values in a distribution."""

    label: str
    colour: int
    values: tuple[float, ...]
    interval: Interval | None = None


@dataclass(frozen=True)
class Series:
    """One line: x and y of equal length."""

    label: str
    colour: int
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Bar:
    """One interval in a forest plot; solid where the test holds."""

    label: str
    colour: int
    interval: Interval
    is_significant: bool


@dataclass(frozen=True)
class Point:
    """One method in a scatter plot, with an interval each way."""

    label: str
    colour: int
    x: Interval
    y: Interval


@dataclass(frozen=True)
class Drawing:
    """A finished plot with its caption."""

    caption: str
    drawing: Markup


@dataclass(frozen=True)
class Scale:
    """A linear map of [low, high] onto [start, end] units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where the value lies, in units."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """Round values inside the range, about `count` of them."""
        rough = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = min((1.0, 2.0, 5.0, 10.0), key=lambda one: abs(one * power - rough)) * power
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


def scale(values: Sequence[float], start: float, end: float) -> Scale:
    """A scale that shows all the values with a little air around them."""
    low, high = min(values), max(values)
    air = (high - low) * 0.05 or max(abs(high), 1.0) * 0.05
    return Scale(low - air, high + air, start, end)


def number(value: float) -> str:
    """A tick's label: as short as its value allows."""
    return f"{round(value, 6):g}".replace("-", "\N{MINUS SIGN}")


def distribution(title: str, about: str, unit: str, groups: Sequence[Group]) -> Markup:
    """Every value of every method as a dot, with quartiles, mean and its interval."""
    groups = [group for group in groups if group.values]
    if not groups:
        return Markup("")
    row, top, left = 34, 6, 118
    height = top + row * len(groups) + 40
    across = scale([value for group in groups for value in group.values], left, WIDTH - 12)
    body = [_grid_x(across, top, height - 36), _caption_x(unit, left, height)]
    for index, group in enumerate(groups):
        middle = top + row * index + row / 2
        body.append(_row_label(group.label, middle))
        body.append(_dots(group, across, middle))
        body.append(_box(group, across, middle))
    return _svg(title, about, height, body)


def lines(
    title: str,
    about: str,
    x_title: str,
    y_title: str,
    series: Sequence[Series],
    *,
    mark_x: float | None = None,
    range_x: tuple[float, float] | None = None,
    height: int = 230,
    classes: str = "",
) -> Markup:
    """Lines over a common axis; `mark_x` is drawn as a reference, `range_x` fixes the axis."""
    series = [one for one in series if one.x]
    if not series:
        return Markup("")
    left, top, bottom = 46, 22, height - 38
    across = _plain_scale(range_x or [x for one in series for x in one.x], left, WIDTH - 10)
    up = scale([y for one in series for y in one.y], bottom, top)
    body = [_grid_x(across, top, bottom), _grid_y(up, left, WIDTH - 10)]
    body += [_caption_x(x_title, left, height), _caption_y(y_title)]
    if mark_x is not None:
        at = across(mark_x)
        body.append(
            Markup('<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(
                at, top, bottom
            )
        )
    for one in series:
        points = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in zip(one.x, one.y, strict=True))
        body.append(
            Markup('<polyline class="line {}" points="{}"><title>{}</title></polyline>').format(
                colour_class(one.colour), points, one.label
            )
        )
    return _svg(title, about, height, body, classes=classes)


def forest(title: str, about: str, unit: str, bars: Sequence[Bar]) -> Markup:
    """Differences from a reference with their intervals, around a line at zero."""
    if not bars:
        return Markup("")
    row, top, left = 26, 6, 118
    height = top + row * len(bars) + 40
    ends = [0.0]
    for bar in bars:
        ends += [end for end in (bar.interval.mean, bar.interval.low, bar.interval.high) if end]
    across = scale(ends, left, WIDTH - 12)
    body = [_grid_x(across, top, height - 36), _caption_x(unit, left, height)]
    body.append(
        Markup('<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(
            across(0.0), top, height - 36
        )
    )
    for index, bar in enumerate(bars):
        middle = top + row * index + row / 2
        body.append(_row_label(bar.label, middle))
        body.append(_whisker(bar.interval, across, middle, bar.colour))
        filled = "dot" if bar.is_significant else "dot hollow"
        body.append(
            Markup('<circle class="{} {}" cx="{:.1f}" cy="{:.1f}" r="5"/>').format(
                filled, colour_class(bar.colour), across(bar.interval.mean), middle
            )
        )
    return _svg(title, about, height, body)


def scatter(title: str, about: str, x_title: str, y_title: str, points: Sequence[Point]) -> Markup:
    """Methods by two means, with the interval of each."""
    if len(points) < 2:
        return Markup("")
    height, left, top, bottom = 270, 46, 22, 232
    across = scale(_ends([point.x for point in points]), left, WIDTH - 12)
    up = scale(_ends([point.y for point in points]), bottom, top)
    body = [_grid_x(across, top, bottom), _grid_y(up, left, WIDTH - 12)]
    body += [_caption_x(x_title, left, height), _caption_y(y_title)]
    for point in points:
        x, y, colour = across(point.x.mean), up(point.y.mean), colour_class(point.colour)
        body.append(_whisker(point.x, across, y, point.colour))
        if point.y.low is not None and point.y.high is not None:
            body.append(
                Markup(
                    '<line class="line {0}" x1="{1:.1f}" x2="{1:.1f}" y1="{2:.1f}" y2="{3:.1f}"/>'
                ).format(colour, x, up(point.y.low), up(point.y.high))
            )
        body.append(
            Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="5"/>').format(colour, x, y)
        )
        anchor, shift = ("end", -8) if x > WIDTH * 0.7 else ("start", 8)
        body.append(
            Markup('<text class="name" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
                x + shift, y - 7, anchor, point.label
            )
        )
    return _svg(title, about, height, body)


def waveform(title: str, about: str, x_title: str, peaks: Sequence[int], seconds: float) -> Markup:
    """The sound's envelope over time; `peaks` are magnitudes, 0..255, of equal stretches."""
    if not peaks or seconds <= 0:
        return Markup("")
    left, right, middle, height = 46, WIDTH - 10, 40, 114
    across = Scale(0.0, seconds, left, right)
    step = seconds / len(peaks)
    tall = [max(0.5, 34.0 * peak / 255.0) for peak in peaks]
    upper = [f"{across((i + 0.5) * step):.1f},{middle - one:.1f}" for i, one in enumerate(tall)]
    lower = [f"{across((i + 0.5) * step):.1f},{middle + one:.1f}" for i, one in enumerate(tall)]
    shape = Markup('<polygon class="wave" points="{}"/>').format(" ".join(upper + lower[::-1]))
    body = [_grid_x(across, 4, 76), shape, _caption_x(x_title, left, height)]
    return _svg(title, about, height, body, classes="timed")


def colour_class(colour: int) -> str:
    """The style sheet's class of a series."""
    dash = " dashed" if colour >= COLOURS else ""
    return f"c{colour % COLOURS}{dash}"


def _svg(
    title: str, about: str, height: float, body: Sequence[Markup], *, classes: str = ""
) -> Markup:
    head = Markup(
        '<svg class="plot {}" viewBox="0 0 {} {:.0f}" role="img"><title>{}</title><desc>{}</desc>'
    ).format(classes, WIDTH, height, title, about)
    return head + Markup("").join(body) + Markup("</svg>")


def _plain_scale(values: Sequence[float], start: float, end: float) -> Scale:
    low, high = min(values), max(values)
    return Scale(low, high if high > low else low + 1.0, start, end)


def _ends(intervals: Sequence[Interval]) -> list[float]:
    return [
        end
        for interval in intervals
        for end in (interval.mean, interval.low, interval.high)
        if end is not None
    ]


def _grid_x(across: Scale, top: float, bottom: float) -> Markup:
    parts = [
        Markup(
            '<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>'
            '<text class="tick" x="{0:.1f}" y="{3}" text-anchor="middle">{4}</text>'
        ).format(across(tick), top, bottom, bottom + 14, number(tick))
        for tick in across.ticks()
    ]
    return Markup("").join(parts)


def _grid_y(up: Scale, left: float, right: float) -> Markup:
    parts = [
        Markup(
            '<line class="grid" x1="{1}" x2="{2}" y1="{0:.1f}" y2="{0:.1f}"/>'
            '<text class="tick" x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>'
        ).format(up(tick), left, right, left - 5, up(tick) + 4, number(tick))
        for tick in up.ticks(4)
    ]
    return Markup("").join(parts)


def _caption_x(text: str, left: float, height: float) -> Markup:
    return Markup('<text class="caption" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
        (left + WIDTH - 12) / 2, height - 5, text
    )


def _caption_y(text: str) -> Markup:
    return Markup('<text class="caption" x="2" y="13">{}</text>').format(text)


def _row_label(label: str, middle: float) -> Markup:
    short = label if len(label) <= 16 else label[:15] + "…"
    return Markup(
        '<text class="name" x="110" y="{:.1f}" text-anchor="end">{}<title>{}</title></text>'
    ).format(middle + 4, short, label)


def _dots(group: Group, across: Scale, middle: float) -> Markup:
    values = sorted(group.values)
    if len(values) > MOST_DOTS:
        values = [values[i * (len(values) - 1) // (MOST_DOTS - 1)] for i in range(MOST_DOTS)]
    spread = (0.0, 5.0, -5.0, 2.5, -2.5)  # a fixed pattern instead of chance: same bytes every time
    circles = [
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="2.2"/>').format(
            across(value), middle + spread[index % len(spread)]
        )
        for index, value in enumerate(values)
    ]
    return (
        Markup('<g class="dots {}">').format(colour_class(group.colour))
        + Markup("").join(circles)
        + Markup("</g>")
    )


def _box(group: Group, across: Scale, middle: float) -> Markup:
    """Quartiles as a frame, the mean as a diamond on its interval."""
    values = sorted(group.values)
    low, median, high = (_quantile(values, share) for share in (0.25, 0.5, 0.75))
    parts = [
        Markup(
            '<rect class="box" x="{0:.1f}" y="{1:.1f}" width="{2:.1f}" height="20" rx="3"/>'
            '<line class="median" x1="{3:.1f}" x2="{3:.1f}" y1="{1:.1f}" y2="{4:.1f}"/>'
        ).format(
            across(low),
            middle - 10,
            max(1.0, across(high) - across(low)),
            across(median),
            middle + 10,
        )
    ]
    if group.interval is not None:
        parts.append(_whisker(group.interval, across, middle, group.colour))
        x = across(group.interval.mean)
        parts.append(
            Markup('<path class="dot {}" d="M{:.1f} {:.1f}l5 5 -5 5 -5 -5z"/>').format(
                colour_class(group.colour), x, middle - 5
            )
        )
    return Markup("").join(parts)


def _whisker(interval: Interval, across: Scale, middle: float, colour: int) -> Markup:
    if interval.low is None or interval.high is None:
        return Markup("")
    return Markup(
        '<line class="line {0}" x1="{1:.1f}" x2="{2:.1f}" y1="{3:.1f}" y2="{3:.1f}"/>'
    ).format(colour_class(colour), across(interval.low), across(interval.high), middle)


def _quantile(values: Sequence[float], share: float) -> float:
    place = share * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)
