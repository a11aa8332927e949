"""The plots as inline SVG, drawn without a script or a plotting library.

Each has a title and a description with its numbers, for screen readers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.ground.stats import Interval
from reports.drawing import (
    LABELS,
    LEFT,
    RIGHT,
    WIDTH,
    Scale,
    caption_x,
    caption_y,
    colour_class,
    diamond,
    drawn,
    ends,
    grid_x,
    grid_y,
    interval_text,
    log_scale,
    names_beside,
    number,
    plain_scale,
    row_label,
    scale,
    whisker,
)

MOST_DOTS = 150  # values of a method in one row; more are thinned by rank


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
    """One interval in a forest plot; its dot is filled if the difference is significant."""

    label: str
    colour: int
    interval: Interval
    is_significant: bool


@dataclass(frozen=True)
class Point:
    """One method in a scatter plot, with an interval on each axis. cloud: its single cases."""

    label: str
    colour: int
    x: Interval
    y: Interval
    cloud: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class DotLine:
    """One line of dots. dots: method, colour and value."""

    label: str
    dots: tuple[tuple[str, int, float], ...]


@dataclass(frozen=True)
class Ratings:
    """How often one method was rated 1, 2, 3, 4, 5, and its mean rating."""

    label: str
    colour: int
    counts: tuple[int, ...]
    mean: Interval | None


@dataclass(frozen=True)
class Drawing:
    """A finished plot with its caption and a note.

    is_void: the plot shows values of a scorer that does not work on the data.
    """

    caption: str
    drawing: Markup
    note: str = ""
    is_void: bool = False


def distribution(title: str, about: str, unit: str, groups: Sequence[Group]) -> Markup:
    """Every value of every method as a dot, with quartiles, mean and interval."""
    groups = [group for group in groups if group.values]
    if not groups:
        return Markup("")
    row, top = 34, 6
    height = top + row * len(groups) + 40
    across = scale([value for group in groups for value in group.values], LABELS, WIDTH - 12)
    body = [grid_x(across, top, height - 36), caption_x(unit, LABELS, height)]
    for index, group in enumerate(groups):
        middle = top + row * index + row / 2
        body.append(row_label(group.label, middle))
        body.append(_dots(group, across, middle))
        body.append(_box(group, across, middle))
    numbers = [f"{group.label} {interval_text(group.interval)}" for group in groups]
    return drawn(title, about, height, body, numbers=numbers)


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
    """Lines over a common axis; `mark_x` draws a vertical line, `range_x` fixes the axis."""
    series = [one for one in series if one.x]
    if not series:
        return Markup("")
    top, bottom = 22, height - 38
    across = plain_scale(range_x or [x for one in series for x in one.x], LEFT, RIGHT)
    up = scale([y for one in series for y in one.y], bottom, top)
    body = [grid_x(across, top, bottom), grid_y(up, LEFT, RIGHT)]
    body += [caption_x(x_title, LEFT, height), caption_y(y_title)]
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
    numbers = [f"{one.label} {number(min(one.y))} – {number(max(one.y))}" for one in series]
    return drawn(title, about, height, body, classes=classes, frame=(top, bottom), numbers=numbers)


def forest(title: str, about: str, unit: str, bars: Sequence[Bar]) -> Markup:
    """Differences from the table's reference with their intervals, and a line at zero."""
    if not bars:
        return Markup("")
    row, top = 26, 6
    height = top + row * len(bars) + 40
    across = scale([0.0, *ends([bar.interval for bar in bars])], LABELS, WIDTH - 12)
    body = [grid_x(across, top, height - 36), caption_x(unit, LABELS, height)]
    body.append(
        Markup('<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(
            across(0.0), top, height - 36
        )
    )
    for index, bar in enumerate(bars):
        middle = top + row * index + row / 2
        body.append(row_label(bar.label, middle))
        body.append(whisker(bar.interval, across, middle, bar.colour))
        filled = "dot" if bar.is_significant else "dot hollow"
        body.append(
            Markup('<circle class="{} {}" cx="{:.1f}" cy="{:.1f}" r="5"/>').format(
                filled, colour_class(bar.colour), across(bar.interval.mean), middle
            )
        )
    return drawn(
        title, about, height, body, numbers=[f"{b.label} {interval_text(b.interval)}" for b in bars]
    )


def scatter(
    title: str,
    about: str,
    x_title: str,
    y_title: str,
    points: Sequence[Point],
    *,
    log_x: bool = False,
    named: bool = True,
) -> Markup:
    """Methods by two means, with the interval of each, over the dots of single cases.

    log_x: whether the x axis is logarithmic. named: whether names are drawn beside the points;
    if not, the page needs a legend, and a point's tooltip gives its name.
    """
    if len(points) < 2:
        return Markup("")
    height, top, bottom = 270, 22, 232
    clouds = [pair for point in points for pair in point.cloud]
    values = ends([p.x for p in points]) + [x for x, _ in clouds]
    across = (log_scale if log_x else scale)(values, LEFT, WIDTH - 12)
    up = scale(ends([p.y for p in points]) + [y for _, y in clouds], bottom, top)
    body = [grid_x(across, top, bottom), grid_y(up, LEFT, WIDTH - 12)]
    body += [caption_x(x_title, LEFT, height), caption_y(y_title)]
    for point in points:
        pairs = sorted(point.cloud)[:: max(1, math.ceil(len(point.cloud) / MOST_DOTS))]
        dots = [
            Markup('<circle cx="{:.1f}" cy="{:.1f}" r="2.2"/>').format(across(x), up(y))
            for x, y in pairs
        ]
        body.append(
            Markup('<g class="dots {}">{}</g>').format(
                colour_class(point.colour), Markup("").join(dots)
            )
        )
    for point in points:
        x, y, colour = across(point.x.mean), up(point.y.mean), colour_class(point.colour)
        body.append(whisker(point.x, across, y, point.colour))
        if point.y.low is not None and point.y.high is not None:
            body.append(
                Markup(
                    '<line class="line {0}" x1="{1:.1f}" x2="{1:.1f}" y1="{2:.1f}" y2="{3:.1f}"/>'
                ).format(colour, x, up(point.y.low), up(point.y.high))
            )
        body.append(
            Markup(
                '<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="5"><title>{}</title></circle>'
            ).format(colour, x, y, point.label)
        )
    if named:
        places = [(p.label, across(p.x.mean), up(p.y.mean)) for p in points]
        body += names_beside(places, top, bottom)
    numbers = [f"{p.label} {interval_text(p.x)} / {interval_text(p.y)}" for p in points]
    return drawn(title, about, height, body, numbers=numbers)


def dot_lines(title: str, about: str, unit: str, lines: Sequence[DotLine]) -> Markup:
    """A line for each name, with a dot for each method."""
    if not lines:
        return Markup("")
    row, top = 22, 6
    height = top + row * len(lines) + 40
    across = scale([value for line in lines for _, _, value in line.dots], LABELS, WIDTH - 12)
    body = [grid_x(across, top, height - 36), caption_x(unit, LABELS, height)]
    for index, line in enumerate(lines):
        middle = top + row * index + row / 2
        values = [value for _, _, value in line.dots]
        body.append(row_label(line.label, middle))
        body.append(
            Markup('<line class="ground" x1="{0:.1f}" x2="{1:.1f}" y1="{2}" y2="{2}"/>').format(
                across(min(values)), across(max(values)), middle
            )
        )
        body += [
            Markup(
                '<circle class="dot {}" cx="{:.1f}" cy="{}" r="4"><title>{} {}</title></circle>'
            ).format(colour_class(colour), across(value), middle, name, number(round(value, 3)))
            for name, colour, value in line.dots
        ]
    numbers = [
        f"{line.label}: {number(round(min(v), 3))} – {number(round(max(v), 3))}"
        for line in lines
        if (v := [value for _, _, value in line.dots])
    ]
    return drawn(title, about, height, body, numbers=numbers)


def ratings(title: str, about: str, x_title: str, groups: Sequence[Ratings]) -> Markup:
    """How often each rating was given: bars for each method, with the mean below them."""
    groups = [group for group in groups if sum(group.counts)]
    if not groups:
        return Markup("")
    row, top, tall = 50, 4, 30
    height = top + row * len(groups) + 34
    across = Scale(0.5, 5.5, LABELS, WIDTH - 12)
    body = [caption_x(x_title, LABELS, height)]
    body += [
        Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            across(value), height - 20, value
        )
        for value in range(1, 6)
    ]
    for index, group in enumerate(groups):
        ground = top + row * index + tall + 4
        most = max(group.counts)
        body.append(row_label(group.label, ground - tall / 2))
        for value, count in enumerate(group.counts, start=1):
            body.append(
                Markup(
                    '<rect class="bar {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
                    "<title>{}: {}</title></rect>"
                ).format(
                    colour_class(group.colour),
                    across(value - 0.38),
                    ground - tall * count / most,
                    across(0.76) - across(0.0),
                    tall * count / most,
                    value,
                    count,
                )
            )
        body.append(
            Markup('<line class="ground" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>').format(
                LABELS, WIDTH - 12, ground
            )
        )
        if group.mean is not None:
            body.append(whisker(group.mean, across, ground + 6, group.colour))
            body.append(diamond(across(group.mean.mean), ground + 6, group.colour))
    numbers = [
        f"{g.label} {', '.join(map(str, g.counts))}; {interval_text(g.mean)}" for g in groups
    ]
    return drawn(title, about, height, body, numbers=numbers)


def waveform(title: str, about: str, x_title: str, peaks: Sequence[int], seconds: float) -> Markup:
    """The sound's envelope over time; `peaks`: magnitudes, 0..255, of equal segments."""
    if not peaks or seconds <= 0:
        return Markup("")
    middle, height = 40, 114
    across = Scale(0.0, seconds, LEFT, RIGHT)
    step = seconds / len(peaks)
    tall = [max(0.5, 34.0 * peak / 255.0) for peak in peaks]
    upper = [f"{across((i + 0.5) * step):.1f},{middle - one:.1f}" for i, one in enumerate(tall)]
    lower = [f"{across((i + 0.5) * step):.1f},{middle + one:.1f}" for i, one in enumerate(tall)]
    shape = Markup('<polygon class="wave" points="{}"/>').format(" ".join(upper + lower[::-1]))
    body = [grid_x(across, 4, 76), shape, caption_x(x_title, LEFT, height)]
    return drawn(title, about, height, body, classes="timed", frame=(4, 76))


def _dots(group: Group, across: Scale, middle: float) -> Markup:
    values = sorted(group.values)
    if len(values) > MOST_DOTS:
        values = [values[i * (len(values) - 1) // (MOST_DOTS - 1)] for i in range(MOST_DOTS)]
    spread = (0.0, 5.0, -5.0, 2.5, -2.5)  # fixed, not random: a rebuilt report has the same bytes
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
    """Quartiles as a box, the mean as a diamond on its interval."""
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
        parts.append(whisker(group.interval, across, middle, group.colour))
        parts.append(diamond(across(group.interval.mean), middle, group.colour))
    return Markup("").join(parts)


def _quantile(values: Sequence[float], share: float) -> float:
    place = share * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)
