"""What each column is worth, and what it hears, as lines of summary.csv."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.ground.stats import Interval
from reports.listening import Listening
from reports.results import Column, Dataset, Row
from reports.sheets import SummaryRow, dataset_name, whole_protocol
from reports.worth import Worth


def summary_rows(
    worths: Iterable[Worth], heard: Iterable[Listening], methods: Sequence[Row]
) -> list[SummaryRow]:
    """The tables `floor`, `chance`, `validity`, `speech_gain` and `listening`."""
    rows: list[SummaryRow] = []
    for one in worths:
        rows += _worth_rows(one)
    for each in heard:
        for label, found in each.heard.items():
            if each.column.reads_reference:
                gain = _row("speech_gain", each.dataset, label, each.column, found.gain)
                rows.append(_with_protocol(gain, each.column, methods))
            distance = _row("listening", each.dataset, label, each.column, found.distance)
            rows.append(_with_protocol(distance, each.column, methods))
    return rows


def _worth_rows(one: Worth) -> list[SummaryRow]:
    """`works` is 1 or 0, absent if unknown; a floor has a line for each loss and the largest."""
    rows: list[SummaryRow] = []
    if one.floor is not None:
        named = [(f"degraded {how}", move) for how, move in one.floor.moves]
        for name, value in (*named, ("largest", one.floor.largest), ("level", one.floor.level)):
            if value is not None:
                interval = Interval(value, None, None, one.floor.n, 0, "none")
                rows.append(_row("floor", one.dataset, name, one.column, interval))
    if "stranger" in one.controls:
        rows.append(_row("chance", one.dataset, "stranger", one.column, one.controls["stranger"]))
    shares = [(name, share) for name, share in one.shares.items() if name in one.claims]
    rows += [_row("validity", one.dataset, name, one.column, share) for name, share in shares]
    state = "fails" if one.column.is_void else one.state
    if state in ("works", "fails"):
        works = Interval(float(state == "works"), None, None, 0, 0, "none")
        rows.append(_row("validity", one.dataset, "works", one.column, works))
    return rows


def _with_protocol(row: SummaryRow, column: Column, methods: Sequence[Row]) -> SummaryRow:
    """The row of a method, with the method's own protocol."""
    return replace(row, protocol=whole_protocol(column, methods, row.method))


def _row(
    table: str, dataset: Dataset, method: str, column: Column, interval: Interval
) -> SummaryRow:
    return SummaryRow(
        table,
        dataset_name(dataset),
        method,
        column.output.name,
        column.protocol,
        interval.mean,
        interval.low,
        interval.high,
        interval.n,
        interval.n,
        None,
    )
