"""Measured tables as files: summary.csv, and each table as csv, LaTeX (booktabs) and Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from bench.files.spreadsheets import OwnText, csv_text
from bench.ground.stats import Interval
from reports.comparison import Entry, Standing, Table
from reports.floor import Floor
from reports.leakfree import Pairing
from reports.results import Column, Dataset, Row
from reports.text import arrow, fine, fixed, latex, markdown, span
from reports.validity import Validity, shifts
from reports.words import Words

NUMBERED = re.compile(
    r"(?:Table \d+\.|表 \d+) "
)  # at the start of a caption; LaTeX numbers tables itself

FOOT = ("floor", "chance")  # the rows below all methods
BELOW_FLOOR = "\N{LEFT FLOOR}"

_STRUCK = (  # defined here, because a package for it may be missing
    r"\providecommand{\struck}[1]{\setbox0\hbox{#1}"
    r"\rlap{\vrule height0.75ex depth-0.65ex width\wd0}\box0}"
)


@dataclass(frozen=True)
class SummaryRow:
    """One line of summary.csv. mean: over the compared cases, or None."""

    table: str
    dataset: str
    method: str
    output: str
    protocol: str
    mean: float | None
    ci_low: float | None
    ci_high: float | None
    n_scored: int
    n_planned: int
    p_value: float | None


@dataclass(frozen=True)
class SheetCell:
    """One cell. span: the interval's text. sign: footnote signs.

    style: "bold", "underlined", "struck" or "".
    numbers: the cell in full precision: a value, or a value and the ends of its interval.
    """

    text: str
    span: str = ""
    style: str = ""
    sign: str = ""
    numbers: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """A table as text. groups: heading and number of columns of each group, in order.

    foot: what stands below all methods: the columns' floors and chance levels.
    """

    name: str
    caption: str
    groups: tuple[tuple[str, int], ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, tuple[SheetCell, ...]], ...]
    notes: tuple[str, ...]
    foot: tuple[tuple[str, tuple[SheetCell, ...]], ...] = ()


def sheet(table: Table, words: Words, caption: str, notes: Sequence[str]) -> Sheet:
    """A measured table in the paper's layout, with the failed cases of each data set."""
    groups: list[tuple[str, int]] = []
    headings: list[str] = []
    for block in table.blocks:
        groups.append((dataset_title(block.dataset, words), len(block.columns) + 1))
        headings += [whole_heading(one.column, words) for one in block.columns]
        headings.append(words("failed"))
    rows: list[tuple[str, tuple[SheetCell, ...]]] = []
    for row in table.rows:
        cells: list[SheetCell] = []
        for block in table.blocks:
            cells += [
                cell(one.standing, row.label, words, void=one.column.is_void)
                for one in block.columns
            ]
            failed, planned = block.failures.get(row.label, (0, 0))
            cells.append(SheetCell(f"{failed}/{planned}", numbers=(failed,)))
        rows.append((row_label(row), tuple(cells)))
    foot: list[tuple[str, tuple[SheetCell, ...]]] = []
    for name in FOOT:
        cells = []
        for block in table.blocks:
            cells += [foot_cell(name, one.column) for one in block.columns]
            cells.append(SheetCell(""))
        if any(one.text for one in cells):
            foot.append((words(f"foot_{name}"), tuple(cells)))
    return Sheet(
        table.part.name,
        caption,
        tuple(groups),
        tuple(headings),
        tuple(rows),
        tuple(notes),
        tuple(foot),
    )


def foot_cell(name: str, column: Column) -> SheetCell:
    """The column's floor or chance level; empty if it has none. A void column has no floor."""
    if name == "chance":
        return SheetCell(fine(column.chance), numbers=(column.chance,))
    floor = None if column.is_void else column.floor
    value = None if floor is None else floor.largest
    if value is not None:
        return SheetCell(fine(value), numbers=(value,))
    level = None if floor is None else floor.level
    return (
        SheetCell("")
        if floor is None or level is None
        else SheetCell(level_text(floor), numbers=(level,))
    )


def level_text(floor: Floor) -> str:
    """The level from which on a value cannot be told from the real video's; "" without one."""
    sign = (
        "\N{GREATER-THAN OR EQUAL TO}" if floor.better == "higher" else "\N{LESS-THAN OR EQUAL TO}"
    )
    return "" if floor.level is None else f"{sign} {fine(floor.level)}"


def leakfree_sheet(
    name: str,
    rows: Sequence[Row],
    pairings: Sequence[Pairing],
    words: Words,
    caption: str,
) -> Sheet:
    """Both protocols side by side, with both ranks and the changes of rank."""
    groups: list[tuple[str, int]] = []
    headings: list[str] = []
    for one in pairings:
        title = dataset_title(one.dataset, words)
        groups.append((f"{title}: {whole_heading(one.column, words)}", 4))
        headings += [words("official"), words("rank"), words(one.kind), words("rank")]
    body: list[tuple[str, tuple[SheetCell, ...]]] = []
    for row in rows:
        cells: list[SheetCell] = []
        for one in pairings:
            before = one.official.entries[row.label]
            after = one.standing.entries[row.label]
            void = one.column.is_void
            moved = (one.gained(row.label), -one.fallen(row.label))
            changes = ", ".join(f"{change:+d}" for change in moved if change)
            rank = f"{rank_text(after)} ({changes})" if changes else rank_text(after)
            cells += [
                cell(one.official, row.label, words, void=void),
                SheetCell(rank_text(before), numbers=(before.rank,)),
                cell(one.standing, row.label, words, signed=one.kind == "gain", void=void),
                SheetCell(rank, numbers=(after.rank,)),
            ]
        body.append((row_label(row), tuple(cells)))
    return Sheet(name, caption, tuple(groups), tuple(headings), tuple(body), ())


def heading(column: Column, words: Words) -> str:
    """A column's name with the direction that is better."""
    return f"{column.title(words)} {arrow(column.output.better)}".strip()


def whole_heading(column: Column, words: Words) -> str:
    """The heading in a file: it says if the scorer does not work."""
    text = heading(column, words)
    return f"{text} ({words('void_short')})" if column.is_void else text


def dataset_title(dataset: Dataset, words: Words) -> str:
    """A data set's title with its stand-in, so that a copied table still names it."""
    title = words.translated(dataset.info.title or dataset.name)
    return f"{title}{_caveats(dataset)}"


def dataset_name(dataset: Dataset) -> str:
    """A data set's name with its stand-in, for summary.csv: `CLR [synth-zh]`."""
    return f"{dataset.name}{_caveats(dataset)}"


def _caveats(dataset: Dataset) -> str:
    """What must stand beside a data set's name wherever its numbers are copied to."""
    info = dataset.info
    found = [info.stand_in] if info.stand_in else []
    if info.left_out:
        found.append(f"first {len(dataset.cases)} of {len(dataset.cases) + info.left_out} cases")
    return "".join(f" [{one}]" for one in found)


def row_label(row: Row) -> str:
    """A method's title, followed by its label (if it differs) and its protocol in brackets."""
    name = row.title or row.label
    more = [one for one in (row.label, row.protocol) if one and one != name]
    return f"{name} ({'; '.join(more)})" if more else name


def rank_text(entry: Entry) -> str:
    """The rank; a dash for None."""
    return "–" if entry.rank is None else str(entry.rank)


def gap_text(entry: Entry, words: Words) -> str:
    """The missing values by reason, such as `9 N. A., 1 failed`; empty for a single reason."""
    there = entry.n_scored + entry.n_failed + entry.n_undefined + entry.n_spared
    missing = entry.n_planned - there
    counts = (("undefined", entry.n_undefined), ("failed", entry.n_failed), ("missing", missing))
    named = [words("gap", n=n, what=words(f"{state}_short")) for state, n in counts if n > 0]
    return words.listed(named) if len(named) > 1 else ""


def cell(
    standing: Standing, label: str, words: Words, *, signed: bool = False, void: bool = False
) -> SheetCell:
    """A method's entry in a column as text; void: its scorer does not work on the data."""
    entry = standing.entries[label]
    if entry.interval is None:
        state = "faceless" if entry.n_faceless else entry.state
        gaps = gap_text(entry, words)
        return SheetCell(words(f"{state}_short") + (f" ({gaps})" if gaps else ""))
    style = "struck" if void else {"best": "bold", "second": "underlined"}.get(entry.mark, "")
    sign = "\N{ALMOST EQUAL TO}" if entry.mark == "tied" else ""
    sign += star(entry)
    sign += BELOW_FLOOR if entry.is_below_floor and not void else ""
    sign += "\N{DAGGER}" if entry.is_above_truth else ""
    sign += "‡" if entry.is_apart else ""
    digits = standing.digits
    text = fixed(entry.interval.mean, signed=signed, digits=digits)
    ends = span(entry.interval, signed=signed, digits=digits)
    numbers = (entry.interval.mean, entry.interval.low, entry.interval.high)
    return SheetCell(text, ends, style, sign, numbers)


def star(entry: Entry) -> str:
    """The mark of a significant difference from the baseline: in brackets below the floor."""
    if not entry.is_significant:
        return ""
    return "(*)" if entry.is_difference_below_floor else "*"


def to_csv(sheet: Sheet) -> str:
    """The sheet as csv, as printed: one line of headings, intervals in brackets."""
    body = [
        [label, *(OwnText(f"{one.text}{_marked(one)}") for one in cells)]
        for label, cells in (*sheet.rows, *sheet.foot)
    ]
    return csv_text([["method", *_whole_headings(sheet)], *body])


def _marked(one: SheetCell) -> str:
    """What stands behind a value in a csv: the mark of a floor, and the interval."""
    mark = f" {BELOW_FLOOR}" if BELOW_FLOOR in one.sign else ""
    return f"{mark} [{one.span}]" if one.span else mark


def to_numbers(sheet: Sheet) -> str:
    """The sheet as csv with numbers only, in full precision; a missing number is an empty field.

    A column with intervals is followed by two columns with their low and high ends.
    """
    lines = (*sheet.rows, *sheet.foot)
    columns = list(zip(*(cells for _, cells in lines), strict=True))
    head: list[str] = ["method"]
    body: list[list[object]] = [[label] for label, _ in lines]
    for name, column in zip(_whole_headings(sheet), columns, strict=True):
        width = max(len(one.numbers) for one in column)
        head += [f"{name}{end}" for end in ("", " low", " high")[:width]]
        for row, one in zip(body, column, strict=True):
            row += [*one.numbers, *[None] * (width - len(one.numbers))]
    return csv_text([head, *body])


def _whole_headings(sheet: Sheet) -> list[str]:
    """Each column's heading, preceded by that of its group."""
    groups = [name for name, width in sheet.groups for _ in range(width)]
    return [f"{group} {name}" for group, name in zip(groups, sheet.headings, strict=True)]


def to_markdown(sheet: Sheet) -> str:
    """The sheet as a Markdown table with its caption and notes."""
    groups = [name for name, width in sheet.groups for _ in range(width)]
    head = [
        f"{markdown(group)}: {markdown(name)}"
        for group, name in zip(groups, sheet.headings, strict=True)
    ]
    lines = [f"**{markdown(sheet.caption)}**", "", "| | " + " | ".join(head) + " |"]
    lines.append("|---|" + "---:|" * len(head))
    for label, cells in (*sheet.rows, *sheet.foot):
        texts = " | ".join(_markdown_cell(one) for one in cells)
        lines.append(f"| {markdown(label)} | {texts} |")
    lines += [""] + [f"- {markdown(note)}" for note in sheet.notes]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_cell(one: SheetCell) -> str:
    text = markdown(one.text)
    styled = {"bold": f"**{text}**", "underlined": f"<u>{text}</u>", "struck": f"~~{text}~~"}
    text = styled.get(one.style, text)
    return text + markdown(one.sign) + (f" [{markdown(one.span)}]" if one.span else "")


def to_latex(sheet: Sheet) -> str:
    """The sheet as a LaTeX table no wider than the text, with intervals below their means."""
    spans: list[str] = []
    rules: list[str] = []
    at = 2
    for name, width in sheet.groups:
        spans.append(rf"\multicolumn{{{width}}}{{c}}{{{latex(name)}}}")
        rules.append(rf"\cmidrule(lr){{{at}-{at + width - 1}}}")
        at += width
    lines = [
        "% needs \\usepackage{booktabs,graphicx}; Chinese besides: \\usepackage{ctex} and XeLaTeX",
        *([_STRUCK] if any(one.style == "struck" for _, row in sheet.rows for one in row) else []),
        r"\begin{table}",
        rf"\caption{{{latex(NUMBERED.sub('', sheet.caption))}}}",
        r"\centering\small",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * len(sheet.headings)}}}",
        r"\toprule",
        "& " + " & ".join(spans) + r" \\",
        "".join(rules),
        "& " + " & ".join(latex(name) for name in sheet.headings) + r" \\",
        r"\midrule",
    ]
    for label, cells in sheet.rows:
        own = "{}" * label.startswith(
            ("[", "*")
        )  # else the \\ before it would read it as its argument
        lines.append(f"{own}{latex(label)} & " + " & ".join(map(latex_cell, cells)) + r" \\")
        if any(one.span for one in cells):
            lines.append("& " + " & ".join(map(_latex_span, cells)) + r" \\")
    lines += [r"\midrule"] * bool(sheet.foot)
    for label, cells in sheet.foot:
        lines.append(f"{latex(label)} & " + " & ".join(map(latex_cell, cells)) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}}"]
    lines += [r"\par\smallskip\raggedright\footnotesize"] * bool(sheet.notes)
    lines += [rf"{latex(note)}\par" for note in sheet.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def latex_cell(one: SheetCell) -> str:
    text = latex(one.text)
    styled = {
        "bold": rf"\textbf{{{text}}}",
        "underlined": rf"\underline{{{text}}}",
        "struck": rf"\struck{{{text}}}",
    }
    text = styled.get(one.style, text)
    return text + latex(one.sign)


def _latex_span(one: SheetCell) -> str:
    return rf"{{\scriptsize {latex(one.span)}}}" if one.span else ""


def summary_rows(
    tables: Iterable[Table],
    pairings: Iterable[tuple[Table, Pairing]],
    validities: Iterable[Validity],
) -> list[SummaryRow]:
    """Every number of the report's tables, one per line."""
    rows: list[SummaryRow] = []
    for table in tables:
        for block in table.blocks:
            for one in block.columns:
                rows += _standing_rows(
                    table.part.name,
                    dataset_name(block.dataset),
                    one.column,
                    one.standing,
                    table.rows,
                )
                if one.column.output.name == "offset":
                    rows += _within_one_rows(
                        table.part.name,
                        dataset_name(block.dataset),
                        one.column,
                        one.standing,
                        table.rows,
                    )
    for table, pairing in pairings:
        name = f"{table.part.name}/{'speech_gain' if pairing.kind == 'gain' else 'cross'}"
        rows += _standing_rows(
            name, dataset_name(pairing.dataset), pairing.counterpart, pairing.standing, table.rows
        )
    for validity in validities:
        rows += _validity_rows(validity)
    return rows


def _validity_rows(validity: Validity) -> list[SummaryRow]:
    """`works` is 1 or 0, and absent if unknown; `offset_median` is in frames."""
    asked = len(validity.dataset.of_kind("reconstruct"))
    works = None if validity.works is None else float(validity.works)
    found: list[tuple[str, Interval | None, int]] = [
        ("works", None if works is None else Interval(works, None, None, 0, 0, "none"), asked),
        ("within_one", validity.within_one, asked),
        ("above_mismatched", validity.above_mismatched, asked),
        ("above_still", validity.above_still, asked),
        ("followed", validity.followed, asked * len(shifts(validity.dataset))),
        ("auc_mismatched", validity.auc, asked),
    ]
    if validity.offset is not None:
        offset = Interval(validity.offset, None, None, validity.offsets, 0, "none")
        found.append(("offset_median", offset, asked))
    return [
        SummaryRow(
            "scorer_validity",
            dataset_name(validity.dataset),
            "truth",
            output,
            validity.protocol,
            one.mean,
            one.low,
            one.high,
            one.n,
            planned,
            None,
        )
        for output, one, planned in found
        if one is not None
    ]


def whole_protocol(column: Column, rows: Sequence[Row], label: str) -> str:
    """The metric's protocol, then the method's: `psnr[face; rgb; native] | reference: first`."""
    own = next((row.protocol for row in rows if row.label == label), "")
    return f"{column.protocol} | {own}" if own else column.protocol


def _standing_rows(
    table: str, dataset: str, column: Column, standing: Standing, rows: Sequence[Row]
) -> list[SummaryRow]:
    return [
        SummaryRow(
            table,
            dataset,
            label,
            column.output.name,
            whole_protocol(column, rows, label),
            None if entry.interval is None else entry.interval.mean,
            None if entry.interval is None else entry.interval.low,
            None if entry.interval is None else entry.interval.high,
            entry.n_scored,
            entry.n_planned,
            entry.p_value,
        )
        for label, entry in standing.entries.items()
        if entry.state != "absent"
    ]


def _within_one_rows(
    table: str, dataset: str, column: Column, standing: Standing, rows: Sequence[Row]
) -> list[SummaryRow]:
    return [
        SummaryRow(
            table,
            dataset,
            label,
            "offset_within_one",
            whole_protocol(column, rows, label),
            entry.within_one.mean,
            entry.within_one.low,
            entry.within_one.high,
            entry.n_scored,
            entry.n_planned,
            None,
        )
        for label, entry in standing.entries.items()
        if entry.within_one is not None
    ]


def summary_csv(rows: Iterable[SummaryRow]) -> str:
    """The text of summary.csv, in full precision; a missing number is an empty field."""
    names = [field.name for field in fields(SummaryRow)]
    body = [[getattr(row, name) for name in names] for row in rows]
    return csv_text([names, *body])
