"""Reads the scores of user studies in run folders, `RUN/studies/NAME.json`, as table rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.ground.stats import SIGNIFICANT, ranks
from bench.records.run_folder import Run
from bench.study.score.scores import MethodComparison, Opinion, Panel, Scores, read_scores
from reports.comparison import Mark, marks
from reports.results import Row
from reports.words import Words

FOLDER = "studies"


@dataclass(frozen=True)
class Opinions:
    """One method's row: an opinion per question, None if nobody rated it.

    row: the method's row in the runs; if no run has the method, a row with its label only. marks:
    one per question, as in the tables of metrics.
    """

    method: str
    row: Row
    role: str
    cells: tuple[Opinion | None, ...]
    marks: tuple[Mark, ...]


def study_files(run: Path) -> list[Path]:
    """The score files of a run folder, by name."""
    return sorted((run / FOLDER).glob("*.json"))


def read_studies(runs: Iterable[Run]) -> tuple[Scores, ...]:
    """The studies of these runs, ordered by name; a study in several runs is returned once.

    Raises BenchError if a file cannot be read.
    """
    found: dict[tuple[str, str], Scores] = {}
    for run in runs:
        for path in study_files(run.folder):
            scores = read_scores(path)
            found.setdefault((scores.name, scores.answers_sha256), scores)
    return tuple(found[key] for key in sorted(found))


def question_texts(scores: Scores, words: Words) -> tuple[str, ...]:
    """The questions as column headings, in the report's language."""
    known = [words.optional(f"question_{one.name}", "") for one in scores.questions]
    asked = [one.zh if words.language == "zh" else one.en for one in scores.questions]
    return tuple(
        short or text or one.name
        for short, text, one in zip(known, asked, scores.questions, strict=True)
    )


def opinions(scores: Scores, known: Sequence[Row]) -> tuple[Opinions, ...]:
    """The table's rows with marks: first the attention checks, as controls, then the methods."""
    panel = scores.kept
    names = [question.name for question in scores.questions]
    rows = {row.label: row for row in known}
    set_off = {name: _marks(panel, name) for name in names}
    return tuple(
        Opinions(
            method,
            rows.get(method, Row(method, method, "", control=False, shown=method)),
            role,
            tuple(opinion_of(panel, method, name, role) for name in names),
            tuple(set_off[name].get(method, "") if role == "rated" else "" for name in names),
        )
        for method, role in roles(panel, scores.methods)
    )


def roles(panel: Panel, methods: Sequence[str]) -> list[tuple[str, str]]:
    """(method, role) of everything shown: hidden reference, low anchor, then competitors."""
    shown = {(one.method, one.role) for one in panel.opinions}
    order = {"truth": 0, "low": 1, "rated": 2}
    place = {method: index for index, method in enumerate(methods)}
    return sorted(shown, key=lambda one: (order[one[1]], place.get(one[0], len(place)), one[0]))


def opinion_of(panel: Panel, method: str, question: str, role: str) -> Opinion | None:
    for one in panel.opinions:
        if (one.dataset, one.method, one.question, one.role) == (None, method, question, role):
            return one
    return None


def rated(panel: Panel, question: str) -> list[str]:
    """The methods with a mean on this question, without attention checks."""
    return [
        one.method
        for one in panel.opinions
        if (one.dataset, one.question, one.role) == (None, question, "rated")
        and one.mean.value is not None
    ]


def differing_pairs(panel: Panel, question: str) -> list[tuple[str, str]]:
    """(better, worse) for each pair of methods whose difference on this question holds."""
    return [
        (one.first, one.second) if (one.difference.value or 0.0) > 0 else (one.second, one.first)
        for one in panel.comparisons
        if one.question == question and holds(one)
    ]


def holds(comparison: MethodComparison | None) -> bool:
    """Whether two methods differ by both the corrected test and the interval."""
    if comparison is None or comparison.p_corrected is None:
        return False
    low, high = comparison.difference.low, comparison.difference.high
    if low is None or high is None:
        return False
    return comparison.p_corrected < SIGNIFICANT and (low > 0.0 or high < 0.0)


def _marks(panel: Panel, question: str) -> dict[str, Mark]:
    """The mark of each rated method, by the ranks that follow from the differences that hold."""
    names = rated(panel, question)
    return marks(ranks(names, differing_pairs(panel, question))) if len(names) > 1 else {}
