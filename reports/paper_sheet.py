"""The paper's four columns as a table that fits one column of a two-column page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reports.comparison import Block, BlockColumn, Standing, Table
from reports.results import Row
from reports.sheets import NUMBERED, Sheet, SheetCell, cell, dataset_title, heading, latex_cell
from reports.text import latex
from reports.words import Words

PAPER = ("lse_d", "lse_c", "ssim", "psnr")  # columns of the paper's Tables 1 and 2, in order


def paper_sheet(table: Table, words: Words, caption: str) -> Sheet | None:
    """The paper's columns of a table for the real video and the competitors; None without any.

    The columns of a scorer that does not work hold dashes.
    """
    blocks = [(block, found) for block in table.blocks if (found := _paper_columns(block))]
    rows = [row for row in table.rows if row.name == "truth" or not row.control]
    if not blocks or not rows:
        return None
    shown = {
        row.label: tuple(
            SheetCell("–") if one.column.is_void else _cell(one.standing, row.label, words)
            for _, columns in blocks
            for one in columns
        )
        for row in rows
    }
    return Sheet(
        f"{table.part.name}_paper",
        caption,
        tuple((dataset_title(block.dataset, words), len(found)) for block, found in blocks),
        tuple(_heading(one, words) for _, found in blocks for one in found),
        tuple((_name(row, words), shown[row.label]) for row in rows),
        tuple(_notes(blocks, rows, words)),
    )


def to_narrow_latex(sheet: Sheet) -> str:
    """The sheet as LaTeX for one column of a two-column page, one data set below the other."""
    widest = max(width for _, width in sheet.groups)
    lines = [
        "% needs \\usepackage{booktabs,graphicx}; Chinese besides: \\usepackage{ctex} and XeLaTeX",
        r"\begin{table}[t]",
        rf"\caption{{{latex(NUMBERED.sub('', sheet.caption))}}}",
        r"\centering\footnotesize",
        r"\setlength{\tabcolsep}{3.5pt}",
        r"\resizebox{\ifdim\width>\columnwidth\columnwidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * widest}}}",
        r"\toprule",
    ]
    start = 0
    for index, (name, width) in enumerate(sheet.groups):
        places = slice(start, start + width)
        start += width
        empty = " &" * (widest - width)
        lines += [r"\midrule"] * (index > 0)
        lines.append(rf"\multicolumn{{{widest + 1}}}{{l}}{{\emph{{{latex(name)}}}}} \\")
        lines.append("& " + " & ".join(map(latex, sheet.headings[places])) + empty + r" \\")
        lines.append(r"\midrule")
        for label, cells in sheet.rows:
            own = "{}" * label.startswith(
                ("[", "*")
            )  # else the \\ before it would read it as its argument
            texts = " & ".join(map(latex_cell, cells[places]))
            lines.append(f"{own}{latex(label)} & {texts}{empty} \\\\")
    lines += [r"\bottomrule", r"\end{tabular}}"]
    lines += [r"\par\smallskip\raggedright\scriptsize"] * bool(sheet.notes)
    lines += [rf"{latex(note)}\par" for note in sheet.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _paper_columns(block: Block) -> list[BlockColumn]:
    """One column for each of the paper's four; the whole face's, if the mouth is measured too."""
    found: list[BlockColumn] = []
    for name in PAPER:
        named = [c for c in block.columns if c.column.output.name == name and not c.is_evidence]
        found += sorted(named, key=_is_mouth)[:1]
    return found


def _is_mouth(one: BlockColumn) -> bool:
    return one.column.region == "mouth" or one.column.metric.endswith("_mouth")


def _heading(one: BlockColumn, words: Words) -> str:
    title = heading(one.column, words)
    return f"{title} ({words('mouth')})" if _is_mouth(one) else title


def _name(row: Row, words: Words) -> str:
    return words("real_video") if row.name == "truth" else row.shown


def _cell(standing: Standing, label: str, words: Words) -> SheetCell:
    """The mean alone; styled only if best and second can be told apart."""
    entry, full = standing.entries[label], cell(standing, label, words)
    apart = "‡" if entry.is_apart and entry.interval is not None else ""
    style = "" if entry.mark == "tied" else full.style
    return replace(full, span="", sign=apart, style=style)


def _notes(
    blocks: Sequence[tuple[Block, Sequence[BlockColumn]]],
    rows: Sequence[Row],
    words: Words,
) -> list[str]:
    entries = [
        one.standing.entries[row.label] for _, found in blocks for one in found for row in rows
    ]
    notes = [words("note_paper")] if any(entry.mark == "best" for entry in entries) else []
    if any(entry.is_apart for entry in entries):
        notes.append(words("note_apart"))
    failed = [
        f"{one.column.title(words)} ({block.dataset.name})"
        for block, found in blocks
        for one in found
        if one.column.is_void
    ]
    if failed:
        notes.append(words("note_paper_void", columns=words.listed(failed)))
    return notes
