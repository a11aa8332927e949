"""The gallery of the cases worth looking at: each competitor's worst in each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.case_page import CaseLink
from reports.comparison import Table
from reports.pictures import Evidence
from reports.results import Column, Dataset, Results
from reports.text import fixed
from reports.words import Words

WORST = 3  # cases shown at most for each method and column
CARDS = 24  # cases shown in all, about


@dataclass(frozen=True)
class Card:
    """A case worth looking at."""

    file: str
    strip: str
    method: str
    heading: str
    value: str
    dataset: str
    case: str


def find_worst(
    results: Results,
    tables: Sequence[Table],
    links: Mapping[tuple[str, str], CaseLink],
    evidence: Mapping[tuple[str, str], Evidence],
    words: Words,
) -> tuple[Card, ...]:
    """The worst cases of each competitor and ranked column; of the truth where none competes."""
    cards: dict[tuple[str, str, str], Card] = {}
    for dataset, label, column, case, value in worst_cells(results, tables):
        link = links[dataset.name, case]
        taken = evidence.get((link.case.key, label))
        card = Card(
            file=link.file,
            strip=taken.strip if taken else "",
            method=label,
            heading=column.title(words),
            value=fixed(value),
            dataset=dataset.name,
            case=case,
        )
        cards.setdefault((dataset.name, label, case), card)
    return tuple(cards.values())


def worst_cells(
    results: Results, tables: Sequence[Table]
) -> list[tuple[Dataset, str, Column, str, float]]:
    """Data set, method, column, case and value of the worst cells of the first table."""
    found: list[tuple[Dataset, str, Column, str, float]] = []
    for table in tables[:1]:
        labels = table.competitors or tuple(row.label for row in table.rows if row.name == "truth")
        ranked = sum(not one.is_evidence for block in table.blocks for one in block.columns)
        most = min(WORST, max(1, CARDS // max(1, len(labels) * ranked)))
        for block in table.blocks:
            for one in block.columns:
                better = one.column.output.better
                if one.is_evidence or one.column.is_set or better == "none":
                    continue
                for label in labels:
                    values = results.scores(
                        block.dataset, label, one.column, kind="reconstruct"
                    ).values
                    order = sorted(values, key=lambda case: (values[case], case))
                    bad = order[:most] if better == "higher" else order[::-1][:most]
                    found += [
                        (block.dataset, label, one.column, case, values[case]) for case in bad
                    ]
    return found
