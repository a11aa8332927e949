"""Finds the inputs of scoring: the answers, the study that they belong to, and its runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.ground.errors import BenchError
from bench.records.reading import read_manifest
from bench.records.run_folder import method_names
from bench.study.answers import Answer, QuestionTitles, read_answers
from bench.study.blinding import DESIGN_FILE
from bench.study.folder import Study, open_study
from bench.study.question_titles import asked_questions, known_questions
from bench.study.score.metric_values import run_name, run_videos


@dataclass(frozen=True)
class ScoreInputs:
    """The answers to score, their study if known, and the file for the scores.

    target: the JSON file; the csv is written beside it. name: of the study in run folders.
    """

    answers: tuple[Answer, ...]
    study: Study | None
    name: str
    target: Path


def find_inputs(path: Path) -> ScoreInputs:
    """The inputs at `path`: a study's folder or a csv of answers.

    A folder means the answers that its server collected, else its answers.csv. A csv in a study's
    folder belongs to that study. Raises BenchError if there are no answers.
    """
    if path.is_dir():
        study = open_study(path)
        return ScoreInputs(_collected(study), study, path.resolve().name, path / "scores.json")
    folder = path.resolve().parent
    found = open_study(folder) if (folder / DESIGN_FILE).is_file() else None
    name = path.stem if found is None else f"{folder.name}.{path.stem}"
    return ScoreInputs(read_answers(path), found, name, path.with_name(f"{path.stem}.scores.json"))


def find_runs(
    source: ScoreInputs, named: Sequence[Path]
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The run folders of the study, and a note on each that is missing.

    These are the named ones, else those from which the study was made.
    """
    if named or source.study is None:
        return tuple(named), ()
    runs = [Path(run) for run in source.study.design.runs]
    found = [Path(os.path.relpath(run)) for run in runs if (run / "manifest.json").is_file()]
    missing = [run for run in runs if not (run / "manifest.json").is_file()]
    notes = [f"{run}: the run no longer exists; name its new folder with --run" for run in missing]
    return tuple(found), tuple(notes)


def match_to_runs(answers: Sequence[Answer], runs: Sequence[Path]) -> tuple[Answer, ...]:
    """Checks the answers against the runs; answers without a data set get the runs' only one.

    Raises BenchError if a run has none of the rated videos, or if the answers must name their data
    set because the runs have several.
    """
    videos = {run: run_videos(run) for run in runs}
    datasets = {clip[0] for known in videos.values() for clip, _ in known}
    if runs and not any(answer.dataset for answer in answers):
        if len(datasets) != 1:
            raise BenchError(
                "the answers do not name a data set, but the runs have "
                f"{', '.join(sorted(datasets)) or 'none'}. Add a column `dataset`."
            )
        only = next(iter(datasets))
        answers = [replace(answer, dataset=only) for answer in answers]
    rated = {((one.dataset, one.case), one.method) for one in answers if one.role == "rated"}
    for run, known in videos.items():
        if not rated & known:
            clip, method = next(iter(sorted(rated)), (("", ""), ""))
            raise BenchError(
                f"{run}: has none of the rated videos (the first is {' '.join(clip)} by {method}). "
                "Use the names of data set, case and method in the run's config."
            )
    return tuple(answers)


def known_titles(study: Study | None) -> tuple[str, str]:
    """The study's title in English and Chinese; a missing language gets the other's title."""
    if study is None:
        return "", ""
    title = study.questionnaire.title
    fallback = next(iter(title.values()))
    return title.get("en", fallback), title.get("zh", fallback)


def titled_questions(source: ScoreInputs, path: Path) -> tuple[QuestionTitles, ...]:
    """The questions with titles, in order: from the study, else from the file beside the csv."""
    if source.study is not None:
        return known_questions(source.study)
    return asked_questions(source.answers, path)


def run_names(runs: Sequence[Path]) -> dict[Path, str]:
    """The name of each run."""
    return {run: run_name(run) for run in runs}


def shown_methods(runs: Sequence[Path]) -> dict[str, str]:
    """The name that readers see for each method's label in these runs."""
    titles: dict[str, str] = {}
    for run in runs:
        for method in read_manifest(run).methods:
            titles.setdefault(method.label, method.title)
    return method_names(titles)


def _collected(study: Study) -> tuple[Answer, ...]:
    from bench.study.ask.export import study_answers
    from bench.study.folder import ANSWERS

    table = study.folder / "answers.csv"
    if not (study.folder / ANSWERS).exists() and table.is_file():
        return read_answers(table)
    return study_answers(study)
