"""Means by speaker: does a single speaker determine a mean?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.files.spreadsheets import csv_text
from bench.ground.stats import shared_cases
from reports import plots
from reports.comparison import Table
from reports.results import Column, ColumnValues, Dataset, Results, Row
from reports.sections.plots import axis
from reports.sections.worst import ranked_columns
from reports.sheets import dataset_name, whole_protocol
from reports.text import fixed
from reports.words import Words

MOST_SPEAKERS = 24  # on the page: the hardest and the easiest; the file has all


@dataclass(frozen=True)
class Breakdown:
    """One column by speaker. means: by speaker and method, over the cases that all rows share.

    speakers: names and numbers of cases, the hardest first.
    """

    dataset: Dataset
    column: Column
    rows: tuple[Row, ...]
    speakers: tuple[tuple[str, int], ...]
    means: Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class SpeakerTable:
    """The numbers of one plot. rows: speaker, number of cases, each method's mean as text."""

    title: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[str, ...]], ...]


@dataclass(frozen=True)
class SpeakersView:
    """The plots, their numbers, and a note on speakers left out."""

    plots: tuple[plots.Drawing, ...]
    legend: tuple[tuple[int, Row], ...]
    tables: tuple[SpeakerTable, ...]
    note: str


def break_down(results: Results, tables: Sequence[Table]) -> list[Breakdown]:
    """Every ranked column by speaker, if there are several and any of them has several cases."""
    found = (_by_speaker(results, *ranked) for ranked in ranked_columns(results, tables))
    return [one for one in found if one is not None]


def _by_speaker(results: Results, dataset: Dataset, column: Column) -> Breakdown | None:
    rows = [row for row in results.rows if row.name == "truth" or not row.control]
    scores = {
        row.label: results.column_values(dataset, row.label, column, kind="reconstruct")
        for row in rows
    }
    most = max((one.planned for one in scores.values()), default=0)
    full = [row for row in rows if scores[row.label].values and _has_half(scores, row, most)]
    cases = shared_cases([scores[row.label].values for row in full])
    by_speaker: dict[str, list[str]] = {}
    for case in cases:
        by_speaker.setdefault(dataset.speakers[case], []).append(case)
    if len(by_speaker) < 2 or len(by_speaker) == len(cases):
        return None
    means = {
        (speaker, row.label): sum(scores[row.label].values[case] for case in own) / len(own)
        for speaker, own in by_speaker.items()
        for row in full
    }
    judged = [row.label for row in full if not row.control] or [row.label for row in full]
    sign = 1.0 if column.output.better == "higher" else -1.0
    order = sorted(
        by_speaker,
        key=lambda speaker: (sign * sum(means[speaker, label] for label in judged), speaker),
    )
    speakers = tuple((speaker, len(by_speaker[speaker])) for speaker in order)
    return Breakdown(dataset, column, tuple(full), speakers, means)


def _has_half(scores: Mapping[str, ColumnValues], row: Row, most: int) -> bool:
    return 2 * len(scores[row.label].values) >= most


def view_speakers(
    results: Results, breakdowns: Sequence[Breakdown], words: Words
) -> SpeakersView | None:
    """The breakdowns as the page shows them, without those of a scorer that does not work."""
    shown = [one for one in breakdowns if not one.column.is_void]
    if not shown:
        return None
    colours = results.colours
    rows = {row.label: row for one in shown for row in one.rows}
    notes: dict[str, None] = {}
    drawn: list[plots.Drawing] = []
    tables: list[SpeakerTable] = []
    for one in shown:
        title = f"{one.column.title(words)} · {one.dataset.name}"
        speakers = _chosen(one.speakers)
        if len(speakers) < len(one.speakers):
            counts = {"shown": len(speakers), "n": len(one.speakers)}
            notes[words("speakers_some", data=one.dataset.name, **counts)] = None
        drawn.append(plots.Drawing(title, _plot(one, speakers, colours, words)))
        tables.append(
            SpeakerTable(
                title,
                tuple(row.shown for row in one.rows),
                tuple(
                    (name, count, tuple(fixed(one.means[name, row.label]) for row in one.rows))
                    for name, count in speakers
                ),
            )
        )
    legend = tuple((colours[label], row) for label, row in rows.items())
    return SpeakersView(tuple(drawn), legend, tuple(tables), words("sentence_space").join(notes))


def _chosen(speakers: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    if len(speakers) <= MOST_SPEAKERS:
        return list(speakers)
    return [*speakers[: MOST_SPEAKERS // 2], *speakers[-MOST_SPEAKERS // 2 :]]


def _plot(
    one: Breakdown,
    speakers: Sequence[tuple[str, int]],
    colours: Mapping[str, int],
    words: Words,
) -> Markup:
    lines = [
        plots.DotLine(
            f"{name} ({count})",
            tuple((row.shown, colours[row.label], one.means[name, row.label]) for row in one.rows),
        )
        for name, count in speakers
    ]
    return plots.dot_lines(
        f"{words('plot_speakers')} {one.column.title(words)}, {one.dataset.name}",
        words("plot_speakers_about"),
        axis(one.column, words),
        lines,
    )


def speakers_csv(breakdowns: Sequence[Breakdown]) -> str:
    """The text of speakers.csv: every mean by speaker, one per line, in full precision."""
    rows: list[tuple[object, ...]] = [
        ("dataset", "speaker", "method", "output", "protocol", "mean", "n_cases")
    ]
    for one in breakdowns:
        for speaker, count in one.speakers:
            for row in one.rows:
                protocol = whole_protocol(one.column, one.rows, row.label)
                mean = one.means[speaker, row.label]
                name = one.column.output.name
                data = dataset_name(one.dataset)
                rows.append((data, speaker, row.label, name, protocol, mean, count))
    return csv_text(rows)
