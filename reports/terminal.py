"""What the command line shows at the end of a run: its first table, and what to know about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports import sheets
from reports.case_page import case_links
from reports.comparison import Block, Table, build_table
from reports.results import join
from reports.sections.failures import Cause, gather_gaps
from reports.sections.glance import banners
from reports.sections.tables import compared_text, left_out_notes
from reports.validity import judge
from reports.words import Words, read_words

CASES_SHOWN = 5  # of each cause of failures; the report names more
Rows = list[tuple[str, ...]]  # header first


@dataclass(frozen=True)
class Closing:
    """The end of a run, as text.

    notes: what must be read before the numbers: stand-ins, scorers that do not work, missing
    values. tables: by data set, the first table's rows. footnotes: by data set, over which cases
    the means are. causes: of failures, the most frequent first, each in two or three lines.
    """

    notes: list[str]
    tables: dict[str, Rows]
    footnotes: dict[str, list[str]]
    causes: list[list[str]]


def closing(runs: Sequence[Path], *, lang: str) -> Closing:
    """The end of these runs; raises BenchError where one cannot be read."""
    words = read_words(lang)
    results = join(runs)
    table = build_table(results, results.tables[0])
    gaps = gather_gaps(results, case_links(results))
    return Closing(
        [banner.text for banner in banners(results, judge(results), gaps, words)],
        {block.dataset.name: _rows(table, block, words) for block in table.blocks},
        {block.dataset.name: _footnotes(block, words) for block in table.blocks},
        [_cause_lines(one, words) for one in gaps.causes],
    )


def _rows(table: Table, block: Block, words: Words) -> Rows:
    columns = [one for one in block.columns if not one.is_evidence]
    header = [words("method"), *(sheets.heading(one.column, words) for one in columns)]
    rows = [(*header, words("scored"), words("failed"))]
    for row in table.rows:
        entries = [one.standing.entries[row.label] for one in columns]
        found = [sheets.cell(entry, words) for entry in entries]
        failed, planned = block.failures.get(row.label, (0, 0))
        # Where a value is undefined by definition, none is lacking.
        defined = [one for one in entries if one.state != "undefined" or one.n_faceless]
        scored = sorted({one.n_scored for one in defined}) or [0]
        text = str(scored[0]) if len(scored) == 1 else f"{scored[0]}\N{EN DASH}{scored[-1]}"
        cells = [f"{one.text}{one.sign}" for one in found]
        rows.append((row.label, *cells, f"{text}/{planned}", str(failed)))
    return rows


def _cause_lines(one: Cause, words: Words) -> list[str]:
    """What failed how often and why, the last line of the program's own output, the cases."""
    lines = [f"{words('failures_of', n=len(one.failures))} ({', '.join(one.whats)}): {one.text}"]
    if one.last_line:
        lines.append(f"{words('last_line')}: {one.last_line}")
    names = [case for _, case, _ in one.cases]
    more = [words("and_more", n=len(names) - CASES_SHOWN)] if len(names) > CASES_SHOWN else []
    return [*lines, f"{words('cases')}: {', '.join([*names[:CASES_SHOWN], *more])}"]


def _footnotes(block: Block, words: Words) -> list[str]:
    return list(filter(None, [compared_text(block, words), *left_out_notes(block, words)]))
