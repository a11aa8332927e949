"""The titles and the order of a study's questions, also where only its answers travelled.

ANSWERS.questions.json lies beside an imported csv of answers: their names alone are in the csv.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.errors import BenchError
from bench.files.json_file import write_json
from bench.study.answers import Answer, QuestionTitles
from bench.study.folder import Study

_ENDING = ".questions.json"


def known_questions(study: Study | None) -> tuple[QuestionTitles, ...]:
    """The study's questions with their titles; a language that a study lacks falls back."""
    if study is None:
        return ()
    found = []
    for question in study.questionnaire.questions:
        title = question.title
        fallback = next(iter(title.values()))
        found.append(
            QuestionTitles(question.name, title.get("en", fallback), title.get("zh", fallback))
        )
    return tuple(found)


def asked_questions(answers: Sequence[Answer], path: Path) -> tuple[QuestionTitles, ...]:
    """The questions of a csv of answers: as its companion has them, then in the csv's own order.

    Raises BenchError where the companion is broken.
    """
    known = {one.name: one for one in _read(path.with_name(path.stem + _ENDING))}
    answered = dict.fromkeys(one.question for one in answers)
    named = [one for one in known.values() if one.name in answered]
    return (*named, *(QuestionTitles(name, name, name) for name in answered if name not in known))


def write_questions(answers: Path, questions: Sequence[QuestionTitles]) -> Path:
    """Writes the companion of a csv of answers; returns its path."""
    path = answers.with_name(answers.stem + _ENDING)
    write_json(path, [asdict(one) for one in questions])
    return path


def _read(path: Path) -> tuple[QuestionTitles, ...]:
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            QuestionTitles(str(one["name"]), str(one["en"]), str(one["zh"])) for one in given
        )
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise BenchError(
            f"{path}: is no list of questions ({error!r}). Take it away: the answers then go by "
            "their questions' names; or import them again."
        ) from error
