"""Opens a study's folder: reads its questionnaire and its design, and checks that they agree.

STUDY/study.yaml     questions and texts; the organiser may edit it
STUDY/design.json    what the codes stand for; for the organiser only
STUDY/secret         the key from which invitation links are derived; for the organiser only
STUDY/videos/        the videos under random names
STUDY/answers.sqlite the answers, once the study has been served
STUDY/serve.log      the requests that the server refused
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.ground.errors import BenchError
from bench.study.blinding import Design, read_design
from bench.study.questionnaire import Questionnaire, read_questionnaire

YAML = "study.yaml"
VIDEOS = "videos"
ANSWERS = "answers.sqlite"
LOG = "serve.log"


@dataclass(frozen=True)
class Study:
    """A study: its folder, its questionnaire and its design."""

    folder: Path
    questionnaire: Questionnaire
    design: Design

    @property
    def questions(self) -> tuple[str, ...]:
        """The names of the questions, in order."""
        return tuple(question.name for question in self.questionnaire.questions)


def open_study(folder: Path) -> Study:
    """Opens the study in a folder; raises BenchError if a file is missing or two disagree."""
    design = read_design(folder)
    questionnaire = read_questionnaire(folder / YAML)
    if questionnaire.layout != design.layout:
        raise BenchError(
            f"{folder / YAML}: layout: {questionnaire.layout}, but the design was drawn for "
            f"{design.layout}. Write {design.layout}, or make a new study with `bench study "
            f"new ... --layout {questionnaire.layout}`."
        )
    return Study(folder, questionnaire, design)
