"""Answers from other people's tables: survey sites, hand-made sheets, files that raters sent back.

Every bad cell is told, all at once, by row and column. Nothing is guessed: what a mapping does not
say and the table does not say itself is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import BenchError
from bench.study.answers import COLUMNS, REQUIRED, Answer, read_answers
from bench.study.blinding import is_returned, read_returned
from bench.study.folder import Study
from bench.study.long_tables import take_long
from bench.study.mapping import ColumnMapping, mapping_template
from bench.study.rating_target import Targets, questions_by_name
from bench.study.table_answers import TableAnswers
from bench.study.tables import WORKBOOKS, Table, likely_reading, read_table
from bench.study.wide_tables import take_wide


@dataclass(frozen=True)
class Imported:
    """The answers of one or several tables, and what an organiser should know of the reading."""

    answers: tuple[Answer, ...]
    notes: tuple[str, ...]


def import_answers(
    paths: Sequence[Path], *, mapping: ColumnMapping | None = None, study: Study | None = None
) -> Imported:
    """The answers of these files together.

    A file is one of: what the static pages gave a rater to send back (needs the study), a csv of
    answers as `bench study` itself writes it, or a table that the mapping explains. Raises
    BenchError with every bad cell of all files.
    """
    answers: dict[tuple[str, ...], tuple[Answer, Path]] = {}
    notes: list[str] = []
    wrong: list[str] = []
    for path in paths:
        try:
            found = _import_file(path, mapping, study)
        except BenchError as error:
            wrong.append(str(error))
            continue
        notes += found.notes
        again = [answers[one.place][1] for one in found.answers if one.place in answers]
        if again:
            wrong.append(
                f"{path}: {len(again)} of its {len(found.answers)} answers stand in {again[0]} "
                "already. Leave one of the files out."
            )
        answers |= {one.place: (one, path) for one in found.answers}
    if wrong:
        raise BenchError("\n".join(wrong))
    return Imported(tuple(one for one, _ in answers.values()), tuple(notes))


def template_for(path: Path, study: Study | None) -> str:
    """A mapping.yaml for this table, proposals filled in from the study."""
    reading = likely_reading(path)
    header = read_table(
        path,
        header_row=reading.header_row,
        sheet=reading.sheet,
        encoding=reading.encoding,
        separator=reading.separator,
    ).header
    if study is None:
        return mapping_template(header, reading)
    items = study.design.items
    codes = (*items, *(item.video for item in items.values()))
    return mapping_template(header, reading, codes=codes, titles=questions_by_name(study))


def _import_file(path: Path, mapping: ColumnMapping | None, study: Study | None) -> Imported:
    is_text = path.suffix.lower() not in WORKBOOKS
    if is_text and path.is_file() and is_returned(path):
        if study is None:
            raise BenchError(
                f"{path}: a rater sent it back from the static pages, with codes in place of "
                "videos. Name the study that knows them with --study."
            )
        found = read_returned(path, study.design, study.questions)
        return Imported(found, (f"{path}: {len(found)} answers sent back by a rater",))
    if mapping is None and is_text and set(REQUIRED) <= set(read_table(path).header):
        answers = read_answers(path)
        return Imported(answers, (f"{path}: {len(answers)} answers, in this very form already",))
    if mapping is None:
        raise BenchError(
            f"{path}: its columns are not ours ({', '.join(COLUMNS)}). Say with --mapping which is "
            "what; --mapping-template writes a mapping for this table, to be completed."
        )
    table = read_table(
        path,
        header_row=mapping.header_row,
        sheet=mapping.sheet,
        encoding=mapping.encoding,
        separator=mapping.separator,
    )
    return _import_table(table, mapping, study)


def _import_table(table: Table, mapping: ColumnMapping, study: Study | None) -> Imported:
    taken = TableAnswers(table, mapping)
    _check_header(taken)
    take = take_long if mapping.table == "long" else take_wide
    take(taken, Targets(study, names=mapping.names, problems=taken.problems))
    taken.raise_any()
    if not taken.answers:
        raise BenchError(f"{table.path}: has no answers below its header.")
    answers = _numbered(taken.answers) if mapping.anonymous else taken.answers
    return Imported(answers, taken.notes())


def _check_header(taken: TableAnswers) -> None:
    header = taken.table.header
    for name in dict.fromkeys(header):
        if name and header.count(name) > 1:
            taken.add_to_header(name, "stands twice. Rename one of them")
    for place, name in enumerate(header):
        if not name and any(place < len(row) and row[place] for _, row in taken.table.rows):
            taken.add_to_header(_letter(place), "has cells, but no name in the header")


def _letter(place: int) -> str:
    """A column as a spreadsheet names it: A, B, ..., Z, AA."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _numbered(answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """The answers with rater-01, rater-02, ... in place of the raters' names."""
    numbers = {rater: place for place, rater in enumerate(dict.fromkeys(a.rater for a in answers))}
    width = max(2, len(str(len(numbers))))
    return tuple(replace(a, rater=f"rater-{numbers[a.rater] + 1:0{width}d}") for a in answers)
