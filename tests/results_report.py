"""Prints the tables of docs/results.md from finished runs.

python -m tests.results_report RUN [RUN ...]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.ground.stats import mean_interval, share_interval
from reports.leakfree import speech_gain
from reports.results import Column, Dataset, Results, join

USUAL = (  # heading, metric's label, output, format
    ("LSE-D ↓", "lse", "lse_d", ".3f"),
    ("LSE-C ↑", "lse", "lse_c", ".3f"),
    ("in step", "lse", "offset", ".0%"),
    ("SSIM ↑", "ssim", "ssim", ".3f"),
    ("PSNR ↑", "psnr", "psnr", ".2f"),
)
MOUTH = (
    ("mouth SSIM ↑", "ssim_mouth", "ssim", ".3f"),
    ("mouth PSNR ↑", "psnr_mouth", "psnr", ".2f"),
    ("sharpness", "sharpness", "sharpness", ".2f"),
)
GAINS = (
    ("gain, SSIM ↑", "ssim_mouth", "ssim", ".4f"),
    ("gain, PSNR ↑", "psnr_mouth", "psnr", ".2f"),
)
CROSS = (("other speech: LSE-D ↓", "lse", "lse_d", ".3f"), ("LSE-C ↑", "lse", "lse_c", ".3f"))
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
        for _, metric, output, form in group:
            column = _column(results, dataset, metric, output)
            values = results.column_values(dataset, method, column, kind=kind).values
            yield _cell(results, dataset, values, form, is_offset=output == "offset")
    for _, metric, output, form in GAINS:
        column = _column(results, dataset, metric, output)
        yield _cell(results, dataset, speech_gain(results, dataset, method, column).values, form)


def _column(results: Results, dataset: Dataset, metric: str, output: str) -> Column:
    for column in results.columns(dataset):
        if (column.metric, column.output.name) == (metric, output):
            return column
    raise SystemExit(f"{dataset.name}: the run has no {metric}.{output}; run the shipped config")


def _cell(
    results: Results,
    dataset: Dataset,
    values: Mapping[str, float],
    form: str,
    *,
    is_offset: bool = False,
) -> str:
    """The mean with its interval; of offsets, the share of cases that are off by at most one."""
    if not values:
        return "–"
    speakers = [dataset.speakers[case] for case in values]
    if is_offset:
        hits = [abs(offset) <= 1 for offset in values.values()]
        found = share_interval(hits, speakers, seed=results.seed)
    else:
        found = mean_interval(list(values.values()), speakers, seed=results.seed)
    return f"{found.mean:{form}} [{found.low:{form}}, {found.high:{form}}]"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
