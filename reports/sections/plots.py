"""The questions that plots answer: spread, differences, sync over shift, sync against quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.stats import mean_interval
from reports import plots
from reports.case_page import mean_curve, shift_series
from reports.comparison import Block, BlockColumn, Table
from reports.results import Column, Dataset, Results, Row
from reports.words import Words


@dataclass(frozen=True)
class Question:
    """A question and the plots that answer it. legend: colours, if the plots do not name them."""

    title: str
    about: str
    plots: tuple[plots.Drawing, ...]
    legend: tuple[tuple[int, Row], ...] = ()


def ask(results: Results, tables: Sequence[Table], words: Words) -> tuple[Question, ...]:
    """The questions about the first table, those without any plot left out."""
    if not tables:
        return ()
    table = tables[0]
    colours = results.colours
    spread: list[plots.Drawing] = []
    differences: list[plots.Drawing] = []
    for block in table.blocks:
        for one in block.columns:
            if one.is_evidence or one.column.is_set:
                continue
            caption = f"{one.column.title(words)} · {block.dataset.name}"
            _add(spread, caption, _spread(results, table, block, one, colours, words))
            _add(differences, caption, _differences(one, caption, colours, words))
    shift: list[plots.Drawing] = []
    trade: list[plots.Drawing] = []
    for block in table.blocks:
        _add(shift, block.dataset.name, _shift(results, table, block.dataset, colours, words))
        drawn, note = _trade(block, colours, words)
        _add(trade, block.dataset.name, drawn, note)
    against = words("plot_against", reference=table.reference or "")
    legend = tuple((colours[row.label], row) for row in table.rows)
    asked = (
        Question(words("plot_spread"), words("plot_spread_about"), tuple(spread)),
        Question(
            words("plot_differences"),
            words("two_sentences", first=words("plot_differences_about"), second=against),
            tuple(differences),
        ),
        Question(words("plot_shift"), words("plot_shift_mean_about"), tuple(shift), legend),
        Question(words("plot_trade"), words("plot_trade_about"), tuple(trade)),
    )
    return tuple(one for one in asked if one.plots)


def axis(column: Column, words: Words) -> str:
    """A column's axis title with its unit, and which way is better."""
    return with_direction(column.title(words), column.output.unit, column.output.better, words)


def with_direction(heading: str, unit: str, better: str, words: Words) -> str:
    """`PSNR (dB), better →`."""
    shown = words.unit(unit)
    text = f"{heading} ({shown})" if shown else heading
    return words(f"axis_{better}", axis=text)


def _spread(
    results: Results,
    table: Table,
    block: Block,
    one: BlockColumn,
    colours: Mapping[str, int],
    words: Words,
) -> Markup:
    dataset, speakers = block.dataset, block.dataset.speakers
    groups: list[plots.Group] = []
    for row in table.rows:
        values = results.scores(dataset, row.label, one.column, kind="reconstruct").values
        if not values:
            continue
        interval = mean_interval(
            list(values.values()), [speakers[case] for case in values], seed=results.seed
        )
        groups.append(plots.Group(row.label, colours[row.label], tuple(values.values()), interval))
    return plots.distribution(
        f"{words('plot_spread')} {one.column.title(words)}, {dataset.name}",
        words("plot_spread_about"),
        axis(one.column, words),
        groups,
    )


def _differences(
    one: BlockColumn, caption: str, colours: Mapping[str, int], words: Words
) -> Markup:
    bars = [
        plots.Bar(label, colours[label], entry.difference, entry.is_significant)
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
    results: Results, table: Table, dataset: Dataset, colours: Mapping[str, int], words: Words
) -> Markup:
    column = next((c for c in results.columns(dataset) if c.output.name == "lse_d"), None)
    if column is None:
        return Markup("")
    series: list[plots.Series] = []
    for row in table.rows:
        cells = [
            results.cell(dataset, row.label, case, column)
            for case in dataset.of_kind("reconstruct")
        ]
        curves = [cell.curves["distances"] for cell in cells if cell and "distances" in cell.curves]
        mean = mean_curve(curves)
        if mean is not None:
            series.append(shift_series(row.label, colours[row.label], mean))
    return plots.lines(
        words("plot_shift"),
        words("plot_shift_mean_about"),
        words("axis_offset"),
        words("axis_distance"),
        series,
        mark_x=0.0,
        height=270,
    )


def _trade(block: Block, colours: Mapping[str, int], words: Words) -> tuple[Markup, str]:
    """Synchronisation against picture quality, and whom the plot cannot show."""
    sync = next((c for c in block.columns if c.column.output.name == "lse_c"), None)
    picture = next((c for c in reversed(block.columns) if c.column.reads_reference), None)
    if sync is None or picture is None:
        return Markup(""), ""
    points: list[plots.Point] = []
    lacking: list[str] = []
    for label, entry in sync.standing.entries.items():
        other = picture.standing.entries[label]
        if entry.interval is not None and other.interval is not None:
            points.append(plots.Point(label, colours[label], other.interval, entry.interval))
        elif entry.interval is not None:
            lacking.append(label)
    drawn = plots.scatter(
        words("plot_trade"),
        words("plot_trade_about"),
        axis(picture.column, words),
        words("axis_up", axis=sync.column.title(words)),
        points,
    )
    if not lacking:
        return drawn, ""
    title = picture.column.title(words)
    return drawn, words("plot_lacking", methods=words.listed(lacking), column=title)


def _add(drawings: list[plots.Drawing], caption: str, drawing: Markup, note: str = "") -> None:
    if drawing:
        drawings.append(plots.Drawing(caption, drawing, note))
