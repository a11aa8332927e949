"""The matrices below a table: every two competitors compared, one matrix per column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.ground.stats import Comparison
from reports.pairwise import Matrix
from reports.results import Results
from reports.text import fixed, p_text, span
from reports.words import Words


@dataclass(frozen=True)
class DuelCell:
    """One cell. kind: its row is "better", "worse" or not told apart ("open"); "same": diagonal.

    is_below_floor: the difference is below the column's floor.
    """

    kind: str
    text: str = ""
    p_value: str = ""
    tooltip: str = ""
    is_below_floor: bool = False


@dataclass(frozen=True)
class MatrixView:
    """One matrix. void: the column's scorer does not work on this data; then rows is empty."""

    title: str
    verdict: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[DuelCell, ...]], ...]
    void: bool


def view_pairs(
    results: Results, matrices: Sequence[Matrix], words: Words
) -> tuple[MatrixView, ...]:
    """The matrices as the page shows them."""
    several = len({matrix.dataset.name for matrix in matrices}) > 1
    views: list[MatrixView] = []
    for matrix in matrices:
        title = matrix.column.title(words)
        if several:
            title = f"{title} · {matrix.dataset.name}"
        is_void = matrix.column.is_void
        held = words("pairs_held", held=matrix.n_held, n=matrix.n_pairs, cases=matrix.n)
        names = tuple(results.shown(label) for label in matrix.labels)
        rows = tuple(
            (
                results.shown(first),
                tuple(_cell(results, matrix, first, second, words) for second in matrix.labels),
            )
            for first in matrix.labels
        )
        verdict = words("void") if is_void else held
        views.append(MatrixView(title, verdict, names, () if is_void else rows, is_void))
    return tuple(views)


def _cell(results: Results, matrix: Matrix, first: str, second: str, words: Words) -> DuelCell:
    duel = matrix.duels.get((first, second))
    if duel is None:
        return DuelCell("same")
    interval = span(duel.difference, signed=True)
    shown = fixed(duel.difference.mean, signed=True)
    text = f"{shown} ({interval})" if interval else shown
    pair = f"{results.shown(first)} \N{MINUS SIGN} {results.shown(second)}"
    tooltip = f"{pair}{words('colon')}{text}; {p_text(duel.p_value)}; n = {matrix.n}"
    hidden = (first, second) in matrix.below_floor
    return DuelCell(_kind(matrix, duel), shown, p_text(duel.p_value), tooltip, hidden)


def _kind(matrix: Matrix, duel: Comparison) -> str:
    if not duel.holds:
        return "open"
    is_higher = duel.difference.mean > 0
    return "better" if is_higher == (matrix.column.output.better == "higher") else "worse"
