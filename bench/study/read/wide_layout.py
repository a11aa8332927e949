"""Reads wide tables, in which a row is a rater and a column one question about one video."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pydantic

from bench.ground.errors import BenchError
from bench.study.answers import ROLES
from bench.study.read.answer_collector import AnswerCollector
from bench.study.read.mapping import KNOWN_COLUMNS, Column, ColumnMapping
from bench.study.read.rating_target import Target, Targets
from bench.study.read.table_row import TableRow, table_row


def read_wide(collector: AnswerCollector, targets: Targets) -> None:
    """Reads the answers of a wide table, and notes which columns are left out."""
    special = _special_columns(collector)
    rated = _rated_columns(collector, targets, special)
    for name in (*collector.mapping.columns, *collector.mapping.ignore):
        if name not in collector.table.header:
            collector.add_to_header(name, "is in the mapping, not in the table")
    _check_different(collector, rated)
    for number, cells in collector.table.rows:
        row = table_row(collector, number, cells)
        by = special.get("rater")
        rater = row.rater(by, (row.parts(by) or {}).get("rater") if by else None)
        at, comment = row.at(special.get("at")), row.comment(special.get("comment"))
        for name, rates in rated.items():
            target = rates if isinstance(rates, Target) else _own_target(row, name, rates, targets)
            if target is not None:
                row.take(name, target, rater=rater, at=at, comment=comment)


def _own_target(row: TableRow, name: str, column: Column, targets: Targets) -> Target | None:
    """The target of a column in this row; the row's cell in `item_in` names the video."""
    named = row.cells[column.item_in]
    if not named:
        if row.cells[name]:
            row.bad(column.item_in, f"is empty. It names the video that {name} rates")
        return None
    parts = row.parts(column.item_in)
    if parts is None:
        return None  # `parts` has added the problem
    video = {key: text for key, text in parts.items() if key not in ("rater", "question")}
    if "case" in video:
        video.setdefault("method", column.method)
    try:
        own = Column.model_validate(
            {"question": column.question, "role": column.role} | (video or {"item": named})
        )
    except pydantic.ValidationError as error:
        row.bad(column.item_in, str(error.errors()[0]["msg"]).removeprefix("Value error, "))
        return None
    return targets.find(row.number, column.item_in, own)


def _special_columns(collector: AnswerCollector) -> dict[str, str]:
    """The columns of rater, time and comment: as the mapping says, else those known by name."""
    header, mapping = collector.table.header, collector.mapping
    found: dict[str, str] = {}
    for what, named in (("rater", mapping.rater), ("at", mapping.at), ("comment", mapping.comment)):
        if named is not None and named not in header:
            collector.add_to_header(named, f"is named as `{what}`, but is not in the table")
        known = [
            one for one in header if KNOWN_COLUMNS.get(one) == what and one not in mapping.ignore
        ]
        column = named or (known[0] if known else None)
        if column in header:
            found[what] = str(column)
    return found


def _rated_columns(
    collector: AnswerCollector, targets: Targets, special: Mapping[str, str]
) -> dict[str, Target | Column]:
    """The target of each column of ratings, or its Column if each row names its own video."""
    rated: dict[str, Target | Column] = {}
    naming = {one.item_in for one in collector.mapping.columns.values()} | set(
        collector.mapping.cells
    )
    for name in filter(None, collector.table.header):
        if name in special.values():
            continue
        try:
            column = _column(collector.mapping, name)
        except BenchError as error:
            collector.add_to_header(name, str(error))
            continue
        if column is not None and column.item_in:
            if column.item_in in collector.table.header:
                rated[name] = column
            else:
                where = f"{column.item_in!r}, its `item_in`, is not in the table"
                collector.add_to_header(name, where)
        elif column is not None:
            target = targets.find(collector.table.header_row, name, column)
            if target is not None:
                rated[name] = target
        elif name in naming:
            continue
        elif name in collector.mapping.ignore or KNOWN_COLUMNS.get(name) is not None:
            collector.left_out.append(name)
        else:
            collector.add_to_header(
                name,
                "is not in the mapping. Name it under `columns` or under `ignore`; "
                "--mapping-template proposes a mapping for this table",
            )
    return rated


def _column(mapping: ColumnMapping, name: str) -> Column | None:
    """The mapping's entry for a column of ratings; None if it has none.

    Raises BenchError if `pattern` matches the name but its groups make no valid entry.
    """
    if name in mapping.columns:
        return mapping.columns[name]
    match = re.fullmatch(mapping.pattern, name) if mapping.pattern else None
    if match is None:
        return None
    parts = {key: value for key, value in match.groupdict().items() if value}
    role = parts.get("role", "rated")
    if role not in ROLES:
        raise BenchError(f"{role[:40]!r} is not one of {', '.join(ROLES)}")
    try:
        return Column.model_validate({"question": "", **parts})
    except pydantic.ValidationError as error:
        what = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise BenchError(f"`pattern` does not find enough in it: {what}") from error


def _check_different(collector: AnswerCollector, rated: Mapping[str, Target | Column]) -> None:
    seen: dict[Target | Column, str] = {}
    for name, target in rated.items():
        first = seen.setdefault(target, name)
        if first != name:
            collector.add_to_header(name, f"rates the same video and question as {first!r}")
