"""Collects what is read from one table: its answers, its problems, the columns it leaves out."""

from __future__ import annotations

from bench.study.answers import Answer, Problems
from bench.study.read.mapping import KNOWN_COLUMNS, UNKNOWN_METHOD, ColumnMapping
from bench.study.read.table_file import Table


class AnswerCollector:
    """The answers and problems of a table that is being read with a mapping.

    problems: of the table's cells. left_out: names of columns that hold no answers. unanswered:
    the number of cells that stand for no answer, by value. bad_time, bad_date: the first unreadable
    time and the first date of ambiguous order. All messages on such cells quote the same example,
    so that they share a line.
    """

    def __init__(self, table: Table, mapping: ColumnMapping) -> None:
        self.table = table
        self.mapping = mapping
        self.problems = Problems(table.path)
        self.left_out: list[str] = []
        self.unanswered: dict[str, int] = {}
        self.bad_time = ""
        self.bad_date = ""
        self._answers: dict[tuple[str, ...], tuple[Answer, int]] = {}  # by place, each with its row
        self._doubles: dict[tuple[int, int, str], int] = {}  # (row, earlier row, rater): how many
        self._replaced = 0

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers that count, ordered by the row in which each place first occurs."""
        return tuple(answer for answer, _ in self._answers.values())

    def add_to_header(self, column: str, problem: str) -> None:
        """Adds a problem with the header."""
        self.problems.add(self.table.header_row, column, problem)

    def keep(self, answer: Answer, row: int) -> None:
        """Keeps the answer from this row; the mapping's `twice` decides on repeated answers."""
        if answer.place not in self._answers:
            self._answers[answer.place] = (answer, row)
            return
        first = self._answers[answer.place][1]
        if self.mapping.twice == "refuse":
            double = (row, first, answer.rater)
            self._doubles[double] = self._doubles.get(double, 0) + 1
            return
        self._replaced += 1
        if self.mapping.twice == "last":
            self._answers[answer.place] = (answer, row)

    def raise_any(self) -> None:
        """Raises one BenchError with all problems, including answers given twice, if any."""
        for (row, first, rater), count in self._doubles.items():
            where = "this row" if first == row else f"row {first}"
            self.problems.add(
                row,
                "",
                f"the rater {rater[:40]!r} already answered {count} of these questions in {where}. "
                "Delete one of the rows, or write `twice: first` or `twice: last` in the mapping",
            )
        self.problems.raise_any()

    def notes(self) -> tuple[str, ...]:
        """Notes for the organiser on what was read and what was left out."""
        raters = len({answer.rater for answer in self.answers})
        notes = [f"{len(self.answers)} answers of {raters} raters"]
        personal = [name for name in self.left_out if KNOWN_COLUMNS.get(name) == "personal"]
        others = [name for name in self.left_out if name not in personal]
        if personal:
            notes.append(f"left out as personal: {', '.join(personal)}")
        if others:
            notes.append(f"left out: {', '.join(others)}")
        for value, count in self.unanswered.items():
            cells = f"cells with {value!r}" if value else "empty cells"
            notes.append(f"counted as unanswered: {count} {cells}")
        guessed = sorted({one.case for one in self.answers if one.method == UNKNOWN_METHOD})
        if guessed:
            notes.append(
                f"the mapping does not name the method (it is {UNKNOWN_METHOD!r}) of "
                f"{', '.join(guessed[:5])}{', ...' if len(guessed) > 5 else ''}. Write it into the "
                "mapping"
            )
        if self._replaced:
            kept = self.mapping.twice
            notes.append(f"{self._replaced} answers were given twice; the {kept} one counts")
        return tuple(f"{self.table.path}: {note}" for note in notes)
