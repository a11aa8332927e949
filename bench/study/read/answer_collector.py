"""What was taken from one table so far: its answers, its problems, what was left out."""

from __future__ import annotations

from bench.study.answers import Answer, Problems
from bench.study.read.mapping import KNOWN_COLUMNS, UNKNOWN_METHOD, ColumnMapping
from bench.study.read.table_file import Table


class AnswerCollector:
    """The answers of a table that is being read as a mapping says.

    problems: of its cells. left_out: the names of columns that hold no answers. unanswered: by
    value, how many cells stand for no answer. bad_time, bad_date: the first unreadable time, and
    the first date of unclear order, the examples in the problems of all of them, so that they
    share a line.
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
        """The answers that count, in the order of their places' first rows."""
        return tuple(answer for answer, _ in self._answers.values())

    def add_to_header(self, column: str, problem: str) -> None:
        """Notes a problem of the header."""
        self.problems.add(self.table.header_row, column, problem)

    def keep(self, answer: Answer, row: int) -> None:
        """Keeps the answer of this row; a rater's second one to the same as `twice` says."""
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
        """Raises one BenchError with everything that is wrong, answers given twice at the end."""
        for (row, first, rater), count in self._doubles.items():
            where = "this row" if first == row else f"row {first}"
            self.problems.add(
                row,
                "",
                f"the rater {rater[:40]!r} answered {count} of these questions in {where} already. "
                "Take one of the rows away, or say `twice: first` or `twice: last` in the mapping",
            )
        self.problems.raise_any()

    def notes(self) -> tuple[str, ...]:
        """What an organiser should know of the reading."""
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
            notes.append(f"taken as unanswered: {count} {cells}")
        guessed = sorted({one.case for one in self.answers if one.method == UNKNOWN_METHOD})
        if guessed:
            notes.append(
                f"the method is {UNKNOWN_METHOD!r}, as the proposed mapping left it, of "
                f"{', '.join(guessed[:5])}{', ...' if len(guessed) > 5 else ''}. Write the method "
                "into the mapping"
            )
        if self._replaced:
            kept = self.mapping.twice
            notes.append(f"{self._replaced} answers were given twice; the {kept} one counts")
        return tuple(f"{self.table.path}: {note}" for note in notes)
