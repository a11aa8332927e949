"""Writes the scores of a study: JSON, csv, and one JSON into each of its run folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.files.one_move import in_one_move
from bench.files.spreadsheets import csv_text
from bench.study.score.scores import Scores, write_scores

STUDIES = "studies"  # in a run folder: one JSON for each study of its videos

_CSV_COLUMNS = (
    "raters",
    "dataset",
    "method",
    "role",
    "question",
    "mean",
    "ci_low",
    "ci_high",
    "median",
    "n_1",
    "n_2",
    "n_3",
    "n_4",
    "n_5",
    "n_ratings",
    "n_raters",
    "n_cases",
    "simulated",
    "reason",
)


def write_all(scores: Scores, target: Path, runs: Sequence[Path]) -> tuple[Path, ...]:
    """Writes the JSON, the csv beside it, and a JSON in each run; returns the files."""
    table = target.with_suffix(".csv")
    written = [target, table, *(run / STUDIES / f"{scores.name}.json" for run in runs)]
    for path in written:
        if path != table:
            write_scores(path, scores)
    with in_one_move(table) as part:
        part.write_text(scores_csv(scores), encoding="utf-8", newline="")
    return tuple(written)


def scores_csv(scores: Scores) -> str:
    """All mean opinion scores, one per line, in full precision; empty cells for missing numbers.

    The column `raters` is `kept` (without excluded raters) or `everyone`.
    """
    rows: list[Sequence[object]] = [_CSV_COLUMNS]
    for raters, panel in (("kept", scores.kept), ("everyone", scores.everyone)):
        for one in panel.opinions:
            cells: list[object] = [raters, one.dataset, one.method, one.role, one.question]
            cells += [one.mean.value, one.mean.low, one.mean.high, one.median, *one.histogram]
            cells += [one.n_ratings, one.n_raters, one.n_cases, scores.simulated, one.mean.reason]
            rows.append(cells)
    return csv_text(rows)
