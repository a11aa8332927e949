"""What the command line shows: a run's first table, and what the doctor finds of a scorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.stats import Interval
from reports import sheets
from reports.case_page import case_links
from reports.comparison import Block, BlockColumn, Table, build_table
from reports.sections.failures import gather_gaps
from reports.sections.glance import banners
from reports.sections.tables import compared_text, left_out_notes
from reports.validity import Validity, read_judged
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


def scorer_findings(validity: Validity) -> list[str]:
    """What a scorer makes of clips, a line each: its three shares, their own offset, the AUC."""
    what = {
        "above_mismatched": "truth above mismatched in LSE-C",
        "above_still": "truth above still in LSE-C",
        "followed": "sound moved by 5 frames either way, followed within one frame",
    }
    found = [f"{what[name]}: {_share(share)}" for name, share in validity.shares.items()]
    if validity.offset is not None and validity.within_one is not None:
        within = validity.within_one.mean
        text = f"median {validity.offset:+.1f} frames, {within:.0%} within one frame of 0"
        found.append(f"the clips' own offset (above 0: sound early): {text}")
    if validity.auc is not None:
        text = f"{validity.auc.mean:.2f}{_span(validity.auc, '.2f')}"
        found.append(f"truth of any clip above mismatched of any clip (AUC): {text}")
    return found


def scorer_verdict(validity: Validity) -> str:
    """Whether the scorer works on the clips, and how late or early their sound is if it does."""
    late = ""
    if validity.offset is not None and validity.is_lagging:
        late = f"; your sound is about {abs(validity.offset):g} frames "
        late += "early" if validity.offset > 0 else "late"
    said = {
        "works": f"it works on these clips{late}",
        "fails": "it does not work on these clips: LSE would prove nothing here",
        "unsure": "it cannot be told from these clips whether it works: too few of them",
        "unmeasured": "it could not be judged",
    }
    return f"{said[validity.state]} (asked: 90 % in each of the three shares)"


def _share(share: Interval | None) -> str:
    if share is None:
        return "not measured"
    return f"{share.mean:.0%} of {share.n}{_span(share, '.0%')}"


def _span(interval: Interval, form: str) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f" (95 %: {interval.low:{form}} to {interval.high:{form}})"
