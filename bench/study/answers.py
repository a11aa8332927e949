"""The answers of a user study, and their csv: one rating per line, whatever their origin."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias, cast, get_args

from bench.files.one_move import in_one_move
from bench.files.spreadsheets import csv_text, plain_text
from bench.ground.errors import BenchError

Role: TypeAlias = Literal["rated", "truth", "low", "training"]
ROLES: tuple[Role, ...] = get_args(Role)

COLUMNS = (
    "rater",
    "dataset",
    "case",
    "method",
    "question",
    "rating",
    "role",
    "simulated",
    "early",
    "at",
    "comment",
)
REQUIRED = ("rater", "case", "method", "question", "rating")
LOWEST, HIGHEST = 1, 5  # the rating scale, as in ITU-T P.800 and the paper
SPANS = 12  # spans of rows that a message lists for one problem
TEXT_CHARACTERS = 2000  # longer cells are refused

_TEXTS = ("rater", "dataset", "case", "method", "question", "comment")
_RATING = re.compile(r"[1-5](\.0+)?")
_YES, _NO = ("yes", "true", "1"), ("", "no", "false", "0")


@dataclass(frozen=True)
class QuestionTitles:
    """A question's name in the answers (`sync_accuracy`), and its English and Chinese title."""

    name: str
    en: str
    zh: str


@dataclass(frozen=True)
class Answer:
    """One rating: by one rater, of one video, on one question.

    rating: 1 (worst) to 5 (best). role: `rated` counts towards the scores; `truth` (the hidden
    reference) and `low` (the low anchor) are attention checks, scored separately; `training` is
    never scored. at: ISO 8601 or empty. dataset: empty if the study has a single, unnamed data set.
    early: by the server's clock, the rating came sooner after its page than the video lasts.
    """

    rater: str
    dataset: str
    case: str
    method: str
    question: str
    rating: int
    role: Role = "rated"
    simulated: bool = False
    at: str = ""
    comment: str = ""
    early: bool = False

    @property
    def place(self) -> tuple[str, str, str, str, str, str]:
        """The answer's identity: there is one answer per place."""
        return (self.rater, self.dataset, self.case, self.method, self.role, self.question)


class Problems:
    """Collects the problems of one table's cells, so that one message reports all of them.

    Cells of one column with the same problem share a line that lists their rows. Cells of any
    columns with the same wrong value also share a line, which counts them.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._rows: dict[tuple[str, str], list[int]] = {}
        self._cells: dict[tuple[str, str], list[tuple[int, str]]] = {}  # (value, problem): where

    def add(self, row: int, column: str, problem: str) -> None:
        """Adds a problem. row: as a spreadsheet counts, with the header in row 1."""
        self._rows.setdefault((column, problem), []).append(row)

    def add_value(self, row: int, column: str, value: str, problem: str) -> None:
        """Adds a wrong value, which may occur in many cells. problem: `is ...` or `does ...`."""
        self._cells.setdefault((value, problem), []).append((row, column))

    def __bool__(self) -> bool:
        return bool(self._rows or self._cells)

    def __str__(self) -> str:
        lines: list[tuple[int, str]] = []
        for (column, problem), rows in self._rows.items():
            where = f"row {rows[0]}" if len(set(rows)) == 1 else f"rows {_ranges(rows)}"
            key = f", column {column}" if column else ""
            lines.append((min(rows), f"{self.file}: {where}{key}: {problem}."))
        for (value, problem), places in self._cells.items():
            row, column = min(places)
            if len(places) == 1:
                told = f"{value[:40]!r} {problem}" if value else problem
                lines.append((row, f"{self.file}: row {row}, column {column}: {told}."))
                continue
            hold = f"hold {value[:40]!r}" if value else "are empty"
            first = f"first in row {row}, column {column}"
            told = f"it {problem}" if value else problem.removeprefix("is empty. ")
            lines.append((row, f"{self.file}: {len(places)} cells {hold}, {first}: {told}."))
        return "\n".join(line for _, line in sorted(lines, key=lambda line: line[0]))

    def raise_any(self) -> None:
        """Raises one BenchError that lists all problems, if there are any."""
        if self:
            raise BenchError(str(self))


def read_answers(path: Path) -> tuple[Answer, ...]:
    """Reads the answers of a csv, in its order.

    Required columns: rater, case, method, question, rating; optional: dataset, role, simulated,
    early, at, comment; in any order. Raises BenchError that lists every bad cell by row and column.
    Two answers by one rater to the same question about the same video are an error, because the
    file does not say which one counts.
    """
    rows = csv_rows(path)
    problems = Problems(path)
    number, header = rows[0]
    _check_header(problems, number, header)
    problems.raise_any()  # rows under a wrong header would only repeat its problems
    answers: list[Answer] = []
    seen: dict[tuple[str, ...], int] = {}
    for number, cells in rows[1:]:
        if len(cells) != len(header):
            problems.add(number, "", f"has {len(cells)} cells, the header has {len(header)}")
            continue
        answer = _answer(problems, number, dict(zip(header, cells, strict=True)))
        if answer is None:
            continue
        first = seen.setdefault(answer.place, number)
        if first != number:
            problems.add(number, "rating", f"row {first} already has this rater's answer to it")
            continue
        answers.append(answer)
    problems.raise_any()
    if not answers:
        raise BenchError(f"{path}: has no answers. Each line below the header is one rating.")
    return tuple(answers)


def write_answers(path: Path, answers: Iterable[Answer]) -> None:
    """Writes the csv in one move.

    Text that a spreadsheet would run as a formula gets a leading apostrophe, which `read_answers`
    removes.
    """
    with in_one_move(path) as part:
        part.write_text(answers_csv(answers), encoding="utf-8", newline="")


def answers_csv(answers: Iterable[Answer]) -> str:
    """The text of the csv."""
    rows = ([getattr(answer, column) for column in COLUMNS] for answer in answers)
    return csv_text([COLUMNS, *rows])


def is_simulated(answers: Sequence[Answer], source: Path) -> bool:
    """Whether the answers come from simulated raters.

    Raises BenchError if only some do: scores of both together would mean nothing.
    """
    count = sum(answer.simulated for answer in answers)
    if count not in (0, len(answers)):
        raise BenchError(
            f"{source}: simulated: {count} of {len(answers)} answers are simulated, the others are "
            "not. Put them into separate files and score each file."
        )
    return count > 0


def rating_problem(text: str) -> str:
    """What is wrong with the text of a rating and what would be right; empty if it is valid."""
    if not text:
        return f"is empty. A rating is a whole number from {LOWEST} to {HIGHEST}"
    if not _RATING.fullmatch(text):
        return f"{text[:40]!r} is not a whole number from {LOWEST} to {HIGHEST}"
    return ""


def time_problem(text: str) -> str:
    """What is wrong with the text of a time and what would be right; empty if valid or empty."""
    if _is_time(text):
        return ""
    return f"{text[:40]!r} is not a time. Write it as 2026-01-31T14:05:00Z, or leave it empty"


def csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    """The rows of a csv that are not blank, each with its number as a spreadsheet counts.

    Raises BenchError if the file cannot be read, is not utf-8, is not a csv, or is empty.
    """
    return _rows(path, _text(path))


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise BenchError(f"{path}: cannot be read: {reason}. It should be a csv file.") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BenchError(f"{path}: line {line} is not utf-8. Save the file as utf-8.") from error


def _rows(path: Path, text: str) -> list[tuple[int, list[str]]]:
    try:
        cells = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise BenchError(
            f"{path}: is not a csv: {error}. Quote cells that contain commas or quotes."
        ) from error
    rows = [(number, row) for number, row in enumerate(cells, start=1) if any(map(str.strip, row))]
    if not rows:
        raise BenchError(f"{path}: is empty. The first line should be: {','.join(COLUMNS)}")
    number, header = rows[0]
    return [(number, [name.strip() for name in header]), *rows[1:]]


def _check_header(problems: Problems, number: int, header: Sequence[str]) -> None:
    for name in header:
        if name not in COLUMNS:
            problems.add(number, name, f"unknown. Columns are {', '.join(COLUMNS)}")
        elif header.count(name) > 1:
            problems.add(number, name, "occurs more than once")
    for name in REQUIRED:
        if name not in header:
            hint = "`bench study import` reads other tables"
            problems.add(number, name, f"missing. Required are {', '.join(REQUIRED)}; {hint}")


def _answer(problems: Problems, number: int, row: dict[str, str]) -> Answer | None:
    """The answer in a row; None if a cell is bad."""
    good = True

    def bad(column: str, problem: str) -> None:
        nonlocal good
        good = False
        problems.add(number, column, problem)

    texts = {column: plain_text(row.get(column, "").strip()) for column in _TEXTS}
    for column, text in texts.items():
        if not text and column in REQUIRED:
            bad(column, f"is empty. It names the {column}")
        if len(text) > TEXT_CHARACTERS:
            bad(column, f"has more than {TEXT_CHARACTERS} characters")
    rating = row["rating"].strip()
    if problem := rating_problem(rating):
        bad("rating", problem)
    role = row.get("role", "").strip() or "rated"
    if role not in ROLES:
        bad("role", f"{role[:40]!r} is none of {', '.join(ROLES)}")
    flags = {name: row.get(name, "").strip().lower() for name in ("simulated", "early")}
    for name, flag in flags.items():
        if flag not in _YES + _NO:
            bad(name, f"{flag[:40]!r} is neither yes nor no")
    at = row.get("at", "").strip()
    if problem := time_problem(at):
        bad("at", problem)
    if not good:
        return None
    return Answer(
        rater=texts["rater"],
        dataset=texts["dataset"],
        case=texts["case"],
        method=texts["method"],
        question=texts["question"],
        rating=int(float(rating)),
        role=cast("Role", role),
        simulated=flags["simulated"] in _YES,
        early=flags["early"] in _YES,
        at=at,
        comment=texts["comment"],
    )


def _is_time(text: str) -> bool:
    if not text:
        return True
    try:
        datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    except ValueError:
        return False
    return True


def _ranges(rows: Iterable[int]) -> str:
    """Row numbers in a short form: 2, 5-9, 12; at most the first SPANS spans."""
    spans: list[list[int]] = []
    for row in sorted(set(rows)):
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    shown = [str(low) if low == high else f"{low}-{high}" for low, high in spans[:SPANS]]
    more = f" and {len(spans) - SPANS} further places" if len(spans) > SPANS else ""
    return ", ".join(shown) + more
