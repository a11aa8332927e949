"""Which metrics tell copying from listening: a plot and a table for each data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports import plots
from reports.listening import Heard, Listening
from reports.results import Dataset, Results, Row
from reports.text import fine, fixed, span
from reports.words import Words


@dataclass(frozen=True)
class ListeningCell:
    """One method in one column: the distance, its interval, and the gain in the column's unit."""

    distance: str
    span: str
    gain: str
    value: float


@dataclass(frozen=True)
class ListeningLine:
    """One column with a cell for each method; None where it has none."""

    title: str
    protocol: str
    reads_reference: bool
    cells: tuple[ListeningCell | None, ...]


@dataclass(frozen=True)
class ListeningPart:
    """One data set. legend: colours of the methods."""

    title: str
    plot: plots.Drawing
    legend: tuple[tuple[int, Row], ...]
    rows: tuple[Row, ...]
    lines: tuple[ListeningLine, ...]
    verdict: str


def view_listening(
    results: Results, found: Sequence[Listening], words: Words
) -> tuple[ListeningPart, ...]:
    """The part of each data set that has `probe` cases."""
    parts: list[ListeningPart] = []
    for dataset in results.datasets:
        own = [one for one in found if one.dataset is dataset]
        if own:
            parts.append(_part(results, dataset, own, words))
    return tuple(parts)


def _part(
    results: Results, dataset: Dataset, found: Sequence[Listening], words: Words
) -> ListeningPart:
    heard = {label for one in found for label in one.heard}
    rows = tuple(row for row in results.rows if row.label in heard)
    titles = _titles(found, words)
    colours = results.colours
    lines = [
        plots.DotLine(
            title,
            tuple(
                (row.shown, colours[row.label], one.heard[row.label].distance.mean)
                for row in rows
                if row.label in one.heard
            ),
        )
        for title, one in zip(titles, found, strict=True)
    ]
    name = words.translated(dataset.info.title or dataset.name)
    drawing = plots.dot_lines(
        f"{words('plot_listening')} {dataset.name}",
        words("plot_listening_about"),
        words("axis_spread"),
        lines,
    )
    return ListeningPart(
        name,
        plots.Drawing(dataset.name, drawing),
        tuple((colours[row.label], row) for row in rows),
        rows,
        tuple(
            ListeningLine(
                title,
                one.column.protocol,
                one.column.reads_reference,
                tuple(_cell(one.heard, row.label, one, words) for row in rows),
            )
            for title, one in zip(titles, found, strict=True)
        ),
        _verdict(results, dataset, found, titles, words),
    )


def _titles(found: Sequence[Listening], words: Words) -> list[str]:
    """The columns' titles; where several have the same one, with region or metric's label."""
    titles = [one.column.title_of_region(words) for one in found]
    return [
        title if titles.count(title) == 1 else f"{title} ({one.column.metric})"
        for title, one in zip(titles, found, strict=True)
    ]


def _cell(
    heard: Mapping[str, Heard], label: str, one: Listening, words: Words
) -> ListeningCell | None:
    if label not in heard:
        return None
    found = heard[label]
    unit = words.unit(one.column.output.unit)
    return ListeningCell(
        fixed(found.distance.mean, signed=True, digits=2),
        span(found.distance, signed=True, digits=2),
        f"{fine(found.gain.mean, signed=True)} {unit}".strip(),
        found.distance.mean,
    )


def _verdict(
    results: Results,
    dataset: Dataset,
    found: Sequence[Listening],
    titles: Sequence[str],
    words: Words,
) -> str:
    """The full-reference metrics that put own and other speech furthest and least apart."""
    compared = [
        (max(sizes), title)
        for title, one in zip(titles, found, strict=True)
        if one.column.reads_reference
        if (
            sizes := [
                abs(heard.distance.mean)
                for label, heard in one.heard.items()
                if not results.row(label).control
            ]
        )
    ]
    if len(compared) < 2:
        return ""
    most, least = max(compared), min(compared)
    return words(
        "listening_verdict",
        data=dataset.name,
        best=most[1],
        most=fixed(most[0], digits=1),
        worst=least[1],
        least=fixed(least[0], digits=1),
    )
