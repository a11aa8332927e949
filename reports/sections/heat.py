"""The map of methods by cases: which cases raise or lower a mean?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from reports.case_page import CaseLink
from reports.comparison import Table
from reports.heat_map import Heat, HeatCase, heat_map
from reports.plots import Drawing
from reports.results import Cell, Column, Dataset, Results, Row
from reports.sections.worst import ranked_columns
from reports.text import fixed
from reports.words import Words

MOST_CELLS = 3600  # of one map (300 cases of 12 methods); beyond it, cases are thinned evenly
MOST_LINKED = 60  # up to this many cases, columns have links and tooltips
REACH = 0.95  # quantile of the distances at which the last shade begins


@dataclass(frozen=True)
class HeatView:
    """The maps. states: those that occur, for the legend. note: which cases are shown."""

    maps: tuple[Drawing, ...]
    states: tuple[str, ...]
    note: str


def map_heat(
    results: Results,
    tables: Sequence[Table],
    links: Mapping[tuple[str, str], CaseLink],
    words: Words,
) -> HeatView | None:
    """A map for each ranked column; None if there is nothing to compare.

    The columns of a scorer that does not work have no map.
    """
    maps: list[Drawing] = []
    states: dict[str, None] = {}
    notes: dict[str, None] = {}
    for dataset, column in ranked_columns(results, tables):
        title = f"{column.title(words)} · {dataset.name}"
        if column.is_void:
            notes[f"{title}{words('colon')}{words('void')}"] = None
            continue
        drawn, seen, note = _map(results, dataset, column, links, words)
        if drawn is not None:
            maps.append(drawn)
            states |= dict.fromkeys(seen)
            notes |= {note: None} if note else {}
    if not maps:
        return None
    shown = tuple(
        state for state in ("failed", "faceless", "undefined", "missing") if state in states
    )
    return HeatView(tuple(maps), shown, words("sentence_space").join(notes))


def _map(
    results: Results,
    dataset: Dataset,
    column: Column,
    links: Mapping[tuple[str, str], CaseLink],
    words: Words,
) -> tuple[Drawing | None, list[str], str]:
    cases = dataset.of_kind("reconstruct")
    cells = {
        row.label: {case.id: results.cell(dataset, row.label, case, column) for case in cases}
        for row in results.rows
    }
    rows = [row for row in results.rows if any(cells[row.label].values())]
    middles = _middles(rows, cells, column)
    if len(rows) < 2 or len(middles) < 2:
        return None, [], ""
    sign = 1.0 if column.output.better == "higher" else -1.0
    order = sorted(middles, key=lambda case: (sign * middles[case], case))
    order += [case.id for case in cases if case.id not in middles]
    most = max(1, MOST_CELLS // len(rows))
    kept = [order[index * len(order) // most] for index in range(most)]
    kept = order if len(order) <= most else kept
    reach = _reach(rows, cells, middles, column)
    shown = [
        [_heat(cells[row.label][case], middles.get(case), sign, reach, column) for case in kept]
        for row in rows
    ]
    columns = [
        HeatCase(
            f"cases/{links[dataset.name, case].file}", _tooltip(case, rows, cells, column, words)
        )
        if len(kept) <= MOST_LINKED
        else HeatCase("", "")
        for case in kept
    ]
    unit = words.unit(column.output.unit)
    far = f"{fixed(reach)} {unit}".strip()
    drawing = heat_map(
        f"{words('heat_title')} {column.title(words)}, {dataset.name}",
        words("heat_desc", methods=len(rows), n=len(kept), reach=far),
        [row.shown for row in rows],
        columns,
        shown,
        ends=(words("heat_worse", reach=far), words("heat_better", reach=far)),
        sides=(words("heat_hard"), words("heat_easy")),
    )
    seen = [cell.state for line in shown for cell in line]
    note = ""
    if len(kept) < len(order):
        note = words("heat_thinned", shown=len(kept), n=len(order), data=dataset.name)
    return Drawing(f"{column.title(words)} · {dataset.name}", drawing), seen, note


def _value(cell: Cell | None, column: Column) -> float | None:
    if cell is None or cell.state != "ok":
        return None
    return cell.values.get(column.output.name)


def _middles(
    rows: Sequence[Row], cells: Mapping[str, Mapping[str, Cell | None]], column: Column
) -> dict[str, float]:
    """Each case's median over the competitors, or over all rows if fewer than two compete."""
    judged = [row for row in rows if not row.control]
    judged = judged if len(judged) > 1 else list(rows)
    found: dict[str, float] = {}
    for case in cells[rows[0].label] if rows else ():
        values = [
            value for row in judged if (value := _value(cells[row.label][case], column)) is not None
        ]
        if values:
            found[case] = median(values)
    return found


def _reach(
    rows: Sequence[Row],
    cells: Mapping[str, Mapping[str, Cell | None]],
    middles: Mapping[str, float],
    column: Column,
) -> float:
    """The distance from the median at which the last shade begins; controls do not count."""
    judged = [row for row in rows if not row.control]
    judged = judged if len(judged) > 1 else list(rows)
    apart = sorted(
        abs(value - middle)
        for row in judged
        for case, middle in middles.items()
        if (value := _value(cells[row.label][case], column)) is not None
    )
    return apart[min(len(apart) - 1, int(REACH * len(apart)))] or 1.0


def _heat(
    cell: Cell | None, middle: float | None, sign: float, reach: float, column: Column
) -> Heat:
    if cell is None:
        return Heat(None, "absent")
    value = _value(cell, column)
    if value is None:
        return Heat(None, "faceless" if cell.is_faceless else _without(cell))
    return Heat(None if middle is None else sign * (value - middle) / reach)


def _without(cell: Cell) -> str:
    return "failed" if cell.state == "ok" else cell.state  # an ok record without this output


def _tooltip(
    case: str,
    rows: Sequence[Row],
    cells: Mapping[str, Mapping[str, Cell | None]],
    column: Column,
    words: Words,
) -> str:
    lines = [case]
    for row in rows:
        cell = cells[row.label][case]
        if cell is not None:
            value = _value(cell, column)
            state = "faceless" if cell.is_faceless else _without(cell)
            lines.append(
                f"{row.shown} {words(f'{state}_short') if value is None else fixed(value)}"
            )
    return "\n".join(lines)
