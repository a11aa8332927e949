"""Shows how metrics correlate with mean opinion scores from elsewhere: a table, and a csv."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from bench.command.terminal import console
from bench.files.spreadsheets import csv_text
from bench.study.score.outside_opinions import COEFFICIENTS, OutsideCorrelation
from bench.study.score.scores import Estimate, Level

_SHOWN = 20
_HEADER = (
    *("metric", "output", "unit", "better", "level", "coefficient", "value", "ci_low", "ci_high"),
    *("n", "reason", "protocol"),
)


def show_correlations(
    correlations: Sequence[OutsideCorrelation],
    *,
    rated: int,
    unmatched: Sequence[tuple[str, str]],
) -> None:
    """Prints a table for each level, why coefficients are missing, and rows that are no video."""
    out = console()
    levels: tuple[Level, ...] = ("clip", "method")
    for level in levels:
        own = [one for one in correlations if one.level == level]
        if not own:
            continue
        table = Table(
            "metric",
            "better",
            "n",
            *(name.upper() for name in COEFFICIENTS),
            box=None,
            title=f"by {level}",
        )
        keys = dict.fromkeys((one.metric, one.output, one.protocol) for one in own)
        for key in keys:
            same = [one for one in own if (one.metric, one.output, one.protocol) == key]
            cells = [_text(one.estimate) for one in same]
            first = same[0]
            table.add_row(
                escape(f"{first.metric}.{first.output}"),
                first.better,
                str(first.estimate.n),
                *cells,
            )
        out.print(table)
        reasons = dict.fromkeys(one.estimate.reason for one in own if one.estimate.reason)
        for reason in reasons:
            out.print(f"[yellow]by {level}: {escape(reason)}[/]", soft_wrap=True)
    out.print(f"{rated} videos with a score; {len(unmatched)} rows of the table are none of them")
    for file, why in unmatched[:_SHOWN]:
        out.print(f"[yellow]{escape(f'{file}: {why}')}[/]", soft_wrap=True)
    if len(unmatched) > _SHOWN:
        out.print(f"... and {len(unmatched) - _SHOWN} more")


def correlations_csv(correlations: Sequence[OutsideCorrelation]) -> str:
    """All coefficients in full precision, one a line; empty cells for missing numbers."""
    rows: list[Sequence[object]] = [_HEADER]
    for one in correlations:
        estimate = one.estimate
        rows.append(
            (
                *(one.metric, one.output, one.unit, one.better, one.level, one.coefficient),
                *(estimate.value, estimate.low, estimate.high, estimate.n, estimate.reason),
                one.protocol,
            )
        )
    return csv_text(rows)


def _text(estimate: Estimate) -> str:
    if estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return escape(f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]")
