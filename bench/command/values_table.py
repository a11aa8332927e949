"""Shows the values of measured videos on the terminal: one table, its protocols, reasons, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from bench.command.terminal import console
from bench.records.record import MeasurementRecord
from bench.run.asked_metrics import AskedMetrics
from bench.run.one_video import NO_REFERENCE, MeasuredVideo, needs_real_video
from bench.run.planned import PlannedMetric

_SHOWN = 20  # lines of one kind; the rest is counted
_ARROWS = {"higher": " ↑", "lower": " ↓", "none": ""}


def show_values(
    wanted: AskedMetrics,
    measured: Sequence[MeasuredVideo],
    sets: Mapping[str, MeasurementRecord],
    unmatched: Sequence[tuple[str, str]],
    output: Path | None,
) -> None:
    """Prints all values: by output for one video, by video for several, with means."""
    out = console()
    shown = [one for one in wanted.metrics if any(one.label in m.records for m in measured)]
    columns = [
        (metric, output_.name, f"{_short(metric, output_.name)}{_ARROWS[output_.better]}")
        for metric in shown
        for output_ in metric.plugin.outputs
        if not output_.curve
    ]
    if len(measured) == 1:
        out.print(_of_one(measured[0], shown))
    else:
        table = Table("video", *(escape(head) for _, _, head in columns), box=None)
        for one in measured:
            cells = [_cell(one.records[metric.label], name) for metric, name, _ in columns]
            table.add_row(escape(one.pair.name), *cells)
        means = [_mean(measured, metric, name) for metric, name, _ in columns]
        table.add_section()
        table.add_row("[bold]mean[/]", *(text for text, _ in means))
        table.add_row("[bold]videos with a value[/]", *(str(count) for _, count in means))
        out.print(table)
    for metric in shown:
        out.print(f"[dim]{escape(metric.label)}: {escape(metric.protocol)}[/]", soft_wrap=True)
    for label, record in sets.items():
        values = ", ".join(f"{name} {value:.4g}" for name, value in record.values.items())
        text = f"{label} over all videos: {values or f'{record.status}: {record.reason}'}"
        out.print(escape(f"{text}  {record.protocol}"), soft_wrap=True)
    lines = [f"{label}: not measured: {why}" for label, why in wanted.left_out.items()]
    without = [
        one.label
        for one in wanted.metrics
        if needs_real_video(one) and one not in shown and one.label not in sets
    ]
    if without:
        lines.append(f"{', '.join(without)}: not measured: {NO_REFERENCE} (--reference)")
    lines += _reasons(measured)
    for one in measured:
        lines += [f"{one.pair.name}: {note}" for note in one.notes]
    lines += [f"not measured: {file}: {why}" for file, why in unmatched]
    for line in [*lines[:_SHOWN], *_rest(lines)]:
        out.print(f"[yellow]{escape(line)}[/]", soft_wrap=True)
    if output is not None:
        out.print(escape(str(output)))


def _of_one(one: MeasuredVideo, shown: Sequence[PlannedMetric]) -> Table:
    table = Table("metric", "value", "unit", "better", box=None, title=escape(one.pair.name))
    for metric in shown:
        record = one.records[metric.label]
        for output in metric.plugin.outputs:
            if not output.curve:
                name = escape(_short(metric, output.name))
                better = "" if output.better == "none" else output.better
                table.add_row(name, _cell(record, output.name), escape(output.unit), better)
    return table


def _short(metric: PlannedMetric, output: str) -> str:
    return metric.label if output == metric.label else f"{metric.label}.{output}"


def _cell(record: MeasurementRecord, output: str) -> str:
    if record.status != "ok":
        return "[red]failed[/]" if record.status == "failed" else record.status
    return f"{record.values[output]:.4g}"


def _mean(measured: Sequence[MeasuredVideo], metric: PlannedMetric, output: str) -> tuple[str, int]:
    records = [one.records[metric.label] for one in measured]
    values = [record.values[output] for record in records if record.status == "ok"]
    return (f"{sum(values) / len(values):.4g}" if values else "–"), len(values)


def _reasons(measured: Sequence[MeasuredVideo]) -> list[str]:
    """Why there is no value, each reason of a video once with the metrics that it concerns."""
    lines: list[str] = []
    for one in measured:
        reasons: dict[tuple[str, str], list[str]] = {}
        for label, record in one.records.items():
            if record.status != "ok":
                reasons.setdefault((record.status, record.reason or ""), []).append(label)
        for (status, reason), labels in reasons.items():
            whole = len(labels) == len(one.records)
            which = "" if whole else f"{', '.join(labels)} "
            lines.append(f"{one.pair.name}: {which}{status}: {reason}")
    return lines


def _rest(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _SHOWN
    return [f"... and {more} more lines; -o FILE has them all"] if more > 0 else []
