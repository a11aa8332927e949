"""The gallery of worst cases: those of every competitor in each ranked column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reports.case_page import CaseLink
from reports.comparison import Table
from reports.pictures import Evidence
from reports.results import Column, Dataset, Results
from reports.text import fixed
from reports.words import Words

WORST = 3  # most cases per method and column
CARDS = 24  # approximate number of cases in total


@dataclass(frozen=True)
class Card:
    """One case of the gallery. is_void: its column's scorer does not work on the data."""

    file: str
    strip: str
    method: str
    heading: str
    value: str
    dataset: str
    case: str
    is_void: bool


def find_worst(
    results: Results,
    tables: Sequence[Table],
    links: Mapping[tuple[str, str], CaseLink],
    evidence: Mapping[tuple[str, str], Evidence],
    words: Words,
) -> tuple[Card, ...]:
    """The worst cases of each competitor and ranked column; of `truth` if nothing competes.

    The worst case of a column comes first, columns of a scorer that does not work come last.
    """
    cards: dict[tuple[str, str, str], Card] = {}
    for dataset, label, column, case, value in worst_cells(results, tables):
        link = links[dataset.name, case]
        taken = evidence.get((link.case.key, label))
        card = Card(
            file=link.file,
            strip=taken.strip if taken else "",
            method=results.shown(label),
            heading=column.title(words),
            value=fixed(value),
            dataset=dataset.name,
            case=case,
            is_void=column.is_void,
        )
        cards.setdefault((dataset.name, label, case), card)
    return tuple(cards.values())


def worst_cells(
    results: Results, tables: Sequence[Table]
) -> list[tuple[Dataset, str, Column, str, float]]:
    """Data set, method, column, case and value of the worst cells of every competitor of the runs.

    They cover each column that any table ranks, with the worst cell of all methods first.
    """
    labels = competing(results)
    columns = list(ranked_columns(results, tables))
    most = min(WORST, max(1, CARDS // max(1, len(labels) * len(columns))))
    found: list[tuple[Dataset, str, Column, str, float]] = []
    for dataset, column in sorted(columns, key=lambda one: one[1].is_void):
        sign = 1.0 if column.output.better == "higher" else -1.0
        bad: list[tuple[float, str, str]] = []
        for label in labels:
            values = results.column_values(dataset, label, column, kind="reconstruct").values
            bad += sorted((sign * value, case, label) for case, value in values.items())[:most]
        found += [
            (dataset, label, column, case, sign * value) for value, case, label in sorted(bad)
        ]
    return found


def competing(results: Results) -> list[str]:
    """The competitors of all runs, in a table or not; `truth` if nothing competes."""
    labels = [row.label for row in results.rows if not row.control]
    return labels or [row.label for row in results.rows if row.name == "truth"]


def ranked_columns(results: Results, tables: Sequence[Table]) -> Iterator[tuple[Dataset, Column]]:
    """Every column that a table ranks, except set metrics, once for each data set."""
    for dataset in results.datasets:
        columns = (
            one.column
            for table in tables
            for block in table.blocks
            for one in block.columns
            if block.dataset.name == dataset.name and not one.is_evidence
        )
        for column in dict.fromkeys(columns):
            if not column.is_set and column.output.better != "none":
                yield dataset, column
