"""Finds the target of a rating in a table: which video and which question of the study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bench.study.answers import Problems, Role
from bench.study.blinding import Item
from bench.study.folder import Study
from bench.study.read.mapping import Column

_Video: TypeAlias = tuple[str, str, str, Role]  # data set, case, method, role


@dataclass(frozen=True)
class Target:
    """The video and question that a rating is about."""

    dataset: str
    case: str
    method: str
    role: Role
    question: str


class Targets:
    """Finds the targets of ratings, and checks them against the study if there is one.

    names: the mapping's `names`. problems: collects unknown names. asked: if there is no study, the
    table's title of each question, in the order in which they are found.
    """

    def __init__(
        self, study: Study | None, *, names: Mapping[str, str], problems: Problems
    ) -> None:
        self._study = study
        self.asked: dict[str, str] = {}
        self._names = names
        self._problems = problems
        self._items = {} if study is None else _items_by_name(study)
        self._questions = {} if study is None else questions_by_name(study)

    def find(
        self, row: int, name: str, column: Column, *, asked: str | None = None
    ) -> Target | None:
        """The video and question of a mapping's entry; None, with a problem added, if unknown.

        name, asked: the columns that name the video and the question, for the problems.
        """
        question = self._question(row, asked or name, column.question)
        by = self._by_item if column.item else self._by_place
        video = by(row, name, column)
        if question is None or video is None:
            return None
        return Target(*video, question)

    def _question(self, row: int, column: str, text: str) -> str | None:
        """The question's name; without a study, the table's title is kept in `asked`."""
        question = self._names.get(text, text)
        if self._study is None:
            self.asked.setdefault(question, text)
            return question
        if question not in self._questions:
            known = ", ".join(self._study.questions)
            what = f"is not one of the study's questions ({known}); see `names`"
            self._problems.add_value(row, column, question, what)
        return self._questions.get(question)

    def _by_item(self, row: int, name: str, column: Column) -> _Video | None:
        """The video with this code or file name."""
        if self._study is None:
            what = "names a video by its code. Name the study with --study"
            self._problems.add(row, name, what)
            return None
        named = self._names.get(column.item, column.item)
        # An address of a video ends with its file's name.
        item = self._items.get(named) or self._items.get(named.rsplit("/", 1)[-1])
        if item is None:
            what = "is neither a code nor a file of the study's videos; see `names`"
            self._problems.add_value(row, name, column.item, what)
            return None
        return (item.dataset, item.case, item.method, item.role)

    def _by_place(self, row: int, name: str, column: Column) -> _Video | None:
        """The video of this method on this case."""
        dataset, case, method = (
            self._names.get(one, one) for one in (column.dataset, column.case, column.method)
        )
        if self._study is None:
            return (dataset, case, method, column.role or "rated")
        items = [
            item
            for item in self._study.design.items.values()
            if (item.case, item.method) == (case, method)
            and dataset in ("", item.dataset)
            and column.role in (None, item.role)
        ]
        if column.role is None:  # a practice video may also be a rated one; the rated one counts
            items = [item for item in items if item.role != "training"] or items
        if len(items) != 1:
            wanted = " ".join(filter(None, (dataset, case, method)))
            what = "is not a video of the study"
            if items:
                what = f"fits {len(items)} videos of the study. Add dataset or role"
            self._problems.add_value(row, name, wanted, what)
            return None
        return (items[0].dataset, items[0].case, items[0].method, items[0].role)


def questions_by_name(study: Study) -> dict[str, str]:
    """The questions' names by name, title and text; texts that two questions share are left out."""
    found: dict[str, set[str]] = {}
    for one in study.questionnaire.questions:
        for text in (one.name, *one.title.values(), *one.text.values()):
            found.setdefault(text, set()).add(one.name)
    names = {one.name: one.name for one in study.questionnaire.questions}
    return {text: min(ones) for text, ones in found.items() if len(ones) == 1} | names


def _items_by_name(study: Study) -> dict[str, Item]:
    """The study's videos by code and by file name."""
    items = study.design.items.values()
    files = {name: one for one in items for name in (one.video, Path(one.video).stem)}
    return files | {one.code: one for one in items}
