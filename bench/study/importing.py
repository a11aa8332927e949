"""Answers from other people's tables: survey sites, hand-made sheets, files that raters sent back.

Every bad cell is told, all at once, by row and column. Nothing is guessed: what a mapping does not
say and the table does not say itself is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from bench.errors import BenchError
from bench.study.answers import (
    COLUMNS,
    REQUIRED,
    ROLES,
    TEXT_CHARACTERS,
    Answer,
    Problems,
    Role,
    rating_problem,
    read_answers,
)
from bench.study.blinding import Item, is_returned, read_returned
from bench.study.folder import Study
from bench.study.mapping import (
    KNOWN_COLUMNS,
    LONG_FIELDS,
    Column,
    ColumnMapping,
    mapping_template,
)
from bench.study.tables import WORKBOOKS, Table, likely_reading, read_table

_TIME = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[T ](\d{1,2}):(\d{2})(?::(\d{2}))?"
    r"(?:\.\d+)?(?: ?(AM|PM))?(?: ?(?:GMT|UTC)?([+-]\d{1,2})(?::?(\d{2}))?| ?(Z))?"
)
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")


@dataclass(frozen=True)
class Imported:
    """The answers of one or several tables, and what an organiser should know of the reading."""

    answers: tuple[Answer, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Target:
    """The video and question that a rating is about."""

    dataset: str
    case: str
    method: str
    role: Role
    question: str


class _Reading:
    """One table being read: what is wrong so far, what was found, what was left out.

    answers: by place, each with its row. doubles: how many answers a row repeats of an earlier one,
    by (row, earlier row, rater). items, questions: the study's, by every name they go by.
    """

    def __init__(self, table: Table, mapping: ColumnMapping, study: Study | None) -> None:
        self.table = table
        self.mapping = mapping
        self.study = study
        self.problems = Problems(table.path)
        self.answers: dict[tuple[str, ...], tuple[Answer, int]] = {}
        self.doubles: dict[tuple[int, int, str], int] = {}
        self.unanswered = 0
        self.replaced = 0
        self.bad_time = ""  # the first one, for an example
        self.items = {} if study is None else _items_by_name(study)
        self.questions = {} if study is None else _questions_by_name(study)

    def add_to_header(self, column: str, problem: str) -> None:
        """Notes a problem of the header."""
        self.problems.add(self.table.header_row, column, problem)


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
    return mapping_template(header, reading, codes=codes, titles=_questions_by_name(study))


def _items_by_name(study: Study) -> dict[str, Item]:
    """The study's videos by their codes and by the names of their files."""
    items = study.design.items.values()
    files = {name: one for one in items for name in (one.video, Path(one.video).stem)}
    return files | {one.code: one for one in items}


def _questions_by_name(study: Study) -> dict[str, str]:
    """The names of the study's questions by name, title and text; not by what two have alike."""
    found: dict[str, set[str]] = {}
    for one in study.questionnaire.questions:
        for text in (one.name, *one.title.values(), *one.text.values()):
            found.setdefault(text, set()).add(one.name)
    names = {one.name: one.name for one in study.questionnaire.questions}
    return {text: min(ones) for text, ones in found.items() if len(ones) == 1} | names


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
    return _import_table(_Reading(table, mapping, study))


def _import_table(reading: _Reading) -> Imported:
    header = reading.table.header
    for name in dict.fromkeys(header):
        if name and header.count(name) > 1:
            reading.add_to_header(name, "stands twice. Rename one of them")
    for place, name in enumerate(header):
        if not name and any(place < len(row) and row[place] for _, row in reading.table.rows):
            reading.add_to_header(_letter(place), "has cells, but no name in the header")
    left_out = _read_long(reading) if reading.mapping.table == "long" else _read_wide(reading)
    _tell_doubles(reading)
    reading.problems.raise_any()
    if not reading.answers:
        raise BenchError(f"{reading.table.path}: has no answers below its header.")
    answers = [answer for answer, _ in reading.answers.values()]
    if reading.mapping.anonymous:
        answers = _numbered(answers)
    return Imported(tuple(answers), tuple(_notes(reading, left_out)))


# ---- wide: a row is a rater -------------------------------------------------------------------


def _read_wide(reading: _Reading) -> list[str]:
    """Takes the answers of a wide table; returns the columns that were left out."""
    header, mapping = reading.table.header, reading.mapping
    special = _special_columns(reading)
    targets: dict[str, _Target] = {}
    left_out: list[str] = []
    for name in filter(None, header):
        if name in special.values():
            continue
        column = _column(reading, name)
        if column is not None:
            target = _target(reading, reading.table.header_row, name, column)
            if target is not None:
                targets[name] = target
        elif name in mapping.ignore or KNOWN_COLUMNS.get(name) is not None:
            left_out.append(name)
        else:
            reading.add_to_header(
                name,
                "is not in the mapping. Say under `columns` what it rates, or put it under "
                "`ignore`; --mapping-template writes a mapping for this table",
            )
    for name in (*mapping.columns, *mapping.ignore):
        if name not in header:
            reading.add_to_header(name, "is in the mapping, not in the table")
    _check_targets(reading, targets)
    for number, cells in reading.table.rows:
        row = _row(reading, number, cells)
        rater = _rater(reading, number, row, special.get("rater"))
        at = _at(reading, number, row, special.get("at"))
        comment = row.get(special.get("comment", ""), "")[:TEXT_CHARACTERS]
        for name, target in targets.items():
            _take(reading, number, name, row[name], target, rater=rater, at=at, comment=comment)
    return left_out


def _special_columns(reading: _Reading) -> dict[str, str]:
    """The columns of rater, time and comment: named by the mapping, else known ones."""
    header, mapping = reading.table.header, reading.mapping
    found: dict[str, str] = {}
    for what, named in (("rater", mapping.rater), ("at", mapping.at), ("comment", mapping.comment)):
        if named is not None and named not in header:
            reading.add_to_header(named, f"is named as `{what}`, but is not in the table")
        known = [
            one for one in header if KNOWN_COLUMNS.get(one) == what and one not in mapping.ignore
        ]
        column = named or (known[0] if known else None)
        if column in header:
            found[what] = str(column)
    return found


def _column(reading: _Reading, name: str) -> Column | None:
    """What the mapping says of a column of ratings."""
    mapping = reading.mapping
    if name in mapping.columns:
        return mapping.columns[name]
    match = re.fullmatch(mapping.pattern, name) if mapping.pattern else None
    if match is None:
        return None
    parts = {key: value for key, value in match.groupdict().items() if value}
    role = parts.get("role", "rated")
    if role not in ROLES:
        reading.add_to_header(name, f"{role[:40]!r} is none of {', '.join(ROLES)}")
        return None
    return Column.model_validate(parts)


def _check_targets(reading: _Reading, targets: Mapping[str, _Target]) -> None:
    seen: dict[_Target, str] = {}
    for name, target in targets.items():
        first = seen.setdefault(target, name)
        if first != name:
            reading.add_to_header(name, f"rates the same as the column {first!r}")


# ---- long: a row is a rating ------------------------------------------------------------------


def _read_long(reading: _Reading) -> list[str]:
    """Takes the answers of a long table; returns the columns that were left out."""
    header, mapping = reading.table.header, reading.mapping
    fields: dict[str, str] = {name: name for name in LONG_FIELDS if name in header}
    fields.update({str(what): name for what, name in mapping.fields.items()})
    special = {"rater": mapping.rater, "at": mapping.at, "comment": mapping.comment}
    fields.update({what: name for what, name in special.items() if name is not None})
    needed = ["rater", "question", "rating"]
    needed += [] if "item" in fields else ["case", "method"]
    for what in needed:
        if what not in fields:
            reading.add_to_header(what, "is missing. Say under `fields` which column has it")
    for what, name in fields.items():
        if name not in header:
            reading.add_to_header(name, f"is named as `{what}`, but is not in the table")
    used = set(fields.values())
    left_out = [name for name in header if name and name not in used]
    for name in left_out:
        if name not in mapping.ignore and name not in KNOWN_COLUMNS:
            reading.add_to_header(
                name,
                "is not in the mapping. Say under `fields` what it is, or put it under `ignore`",
            )
    if reading.problems:
        return left_out  # rows under a wrong header would only repeat its problems
    for number, cells in reading.table.rows:
        row = _row(reading, number, cells)
        known = {what: row[name] for what, name in fields.items()}
        target = _long_target(reading, number, known, fields)
        rater = _rater(reading, number, row, fields["rater"])
        at = _at(reading, number, row, fields.get("at"))
        if target is not None:
            _take(
                reading,
                number,
                fields["rating"],
                known["rating"],
                target,
                rater=rater,
                at=at,
                comment=known.get("comment", "")[:TEXT_CHARACTERS],
            )
    return left_out


def _long_target(
    reading: _Reading, number: int, known: Mapping[str, str], fields: Mapping[str, str]
) -> _Target | None:
    by_item = "item" in fields
    good = True
    for what in ("item", "question") if by_item else ("case", "method", "question"):
        if not known[what]:
            reading.problems.add(number, fields[what], f"is empty. It names the {what}")
            good = False
    role = known.get("role", "")
    if role and role not in ROLES:
        reading.problems.add(number, fields["role"], f"{role[:40]!r} is none of {', '.join(ROLES)}")
        good = False
    if not good:
        return None
    video = ("item",) if by_item else ("dataset", "case", "method")
    column = Column.model_validate(
        {what: known[what] for what in (*video, "question") if what in known}
        | ({"role": role} if role else {})
    )
    named = fields["item" if by_item else "method"]
    return _target(reading, number, named, column, asked=fields["question"])


# ---- cells ------------------------------------------------------------------------------------


def _row(reading: _Reading, number: int, cells: Sequence[str]) -> dict[str, str]:
    header = reading.table.header
    if any(cells[len(header) :]):
        reading.problems.add(number, "", f"has more cells than the header's {len(header)}")
    filled = [*cells, *[""] * (len(header) - len(cells))]
    return dict(zip(header, filled, strict=False))


def _target(
    reading: _Reading, number: int, name: str, column: Column, *, asked: str | None = None
) -> _Target | None:
    """The video and question behind a column's entry, held against the study where there is one.

    name, asked: the columns in which the video and the question stand.
    """
    question = _question(reading, number, asked or name, column.question)
    find = _by_item if column.item else _by_place
    found = find(reading, number, name, column)
    if question is None or found is None:
        return None
    return replace(found, question=question)


def _question(reading: _Reading, number: int, column: str, text: str) -> str | None:
    """The question's name."""
    question = reading.mapping.names.get(text, text)
    if reading.study is None:
        return question
    if question not in reading.questions:
        known = ", ".join(reading.study.questions)
        reading.problems.add(
            number, column, f"the question {question[:60]!r} is none of {known}; see `names`"
        )
    return reading.questions.get(question)


def _by_item(reading: _Reading, number: int, name: str, column: Column) -> _Target | None:
    """The video with this code, or in this file."""
    if reading.study is None:
        reading.problems.add(number, name, "rates a video by its code. Name the study with --study")
        return None
    item = reading.items.get(reading.mapping.names.get(column.item, column.item))
    if item is None:
        what = f"{column.item[:40]!r} is no code and no file of the study's videos; see `names`"
        reading.problems.add(number, name, what)
        return None
    return _Target(item.dataset, item.case, item.method, item.role, "")


def _by_place(reading: _Reading, number: int, name: str, column: Column) -> _Target | None:
    """The video of this method on this case."""
    names, study = reading.mapping.names, reading.study
    dataset, case, method = (
        names.get(one, one) for one in (column.dataset, column.case, column.method)
    )
    if study is None:
        return _Target(dataset, case, method, column.role or "rated", "")
    items = [
        item
        for item in study.design.items.values()
        if (item.case, item.method) == (case, method)
        and dataset in ("", item.dataset)
        and column.role in (None, item.role)
    ]
    if column.role is None:  # a practice video is often one of the rated ones, and never scored
        items = [item for item in items if item.role != "training"] or items
    if len(items) != 1:
        wanted = " ".join(filter(None, (dataset, case, method)))
        reading.problems.add(
            number,
            name,
            f"{wanted[:80]!r} is no video of the study's"
            if not items
            else f"{wanted[:80]!r} are {len(items)} videos of the study's. Add dataset or role",
        )
        return None
    return _Target(items[0].dataset, items[0].case, items[0].method, items[0].role, "")


def _take(
    reading: _Reading,
    number: int,
    column: str,
    text: str,
    target: _Target,
    *,
    rater: str,
    at: str,
    comment: str,
) -> None:
    """Keeps the answer of one cell, or notes what is wrong with it."""
    rating = _rating(reading, number, column, text)
    if rating is None or not rater:
        return
    answer = Answer(
        rater=rater,
        dataset=target.dataset,
        case=target.case,
        method=target.method,
        question=target.question,
        rating=rating,
        role=target.role,
        at=at,
        comment=comment,
    )
    if answer.place not in reading.answers:
        reading.answers[answer.place] = (answer, number)
        return
    first = reading.answers[answer.place][1]
    if reading.mapping.twice == "refuse":
        double = (number, first, rater)
        reading.doubles[double] = reading.doubles.get(double, 0) + 1
        return
    reading.replaced += 1
    if reading.mapping.twice == "last":
        reading.answers[answer.place] = (answer, number)


def _rating(reading: _Reading, number: int, column: str, text: str) -> int | None:
    mapping = reading.mapping
    if text in mapping.ratings:
        return mapping.ratings[text]
    if not text:
        if mapping.blank == "unanswered":
            reading.unanswered += 1
        else:
            hint = "Where raters could leave it out, say `blank: unanswered` in the mapping"
            reading.problems.add(number, column, f"is empty. {hint}")
        return None
    if problem := rating_problem(text):
        if not _NUMBER.fullmatch(text):
            problem += ". If it stands for one, say so under `ratings` in the mapping"
        reading.problems.add(number, column, problem)
        return None
    return int(float(text))


def _rater(reading: _Reading, number: int, row: Mapping[str, str], column: str | None) -> str:
    if column is None:
        return f"row{number:03d}"
    rater = row[column]
    if not rater:
        reading.problems.add(number, column, "is empty. It names the rater")
    elif "@" in rater and not reading.mapping.anonymous:
        reading.problems.add(
            number,
            column,
            "looks like an e-mail address; answers hold no personal data. Say `anonymous: true` in "
            "the mapping to number the raters",
        )
    elif len(rater) > TEXT_CHARACTERS:
        reading.problems.add(number, column, f"has more than {TEXT_CHARACTERS} characters")
    return rater


def _at(reading: _Reading, number: int, row: Mapping[str, str], column: str | None) -> str:
    """The time in ISO 8601; empty where none is given."""
    text = row.get(column or "", "")
    if not text:
        return ""
    if reading.mapping.at_format is not None:
        try:
            return datetime.strptime(text, reading.mapping.at_format).isoformat()
        except ValueError:
            what = f"{text[:40]!r} is not written as at_format says"
            reading.problems.add(number, column or "", what)
            return ""
    match = _TIME.fullmatch(text)
    moment = None if match is None else _moment(match)
    if moment is None:
        reading.bad_time = reading.bad_time or text[:40]
        hint = (
            "Say in the mapping how times are written (`at_format: '%m/%d/%Y %H:%M:%S'` has the "
            "month first), or put it under `ignore`"
        )
        what = f"has no plain date, such as {reading.bad_time!r}. {hint}"
        reading.problems.add(number, column or "", what)
        return ""
    return moment.isoformat()


def _moment(match: re.Match[str]) -> datetime | None:
    year, month, day, hour, minute = (int(match[group]) for group in range(1, 6))
    if match[7] and not 1 <= hour <= 12:
        return None
    if match[7]:
        hour = hour % 12 + (12 if match[7] == "PM" else 0)
    try:
        zone = timezone.utc if match[10] else None
        if match[8]:
            sign = -1 if match[8].startswith("-") else 1
            offset = timedelta(hours=int(match[8]), minutes=sign * int(match[9] or 0))
            zone = timezone(offset)
        return datetime(year, month, day, hour, minute, int(match[6] or 0), tzinfo=zone)
    except ValueError:
        return None


# ---- what to tell -----------------------------------------------------------------------------


def _tell_doubles(reading: _Reading) -> None:
    for (number, first, rater), count in reading.doubles.items():
        where = "this row" if first == number else f"row {first}"
        reading.problems.add(
            number,
            "",
            f"the rater {rater[:40]!r} answered {count} of these questions in {where} already. "
            "Take one of the rows away, or say `twice: first` or `twice: last` in the mapping",
        )


def _numbered(answers: Iterable[Answer]) -> list[Answer]:
    answers = list(answers)
    numbers = {rater: place for place, rater in enumerate(dict.fromkeys(a.rater for a in answers))}
    width = max(2, len(str(len(numbers))))
    return [replace(a, rater=f"rater-{numbers[a.rater] + 1:0{width}d}") for a in answers]


def _notes(reading: _Reading, left_out: Sequence[str]) -> list[str]:
    path, answers = reading.table.path, reading.answers.values()
    raters = len({answer.rater for answer, _ in answers})
    notes = [f"{path}: {len(answers)} answers of {raters} raters"]
    personal = [name for name in left_out if KNOWN_COLUMNS.get(name) == "personal"]
    others = [name for name in left_out if name not in personal]
    if personal:
        notes.append(f"{path}: left out as personal: {', '.join(personal)}")
    if others:
        notes.append(f"{path}: left out: {', '.join(others)}")
    if reading.unanswered:
        notes.append(f"{path}: {reading.unanswered} empty cells taken as unanswered")
    if reading.replaced:
        kept = reading.mapping.twice
        notes.append(f"{path}: {reading.replaced} answers were given twice; the {kept} one counts")
    return notes


def _letter(place: int) -> str:
    """A column as a spreadsheet names it: A, B, ..., Z, AA."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
