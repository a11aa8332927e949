"""What the command line shows at the end of a run: its first table, and what to know about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports import sheets
from reports.case_page import case_links
from reports.comparison import Block, BlockColumn, Table, build_table
from reports.sections.failures import gather_gaps
from reports.sections.glance import banners
from reports.sections.tables import compared_text, left_out_notes
from reports.validity import read_judged
from reports.words import Words, read_words

Rows = list[tuple[str, ...]]  # header first


@dataclass(frozen=True)
class Closing:
    """The end of a run, as text.

    notes: what must be read before the numbers: stand-ins, scorers that do not work, missing
    values. tables: by data set, the first table's rows. styles: how each
    of their cells is set off, row by row without the header (`SheetCell.style`). footnotes: by data
    set, over which cases the means are, and how to read the marks.
    """

    notes: list[str]
    tables: dict[str, Rows]
    styles: dict[str, Rows]
    footnotes: dict[str, list[str]]


def closing(runs: Sequence[Path], *, lang: str) -> Closing:
    """The end of these runs; raises BenchError where one cannot be read."""
    words = read_words(lang)
    results, validities = read_judged(runs)
    table = build_table(results, results.tables[0])
    gaps = gather_gaps(results, case_links(results))
    return Closing(
        [banner.text for banner in banners(results, validities, gaps, words)],
        {block.dataset.name: _rows(table, block, words) for block in table.blocks},
        {block.dataset.name: _styles(table, block, words) for block in table.blocks},
        {block.dataset.name: _footnotes(block, words) for block in table.blocks},
    )


def _styles(table: Table, block: Block, words: Words) -> Rows:
    return [
        ("", *(one.style for one in _cells(row.label, block, words)), "", "") for row in table.rows
    ]


def _cells(label: str, block: Block, words: Words) -> list[sheets.SheetCell]:
    return [
        sheets.cell(one.standing.entries[label], words, void=one.column.is_void)
        for one in _shown(block)
    ]


def _shown(block: Block) -> list[BlockColumn]:
    return [one for one in block.columns if not one.is_evidence]


def _rows(table: Table, block: Block, words: Words) -> Rows:
    columns = _shown(block)
    header = [words("method"), *(sheets.whole_heading(one.column, words) for one in columns)]
    rows = [(*header, words("scored"), words("failed"))]
    for row in table.rows:
        entries = [one.standing.entries[row.label] for one in columns]
        found = _cells(row.label, block, words)
        failed, planned = block.failures.get(row.label, (0, 0))
        # Where a value is undefined by definition, none is lacking.
        defined = [one for one in entries if one.state != "undefined" or one.n_faceless]
        scored = sorted({one.n_scored for one in defined}) or [0]
        text = str(scored[0]) if len(scored) == 1 else f"{scored[0]}\N{EN DASH}{scored[-1]}"
        cells = [f"{one.text}{one.sign}" for one in found]
        rows.append((row.label, *cells, f"{text}/{planned}", str(failed)))
    return rows


def _footnotes(block: Block, words: Words) -> list[str]:
    entries = [entry for one in _shown(block) for entry in one.standing.entries.values()]
    is_ranked = any(entry.rank is not None for entry in entries)
    notes = [compared_text(block, words), *left_out_notes(block, words)]
    return [*filter(None, notes), *([words("note_marks")] if is_ranked else [])]
