"""Texts for the command line: a run's first table, and the doctor's findings on a scorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.ground.stats import Interval
from reports import sheets
from reports.case_page import case_links
from reports.comparison import Block, BlockColumn, Table, build_table
from reports.sections.failures import Cause, gather_gaps
from reports.sections.glance import banners
from reports.sections.tables import compared_text, left_out_notes, spared_notes
from reports.validity import Validity
from reports.words import Words, read_words
from reports.worth import read_judged

CASES_SHOWN = 5  # cases named per cause of failure; the report names more
Rows = list[tuple[str, ...]]  # header first


@dataclass(frozen=True)
class Closing:
    """What the terminal shows at the end of a run.

    notes: to be read before the numbers: stand-ins, scorers that do not work, missing values.
    tables: by data set, the rows of the first table. styles: by data set, the style of each cell
    (`SheetCell.style`), without the header. footnotes: by data set, the number of cases compared,
    and how to read the marks. causes: of failures, the most frequent first, each in two or three
    lines.
    """

    notes: list[str]
    tables: dict[str, Rows]
    styles: dict[str, Rows]
    footnotes: dict[str, list[str]]
    causes: list[list[str]]


def closing(runs: Sequence[Path], *, lang: str) -> Closing:
    """What the terminal shows of these runs; raises BenchError if one cannot be read."""
    words = read_words(lang)
    results, validities, worths = read_judged(runs)
    table = build_table(results, results.tables[0])
    gaps = gather_gaps(results, case_links(results))
    return Closing(
        [banner.text for banner in banners(results, validities, worths, gaps, words)],
        {block.dataset.name: _rows(table, block, words) for block in table.blocks},
        {block.dataset.name: _styles(table, block, words) for block in table.blocks},
        {block.dataset.name: _footnotes(block, words) for block in table.blocks},
        [_cause_lines(one, words) for one in gaps.causes],
    )


def _styles(table: Table, block: Block, words: Words) -> Rows:
    styles = [
        ("", *(one.style for one in _cells(row.label, block, words)), "", "") for row in table.rows
    ]
    return [*styles, *(("", *[""] * len(cells), "", "") for _, cells in _foot(block, words))]


def _cells(label: str, block: Block, words: Words) -> list[sheets.SheetCell]:
    return [
        sheets.cell(one.standing, label, words, void=one.column.is_void) for one in _shown(block)
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
        # A value that is undefined by definition is not missing.
        defined = [one for one in entries if one.state != "undefined" or one.n_faceless]
        scored = sorted({one.n_scored for one in defined}) or [0]
        text = str(scored[0]) if len(scored) == 1 else f"{scored[0]}\N{EN DASH}{scored[-1]}"
        cells = [f"{one.text}{one.sign}" for one in found]
        planned += max((one.n_spared for one in entries), default=0)
        rows.append((row.label, *cells, f"{text}/{planned}", str(failed)))
    for name, cells in _foot(block, words):
        rows.append((name, *cells, "", ""))
    return rows


def _foot(block: Block, words: Words) -> list[tuple[str, list[str]]]:
    """The floors and chance levels of the columns."""
    found = [
        (
            words(f"foot_{name}_short"),
            [sheets.foot_cell(name, one.column).text for one in _shown(block)],
        )
        for name in sheets.FOOT
    ]
    return [(name, cells) for name, cells in found if any(cells)]


def _cause_lines(one: Cause, words: Words) -> list[str]:
    """What failed, how often and why, the last line of the program's output, and the cases."""
    lines = [f"{words('failures_of', n=len(one.failures))} ({', '.join(one.whats)}): {one.text}"]
    if one.last_line:
        lines.append(f"{words('last_line')}: {one.last_line}")
    names = [case for _, case, _ in one.cases]
    more = [words("and_more", n=len(names) - CASES_SHOWN)] if len(names) > CASES_SHOWN else []
    return [*lines, f"{words('cases')}: {', '.join([*names[:CASES_SHOWN], *more])}"]


def _footnotes(block: Block, words: Words) -> list[str]:
    entries = [entry for one in _shown(block) for entry in one.standing.entries.values()]
    is_ranked = any(entry.rank is not None for entry in entries)
    notes = [
        compared_text(block, words),
        *spared_notes(block, words),
        *left_out_notes(block, words),
    ]
    notes += [words("note_marks")] if is_ranked else []
    notes += [words("note_floor")] if any(one.column.floor for one in _shown(block)) else []
    return [*filter(None, notes)]


def scorer_findings(validity: Validity) -> list[str]:
    """How a judge rates the controls, one line each: three shares, the clips' offset, the AUC."""
    named = validity.confidence
    what = {
        "above_mismatched": f"truth above mismatched in {named}",
        "above_still": f"truth above still in {named}",
        "followed": "sound shifted by 5 frames either way, followed within one frame",
    }
    found = [f"{what[name]}: {_share(share)}" for name, share in validity.shares.items()]
    if validity.offset is not None and validity.within_one is not None:
        within = validity.within_one.mean
        text = f"median {validity.offset:+.1f} frames, {within:.0%} within one frame of 0"
        found.append(f"offset of the clips themselves (above 0: sound early): {text}")
    if validity.auc is not None:
        text = f"{validity.auc.mean:.2f}{_span(validity.auc, '.2f')}"
        found.append(f"truth on any clip above mismatched on any clip (AUC): {text}")
    return found


def scorer_verdict(validity: Validity) -> str:
    """Whether the judge works on the clips; if it does, how late or early their sound is."""
    late = ""
    if validity.offset is not None and validity.is_lagging:
        late = f"; your sound is about {abs(validity.offset):g} frames "
        late += "early" if validity.offset > 0 else "late"
    named = validity.confidence
    said = {
        "works": f"it works on these clips{late}",
        "fails": f"it does not work on these clips: {named} would be meaningless here",
        "unsure": "these clips are too few to tell whether it works",
        "unmeasured": "it could not be judged",
    }
    return f"{said[validity.state]} (required: 90 % in each of the three shares)"


def _share(share: Interval | None) -> str:
    if share is None:
        return "not measured"
    return f"{share.mean:.0%} of {share.n}{_span(share, '.0%')}"


def _span(interval: Interval, form: str) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f" (95 %: {interval.low:{form}} to {interval.high:{form}})"
