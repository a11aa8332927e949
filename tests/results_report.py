"""Prints the tables of docs/results.md from finished runs.

python -m tests.results_report RUN [RUN ...]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.stats import mean_interval, share_interval
from reports.leakfree import speech_gain
from reports.results import Column, Dataset, Results, join

USUAL = (  # heading, metric's label, output, decimals
    ("LSE-D ↓", "lse", "lse_d", 3),
    ("LSE-C ↑", "lse", "lse_c", 3),
    ("in step", "lse", "offset", 0),
    ("SSIM ↑", "ssim", "ssim", 3),
    ("PSNR ↑", "psnr", "psnr", 2),
)
MOUTH = (
    ("mouth SSIM ↑", "ssim_mouth", "ssim", 3),
    ("mouth PSNR ↑", "psnr_mouth", "psnr", 2),
    ("sharpness", "sharpness", "sharpness", 2),
)
GAINS = (
    ("gain, SSIM ↑", "ssim_mouth", "ssim", 4),
    ("gain, PSNR ↑", "psnr_mouth", "psnr", 2),
)
CROSS = (("other speech: LSE-D ↓", "lse", "lse_d", 3), ("LSE-C ↑", "lse", "lse_c", 3))
HEADINGS = [heading for heading, *_ in (*USUAL, *MOUTH, *CROSS, *GAINS)]


def main() -> None:
    """One table for each data set of the runs: a line a method, each number with its interval."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    results = join(parser.parse_args().runs)
    for dataset in results.datasets:
        lines = [f"### {dataset.name}", "", _row(["method", *HEADINGS])]
        lines.append("|---|" + "---:|" * len(HEADINGS))
        lines += [_row([row.label, *_numbers(results, dataset, row.label)]) for row in results.rows]
        sys.stdout.write("\n".join([*lines, "", ""]))


def _numbers(results: Results, dataset: Dataset, method: str) -> Iterator[str]:
    for kind, group in (("reconstruct", USUAL), ("reconstruct", MOUTH), ("cross", CROSS)):
        for _, metric, output, decimals in group:
            column = _column(results, dataset, metric, output)
            values = results.scores(dataset, method, column, kind=kind).values
            is_offset = output == "offset"
            yield (_share if is_offset else _mean)(results, dataset, values, decimals)
    for _, metric, output, decimals in GAINS:
        column = _column(results, dataset, metric, output)
        values = speech_gain(results, dataset, method, column).values
        yield _mean(results, dataset, values, decimals)


def _column(results: Results, dataset: Dataset, metric: str, output: str) -> Column:
    for column in results.columns(dataset):
        if (column.metric, column.output.name) == (metric, output):
            return column
    raise SystemExit(f"{dataset.name}: the run has no {metric}.{output}; run the shipped config")


def _mean(results: Results, dataset: Dataset, values: Mapping[str, float], decimals: int) -> str:
    if not values:
        return "–"
    speakers = [dataset.speakers[case] for case in values]
    found = mean_interval(list(values.values()), speakers, seed=results.seed)
    return f"{found.mean:.{decimals}f} [{found.low:.{decimals}f}, {found.high:.{decimals}f}]"


def _share(results: Results, dataset: Dataset, values: Mapping[str, float], _decimals: int) -> str:
    """The share of cases whose offset is at most one frame."""
    if not values:
        return "–"
    speakers = [dataset.speakers[case] for case in values]
    hits = [abs(offset) <= 1 for offset in values.values()]
    found = share_interval(hits, speakers, seed=results.seed)
    return f"{found.mean:.0%} [{found.low:.0%}, {found.high:.0%}]"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
