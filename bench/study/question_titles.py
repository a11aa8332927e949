"""The titles and the order of a study's questions, kept beside a csv of answers too.

The csv holds only the questions' names; ANSWERS.questions.json beside it holds their titles.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.files.json_file import write_json
from bench.ground.errors import BenchError
from bench.study.answers import Answer, QuestionTitles
from bench.study.folder import Study

_ENDING = ".questions.json"


def known_questions(study: Study | None) -> tuple[QuestionTitles, ...]:
    """The study's questions with their titles; a missing language gets another one's title."""
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
    """The questions of a csv of answers: those of its .questions.json, then the csv's others.

    Raises BenchError if the .questions.json is damaged.
    """
    known = {one.name: one for one in _read(path.with_name(path.stem + _ENDING))}
    answered = dict.fromkeys(one.question for one in answers)
    named = [one for one in known.values() if one.name in answered]
    return (*named, *(QuestionTitles(name, name, name) for name in answered if name not in known))


def write_questions(answers: Path, questions: Sequence[QuestionTitles]) -> Path:
    """Writes the .questions.json beside a csv of answers; returns its path."""
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
            f"{path}: is not a list of questions ({error!r}). Import the answers again; or delete "
            "the file, and names stand in for the questions' titles."
        ) from error
