"""study.yaml: the questions and texts that raters see, in every language of the study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias, TypeVar

import pydantic

from bench.config.kinds import refuse_other_kind
from bench.config.reader import raise_problems, read_yaml, validated
from bench.ground.errors import BenchError

Language: TypeAlias = Literal["en", "zh"]
Layout: TypeAlias = Literal["single", "side_by_side"]
Text: TypeAlias = dict[Language, str]

HEAD = Path(__file__).parent / "study_head.yaml"
QUESTIONS = Path(__file__).parent / "questions.yaml"
SECONDS_A_QUESTION = 4.0  # to read and answer it; for the estimate of a session's length
_M = TypeVar("_M", bound=pydantic.BaseModel)


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Question(_Section):
    """One question, answered on a scale of 1 to 5; `low` and `high` label the ends of the scale."""

    name: Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    title: Text
    text: Text
    low: Text
    high: Text


class QuestionList(_Section):
    """A file that holds questions only, for `bench study new --questions`."""

    questions: Annotated[tuple[Question, ...], pydantic.Field(min_length=1, max_length=9)]

    @pydantic.model_validator(mode="after")
    def _names_differ(self) -> QuestionList:
        names = [question.name for question in self.questions]
        if len(set(names)) < len(names):
            raise ValueError(f"questions: names must differ, found {', '.join(names)}")
        return self


class Questionnaire(QuestionList):
    """The content of study.yaml."""

    languages: Annotated[tuple[Language, ...], pydantic.Field(min_length=1)]
    title: Text
    introduction: Text = {}
    layout: Layout
    comments: bool = True

    @pydantic.model_validator(mode="after")
    def _texts_in_all_languages(self) -> Questionnaire:
        texts = {"title": self.title}
        if self.introduction:
            texts["introduction"] = self.introduction
        for index, question in enumerate(self.questions):
            for key in ("title", "text", "low", "high"):
                texts[f"questions[{index}].{key}"] = getattr(question, key)
        for where, text in texts.items():
            missing = [language for language in self.languages if language not in text]
            if missing:
                raise ValueError(
                    f"{where}: no text in {', '.join(missing)}, which `languages` lists; write "
                    "one, or remove the language from `languages`"
                )
        return self


def read_questionnaire(path: Path) -> Questionnaire:
    """Reads a study.yaml; raises BenchError that lists every error with its line."""
    return _read(Questionnaire, path)


def questionnaire_text(
    *, questions: Path | None, layout: Layout, languages: tuple[Language, ...]
) -> str:
    """The text of a commented study.yaml, ready to edit; raises BenchError for bad questions."""
    source = questions or QUESTIONS
    _read(QuestionList, source)
    head = HEAD.read_text(encoding="utf-8")
    head = head.replace("layout: single", f"layout: {layout}")
    head = head.replace("languages: [en, zh]", f"languages: [{', '.join(languages)}]")
    return head + source.read_text(encoding="utf-8")


def _read(model: type[_M], path: Path) -> _M:
    raw, lines, problems = read_yaml(path)
    found = validated(model, raw, "", problems)
    if found is None:
        refuse_other_kind(path, raw, model.model_fields)
    raise_problems(path, problems, lines)
    if found is None:
        raise BenchError(f"{path}: is not a {model.__name__}.")
    return found
