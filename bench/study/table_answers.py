"""What was taken from one table so far: its answers, its problems, what was left out."""

from __future__ import annotations

from bench.study.answers import Answer, Problems
from bench.study.mapping import KNOWN_COLUMNS, ColumnMapping
from bench.study.tables import Table


class TableAnswers:
    """The answers of a table that is being read as a mapping says.

    problems: of its cells. left_out: the names of columns that hold no answers. unanswered: how
    many cells were empty and might be. bad_time: the first unreadable time, the example in the
    problem of all of them, so that they share one line.
    """

    def __init__(self, table: Table, mapping: ColumnMapping) -> None:
        self.table = table
        self.mapping = mapping
        self.problems = Problems(table.path)
        self.left_out: list[str] = []
        self.unanswered = 0
        self.bad_time = ""
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
        if self.unanswered:
            notes.append(f"{self.unanswered} empty cells taken as unanswered")
        if self._replaced:
            kept = self.mapping.twice
            notes.append(f"{self._replaced} answers were given twice; the {kept} one counts")
        return tuple(f"{self.table.path}: {note}" for note in notes)
