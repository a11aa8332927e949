"""The plots by question: spread, differences, sync over shift, sync against visual quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.ground.stats import Interval, mean_interval
from reports import plots
from reports.case_page import mean_curve, shift_series
from reports.comparison import BlockColumn, Table, stand
from reports.results import Column, Dataset, Results, Row
from reports.sections.worst import ranked_columns
from reports.words import Words


@dataclass(frozen=True)
class Question:
    """A question and the plots that answer it. legend: if the plots do not name the methods."""

    title: str
    about: str
    plots: tuple[plots.Drawing, ...]
    legend: tuple[tuple[int, Row], ...] = ()


def ask(results: Results, tables: Sequence[Table], words: Words) -> tuple[Question, ...]:
    """The questions that have a plot, about all methods of the runs.

    Differences are plotted for each table, which names the baseline and corrects the p values.
    """
    colours = results.colours
    spread: list[plots.Drawing] = []
    for dataset, column in ranked_columns(results, tables):
        caption = f"{column.title(words)} · {dataset.name}"
        drawn = _spread(results, dataset, column, colours, words)
        _add(spread, caption, drawn, is_void=column.is_void)
    differences: list[plots.Drawing] = []
    for number, table in enumerate(tables, start=1):
        for block in table.blocks:
            for one in block.columns:
                caption = f"{one.column.title(words)} · {block.dataset.name}"
                if len(tables) > 1:
                    caption = f"{caption} · {words('section_table', number=number)}"
                against = words("plot_against", reference=table.shown(table.reference or ""))
                _add(
                    differences, caption, _differences(table, one, caption, colours, words), against
                )
    shift: list[plots.Drawing] = []
    trade: list[plots.Drawing] = []
    for dataset in results.datasets:
        sync = next((c for c in results.columns(dataset) if c.output.name == "lse_d"), None)
        if sync is not None:
            drawn = _shift(results, dataset, sync, colours, words)
            _add(shift, dataset.name, drawn, is_void=sync.is_void)
        trade += _trade(results, tables, dataset, colours, words)
    legend = tuple((colours[row.label], row) for row in results.rows)
    asked = (
        Question(words("plot_spread"), words("plot_spread_about"), tuple(spread)),
        Question(words("plot_differences"), words("plot_differences_about"), tuple(differences)),
        Question(words("plot_shift"), words("plot_shift_mean_about"), tuple(shift), legend),
        Question(words("plot_trade"), words("plot_trade_about"), tuple(trade)),
    )
    return tuple(one for one in asked if one.plots)


def axis(column: Column, words: Words) -> str:
    """A column's axis title with its unit and the better direction."""
    return with_direction(column.title(words), column.output.unit, column.output.better, words)


def with_direction(heading: str, unit: str, better: str, words: Words) -> str:
    """`PSNR (dB), better →`."""
    shown = words.unit(unit)
    text = f"{heading} ({shown})" if shown else heading
    return words(f"axis_{better}", axis=text)


def _spread(
    results: Results,
    dataset: Dataset,
    column: Column,
    colours: Mapping[str, int],
    words: Words,
) -> Markup:
    speakers = dataset.speakers
    groups: list[plots.Group] = []
    for row in results.rows:
        values = results.column_values(dataset, row.label, column, kind="reconstruct").values
        if not values:
            continue
        interval = mean_interval(
            list(values.values()), [speakers[case] for case in values], seed=results.seed
        )
        groups.append(plots.Group(row.shown, colours[row.label], tuple(values.values()), interval))
    return plots.distribution(
        f"{words('plot_spread')} {column.title(words)}, {dataset.name}",
        words("plot_spread_about"),
        axis(column, words),
        groups,
    )


def _differences(
    table: Table, one: BlockColumn, caption: str, colours: Mapping[str, int], words: Words
) -> Markup:
    bars = [
        plots.Bar(table.shown(label), colours[label], entry.difference, entry.is_significant)
        for label, entry in one.standing.entries.items()
        if entry.difference is not None
    ]
    return plots.forest(
        f"{words('plot_differences')} {caption}",
        words("plot_differences_about"),
        axis(one.column, words),
        bars,
    )


def _shift(
    results: Results, dataset: Dataset, column: Column, colours: Mapping[str, int], words: Words
) -> Markup:
    series: list[plots.Series] = []
    for row in results.rows:
        cells = [
            results.cell(dataset, row.label, case, column)
            for case in dataset.of_kind("reconstruct")
        ]
        curves = [cell.curves["distances"] for cell in cells if cell and "distances" in cell.curves]
        mean = mean_curve(curves)
        if mean is not None:
            series.append(shift_series(row.shown, colours[row.label], mean))
    return plots.lines(
        words("plot_shift"),
        words("plot_shift_mean_about"),
        words("axis_offset"),
        words("axis_distance"),
        series,
        mark_x=0.0,
        height=270,
    )


def _trade(
    results: Results,
    tables: Sequence[Table],
    dataset: Dataset,
    colours: Mapping[str, int],
    words: Words,
) -> list[plots.Drawing]:
    """Synchronisation against visual quality, with a note on methods that lack a value."""
    ranked = [column for one, column in ranked_columns(results, tables) if one is dataset]
    sync = next((one for one in ranked if one.output.name == "lse_c"), None)
    quality = next((one for one in reversed(ranked) if one.reads_reference), None)
    if sync is None or quality is None:
        return []
    up, across = (_means(results, dataset, column) for column in (sync, quality))
    points = [
        plots.Point(results.shown(label), colours[label], across[label], up[label])
        for label in up
        if label in across
    ]
    drawn = plots.scatter(
        words("plot_trade"),
        words("plot_trade_about"),
        axis(quality, words),
        words("axis_up", axis=sync.title(words)),
        points,
    )
    lacking = [results.shown(label) for label in up if label not in across]
    note = ""
    if lacking:
        title = quality.title(words)
        note = words("plot_lacking", methods=words.listed(lacking), column=title)
    found: list[plots.Drawing] = []
    _add(found, dataset.name, drawn, note, is_void=sync.is_void)
    return found


def _means(results: Results, dataset: Dataset, column: Column) -> dict[str, Interval]:
    """The mean of every method that has one, over the shared cases."""
    scores = {
        row.label: results.column_values(dataset, row.label, column, kind="reconstruct")
        for row in results.rows
    }
    standing = stand(
        scores, results.rows, dataset.speakers, better="none", reference=None, seed=results.seed
    )
    return {
        label: entry.interval
        for label, entry in standing.entries.items()
        if entry.interval is not None
    }


def _add(
    drawings: list[plots.Drawing],
    caption: str,
    drawing: Markup,
    note: str = "",
    *,
    is_void: bool = False,
) -> None:
    if drawing:
        drawings.append(plots.Drawing(caption, drawing, note, is_void))
