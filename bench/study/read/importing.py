"""Imports answers: tables of survey sites, hand-made tables, files that raters sent back.

One error lists all bad cells by row and column. Nothing is guessed: what neither the mapping nor
the table states is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.ground.errors import BenchError
from bench.study.answers import COLUMNS, REQUIRED, Answer, QuestionTitles, read_answers
from bench.study.blinding import is_returned, read_returned
from bench.study.folder import Study
from bench.study.question_titles import known_questions
from bench.study.read.answer_collector import AnswerCollector
from bench.study.read.long_layout import read_long
from bench.study.read.mapping import ColumnMapping
from bench.study.read.proposal import Proposal, propose
from bench.study.read.rating_target import Targets
from bench.study.read.table_file import (
    WORKBOOKS,
    Table,
    header_for,
    is_no_header,
    read_guessed,
    read_table,
)
from bench.study.read.wide_layout import read_wide


@dataclass(frozen=True)
class Imported:
    """The answers of one or several tables, and notes for the organiser.

    questions: with titles, in the study's order, else in the order of the tables.
    """

    answers: tuple[Answer, ...]
    notes: tuple[str, ...]
    questions: tuple[QuestionTitles, ...] = ()


def import_answers(
    paths: Sequence[Path], *, mapping: ColumnMapping | None = None, study: Study | None = None
) -> Imported:
    """Reads the answers of all these files.

    A file is one of: a csv that a rater saved from the static pages (needs the study), a csv of
    answers in this harness's own format, or a table that the mapping explains. Raises BenchError
    that lists every bad cell of all files.
    """
    answers: dict[tuple[str, ...], tuple[Answer, Path]] = {}
    notes: list[str] = []
    wrong: list[str] = []
    asked: dict[str, QuestionTitles] = {one.name: one for one in known_questions(study)}
    for path in paths:
        try:
            found = _import_file(path, mapping, study)
        except BenchError as error:
            wrong.append(str(error))
            continue
        notes += found.notes
        for one in found.questions:
            asked.setdefault(one.name, one)
        again = [answers[one.place][1] for one in found.answers if one.place in answers]
        if again:
            wrong.append(
                f"{path}: {len(again)} of its {len(found.answers)} answers are also in {again[0]}. "
                "Leave one of the files out."
            )
        answers |= {one.place: (one, path) for one in found.answers}
    if wrong:
        raise BenchError("\n".join(wrong))
    return Imported(tuple(one for one, _ in answers.values()), tuple(notes), tuple(asked.values()))


def template_for(path: Path, study: Study | None) -> Proposal:
    """A mapping.yaml for this table, filled in from its content and from the study."""
    table_format, table = read_guessed(path)
    return propose(table, table_format, study)


def _import_file(path: Path, mapping: ColumnMapping | None, study: Study | None) -> Imported:
    is_text = path.suffix.lower() not in WORKBOOKS
    if is_text and path.is_file() and is_returned(path):
        if study is None:
            raise BenchError(
                f"{path}: comes from the static pages and has codes instead of videos. Name the "
                "study with --study."
            )
        found = read_returned(path, study.design, study.questions)
        return Imported(found, (f"{path}: {len(found)} answers sent back by a rater",))
    if mapping is None and is_text and set(REQUIRED) <= set(read_table(path).header):
        answers = read_answers(path)
        return Imported(answers, (f"{path}: {len(answers)} answers, already in this format",))
    if mapping is None:
        raise BenchError(
            f"{path}: does not have the columns {', '.join(COLUMNS)}. Explain its columns with "
            "--mapping; --mapping-template mapping.yaml proposes a mapping for this table. Check "
            "it."
        )
    table = read_table(
        path,
        header_row=mapping.header_row,
        header=mapping.header,
        sheet=mapping.sheet,
        encoding=mapping.encoding,
        separator=mapping.separator,
    )
    return _import_table(table, mapping, study)


def _import_table(table: Table, mapping: ColumnMapping, study: Study | None) -> Imported:
    collector = AnswerCollector(table, mapping)
    _check_header(collector)
    take = read_long if mapping.table == "long" else read_wide
    targets = Targets(study, names=mapping.names, problems=collector.problems)
    take(collector, targets)
    collector.raise_any()
    if not collector.answers:
        raise BenchError(f"{table.path}: has no answers below the header.")
    answers = _numbered(collector.answers) if mapping.anonymous else collector.answers
    questions = tuple(QuestionTitles(name, text, text) for name, text in targets.asked.items())
    return Imported(answers, collector.notes(), questions)


def _check_header(collector: AnswerCollector) -> None:
    """Raises BenchError if the first row seems to be an answer instead of column names."""
    table, mapping = collector.table, collector.mapping
    named = {*mapping.columns, *mapping.fields.values(), *mapping.ignore, *mapping.cells}
    if mapping.header is not None or named & set(table.header):
        return
    if mapping.pattern and any(re.fullmatch(mapping.pattern, name) for name in table.header):
        return
    rows = [row for _, row in table.rows]
    if is_no_header(table.header, rows):
        names = json.dumps(header_for(table.header, rows), ensure_ascii=False)
        raise BenchError(
            f"{table.path}: row {table.header_row} seems to be an answer, not the names of the "
            f"columns ({', '.join(table.header)[:80]}). Name the columns in the mapping: `header: "
            f"{names}`; --mapping-template proposes a mapping."
        )


def _numbered(answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """The answers with rater-01, rater-02, ... instead of the raters' names."""
    numbers = {rater: place for place, rater in enumerate(dict.fromkeys(a.rater for a in answers))}
    width = max(2, len(str(len(numbers))))
    return tuple(replace(a, rater=f"rater-{numbers[a.rater] + 1:0{width}d}") for a in answers)
