"""Reads long tables, in which each row is one rating."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bench.study.answers import ROLES
from bench.study.read.answer_collector import AnswerCollector
from bench.study.read.mapping import KNOWN_COLUMNS, LONG_FIELDS, Column, ColumnMapping
from bench.study.read.rating_target import Target, Targets
from bench.study.read.table_row import TableRow, table_row


def read_long(collector: AnswerCollector, targets: Targets) -> None:
    """Reads the answers of a long table, and notes which columns are left out."""
    fields = _fields(collector)
    _check_fields(collector, fields)
    if collector.problems:
        return  # with a wrong header, the rows would only repeat its problems
    for number, cells in collector.table.rows:
        row = table_row(collector, number, cells)
        known = _known(row, fields)
        if known is None:
            continue
        target = _target(row, known, fields, targets)
        rater, at = row.rater(fields.get("rater"), known.get("rater")), row.at(fields.get("at"))
        if target is not None:
            comment = row.comment(fields.get("comment"))
            row.take(fields["rating"], target, rater=rater, at=at, comment=comment)


def _fields(collector: AnswerCollector) -> dict[str, str]:
    """The column of each field: as the mapping says, else the column of that name."""
    mapping = collector.mapping
    fields: dict[str, str] = {name: name for name in LONG_FIELDS if name in collector.table.header}
    fields.update({str(what): name for what, name in mapping.fields.items()})
    special = {"rater": mapping.rater, "at": mapping.at, "comment": mapping.comment}
    return fields | {what: name for what, name in special.items() if name is not None}


def _check_fields(collector: AnswerCollector, fields: Mapping[str, str]) -> None:
    """Adds problems for missing fields and unexplained columns."""
    header, mapping = collector.table.header, collector.mapping
    said = {*fields, *mapping.constants, *_found_in_cells(mapping)}
    needed = ["rater", "question", "rating"]
    needed += [] if "item" in said else ["case", "method"]
    for what in needed:
        if what not in said:
            hint = "" if what == "rating" else ", or give one value for all rows under `constants`"
            collector.add_to_header(what, f"is missing. Name its column under `fields`{hint}")
    for what, name in fields.items():
        if name not in header:
            collector.add_to_header(name, f"is named as `{what}`, but is not in the table")
    for name in mapping.cells:
        if name not in header:
            collector.add_to_header(name, "is named under `cells`, but is not in the table")
    used = {*fields.values(), *mapping.cells}
    collector.left_out += [name for name in header if name and name not in used]
    for name in collector.left_out:
        if name not in collector.mapping.ignore and name not in KNOWN_COLUMNS:
            collector.add_to_header(
                name,
                "is not in the mapping. Name it under `fields` or under `ignore`",
            )


def _found_in_cells(mapping: ColumnMapping) -> set[str]:
    """The fields that the patterns under `cells` find."""
    return {what for pattern in mapping.cells.values() for what in re.compile(pattern).groupindex}


def _known(row: TableRow, fields: Mapping[str, str]) -> dict[str, str] | None:
    """The row's values by field, from constants, cells and parts of cells; later ones override.

    None if a cell does not match its pattern.
    """
    found: dict[str, str] = {
        str(what): text for what, text in row.collector.mapping.constants.items()
    }
    found |= {what: row.cells[name] for what, name in fields.items()}
    parts = [row.parts(name) for name in row.collector.mapping.cells]
    for one in parts:
        found |= one or {}
    return None if None in parts else found


def _target(
    row: TableRow, known: Mapping[str, str], fields: Mapping[str, str], targets: Targets
) -> Target | None:
    """The video and question that the row rates; None, with a problem added, if one is unclear."""
    by_item = bool(known.get("item"))
    named = _column_of("item" if by_item or "item" in known else "method", row, fields)
    good = True
    for what in ("item", "question") if "item" in known else ("case", "method", "question"):
        if not known.get(what):
            row.bad(_column_of(what, row, fields), f"is empty. It names the {what}")
            good = False
    role = known.get("role", "")
    if role and role not in ROLES:
        row.bad(_column_of("role", row, fields), f"{role[:40]!r} is not one of {', '.join(ROLES)}")
        good = False
    if not good:
        return None
    video = ("item",) if by_item else ("dataset", "case", "method")
    column = Column.model_validate(
        {what: known[what] for what in (*video, "question") if what in known}
        | ({"role": role} if role else {})
    )
    return targets.find(row.number, named, column, asked=_column_of("question", row, fields))


def _column_of(what: str, row: TableRow, fields: Mapping[str, str]) -> str:
    """The column that holds this field, to be named in problems."""
    cells = row.collector.mapping.cells
    inside = [name for name, pattern in cells.items() if what in re.compile(pattern).groupindex]
    return inside[0] if inside else fields.get(what, what)
