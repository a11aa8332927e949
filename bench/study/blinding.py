"""design.json: which video each code stands for, and who sees which; it undoes the blinding.

Raters see only codes. Codes and file names are random, so they reveal neither method nor case nor
order. The design is stored as it was drawn, so a study keeps it even if a later version of the
harness draws designs in another way.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.files.json_file import write_json
from bench.ground.errors import BenchError
from bench.study.answers import (
    TEXT_CHARACTERS,
    Answer,
    Problems,
    Role,
    csv_rows,
    rating_problem,
    time_problem,
)
from bench.study.balance import Balance
from bench.study.questionnaire import Layout

SCHEMA = 1
DESIGN_FILE = "design.json"
RETURNED = ("study", "rater", "item", "question", "rating", "at", "comment")

SessionPages = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Item:
    """One video to rate. code: its name for raters; video: its file's name in `videos/`."""

    code: str
    dataset: str
    case: str
    method: str
    role: Role
    video: str
    seconds: float


@dataclass(frozen=True)
class Example:
    """An example video on the start page. shows: its control (`truth`, `mismatched`, `still`)."""

    video: str
    shows: str


@dataclass(frozen=True)
class SessionPlan:
    """All that determines the sessions, so that raters can be added later.

    methods: labels, in drawn order. cases: (data set, case), in drawn order. checks: the number of
    hidden references per rater, and also of low anchors. balance: see bench.study.balance.
    """

    methods: tuple[str, ...]
    cases: tuple[tuple[str, str], ...]
    checks: int
    balance: Balance


@dataclass(frozen=True)
class Design:
    """The content of design.json.

    study: a random name. runs: folders of the runs. items: by code. sessions: for each rater, the
    codes on every page.
    """

    study: str
    created: str
    runs: tuple[str, ...]
    layout: Layout
    plan: SessionPlan
    items: Mapping[str, Item]
    examples: tuple[Example, ...]
    sessions: Mapping[str, SessionPages]

    def assigned(self, rater: str) -> frozenset[str]:
        """The codes of all videos that this rater was given."""
        return frozenset(code for page in self.sessions[rater] for code in page)

    def item(self, rater: str, code: str) -> Item:
        """The item with this code; raises BenchError if this rater was not given it."""
        if rater not in self.sessions:
            raise BenchError(f"this study has no rater {rater[:40]!r}")
        if code not in self.assigned(rater):
            raise BenchError(f"{rater} was not given the item {code[:40]!r}")
        return self.items[code]


def write_design(folder: Path, design: Design) -> None:
    """Writes design.json in one move."""
    value = asdict(design)
    value["schema"] = SCHEMA
    value["items"] = {code: asdict(item) for code, item in design.items.items()}
    write_json(folder / DESIGN_FILE, value)


def read_design(folder: Path) -> Design:
    """The design of a study; raises BenchError if the folder is not a study."""
    path = folder / DESIGN_FILE
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BenchError(
            f"{path}: no such file. Name the folder that `bench study new` made."
        ) from None
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: cannot be read: {error}. Restore it from a copy.") from error
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise BenchError(
            f"{path}: schema: this version reads {SCHEMA}. Use the version that made the study."
        )
    plan = value["plan"]
    return Design(
        study=value["study"],
        created=value["created"],
        runs=tuple(value["runs"]),
        layout=value["layout"],
        plan=SessionPlan(
            methods=tuple(plan["methods"]),
            cases=tuple((dataset, case) for dataset, case in plan["cases"]),
            checks=plan["checks"],
            balance=Balance(**plan["balance"]),
        ),
        items={code: Item(**item) for code, item in value["items"].items()},
        examples=tuple(Example(**example) for example in value["examples"]),
        sessions={
            rater: tuple(tuple(page) for page in pages)
            for rater, pages in value["sessions"].items()
        },
    )


def unblinded(
    design: Design,
    rater: str,
    code: str,
    *,
    question: str,
    rating: int,
    at: str,
    comment: str,
    early: bool = False,
) -> Answer:
    """The answer with data set, case, method and role instead of the code."""
    item = design.item(rater, code)
    return Answer(
        rater=rater,
        dataset=item.dataset,
        case=item.case,
        method=item.method,
        question=question,
        rating=rating,
        role=item.role,
        at=at,
        comment=comment,
        early=early,
    )


def is_returned(path: Path) -> bool:
    """Whether a csv is one that a rater saved from the static pages."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            return tuple(next(csv.reader(file), ())) == RETURNED
        except csv.Error:
            return False


def read_returned(path: Path, design: Design, questions: Iterable[str]) -> tuple[Answer, ...]:
    """The answers in a file that a rater sent back, with the codes resolved.

    Raises BenchError that lists every bad cell by row and column: another study's file, an item
    that the rater was not given, a rating off the scale, an unknown question, a repeated answer.
    """
    known = set(questions)
    problems = Problems(path)
    answers: dict[tuple[str, ...], Answer] = {}
    (first, header), *rows = csv_rows(path)
    if tuple(header) != RETURNED:
        raise BenchError(f"{path}: row {first}: expected the columns {', '.join(RETURNED)}.")
    for number, cells in rows:
        if len(cells) != len(RETURNED):
            problems.add(number, "", f"has {len(cells)} cells, the header has {len(RETURNED)}")
            continue
        row = dict(zip(RETURNED, cells, strict=True))
        answer = _returned(problems, number, row, design, known)
        if answer is None:
            continue
        if answer.place in answers:
            problems.add(number, "item", "already has an answer to this question")
        answers[answer.place] = answer
    problems.raise_any()
    return tuple(answers.values())


def _returned(
    problems: Problems, number: int, row: dict[str, str], design: Design, questions: set[str]
) -> Answer | None:
    if row["study"] != design.study:
        problems.add(number, "study", f"is {row['study'][:40]!r}, this study is {design.study!r}")
        return None
    if row["question"] not in questions:
        known = ", ".join(sorted(questions))
        problems.add(number, "question", f"{row['question'][:40]!r} is not one of {known}")
        return None
    for column, problem in (
        ("rating", rating_problem(row["rating"])),
        ("at", time_problem(row["at"])),
        ("comment", _length_problem(row["comment"])),
    ):
        if problem:
            problems.add(number, column, problem)
            return None
    try:
        return unblinded(
            design,
            row["rater"],
            row["item"],
            question=row["question"],
            rating=int(float(row["rating"])),
            at=row["at"],
            comment=row["comment"],
        )
    except BenchError as error:
        problems.add(number, "item", str(error))
        return None


def _length_problem(text: str) -> str:
    return f"has more than {TEXT_CHARACTERS} characters" if len(text) > TEXT_CHARACTERS else ""
