"""Reads the cells of one row of a table: ratings, rater, time, remark."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bench.study.answers import HIGHEST, LOWEST, TEXT_CHARACTERS, Answer, rating_problem
from bench.study.read.answer_collector import AnswerCollector
from bench.study.read.rating_target import Target
from bench.study.read.survey_time import is_ambiguous_date, survey_time

_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")


@dataclass(frozen=True)
class TableRow:
    """One row of a table. number: as a spreadsheet counts; cells: by column.

    Answers and problems go to `collector`.
    """

    collector: AnswerCollector
    number: int
    cells: Mapping[str, str]

    def bad(self, column: str, problem: str) -> None:
        """Adds a problem with a cell; with the whole row if `column` is empty."""
        self.collector.problems.add(self.number, column, problem)

    def parts(self, column: str) -> dict[str, str] | None:
        """The named groups that the mapping's pattern under `cells` finds in this cell.

        Empty if the cell is empty or the column has no pattern; None, with a problem added, if the
        pattern does not match.
        """
        pattern = self.collector.mapping.cells.get(column)
        if pattern is None or not self.cells[column]:
            return {}
        match = re.fullmatch(pattern, self.cells[column])
        if match is None:
            problem = f"does not match the pattern under `cells`, {pattern}"
            self.collector.problems.add_value(self.number, column, self.cells[column], problem)
            return None
        return {what: text for what, text in match.groupdict().items() if text}

    def rater(self, column: str | None, known: str | None = None) -> str:
        """The rater's name: the cell, or row007 if no column names the rater.

        known: the name if it is only a part of the cell.
        """
        if column is None:
            return known or f"row{self.number:03d}"
        rater = self.cells[column] if known is None else known
        if not rater:
            self.bad(column, "is empty. It names the rater")
        elif "@" in rater and not self.collector.mapping.anonymous:
            self.bad(
                column,
                "looks like an e-mail address; answers must not contain personal data. Write "
                "`anonymous: true` in the mapping to number the raters",
            )
        elif len(rater) > TEXT_CHARACTERS:
            self.bad(column, f"has more than {TEXT_CHARACTERS} characters")
        return rater

    def at(self, column: str | None) -> str:
        """The time in ISO 8601; empty if the cell is empty or cannot be read."""
        if column is None or not self.cells.get(column):
            return ""
        text = self.cells[column]
        if self.collector.mapping.at_format is not None:
            try:
                return datetime.strptime(text, self.collector.mapping.at_format).isoformat()
            except ValueError:
                self.bad(column, f"{text[:40]!r} does not match at_format")
                return ""
        order = self.collector.mapping.dates
        moment = survey_time(text, order)
        if moment is None and order is None and is_ambiguous_date(text):
            self.collector.bad_date = self.collector.bad_date or text[:40]
            self.bad(
                column,
                f"may have the day or the month first, such as {self.collector.bad_date!r}. Write "
                "in the mapping which: `dates: month first` or `dates: day first`",
            )
            return ""
        if moment is None:
            self.collector.bad_time = self.collector.bad_time or text[:40]
            hint = (
                "Write the format of times into the mapping (`at_format: '%d %B %Y %H:%M'`), or "
                "put the column under `ignore`"
            )
            self.bad(
                column, f"not a readable time, for example {self.collector.bad_time!r}. {hint}"
            )
            return ""
        return moment.isoformat()

    def comment(self, column: str | None) -> str:
        """The rater's remark, cut to TEXT_CHARACTERS."""
        return "" if column is None else self.cells.get(column, "")[:TEXT_CHARACTERS]

    def take(self, column: str, target: Target, *, rater: str, at: str, comment: str) -> None:
        """Keeps the rating in this column as an answer, or adds a problem."""
        rating = self._rating(column)
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
        self.collector.keep(answer, self.number)

    def _rating(self, column: str) -> int | None:
        mapping, text = self.collector.mapping, self.cells[column]
        if text in mapping.ratings:
            return mapping.ratings[text]
        if text in mapping.unanswered or (not text and mapping.blank == "unanswered"):
            self.collector.unanswered[text] = self.collector.unanswered.get(text, 0) + 1
            return None
        plain = unicodedata.normalize("NFKC", text)  # full-width digits count as digits
        if text and not rating_problem(plain):
            return int(float(plain))
        problem = f"is not a whole number from {LOWEST} to {HIGHEST}"
        if not text:
            problem = "is empty. If raters could skip the question, write `blank: unanswered` in "
            problem += "the mapping"
        elif not _NUMBER.fullmatch(text):
            problem += ". If it means one, add it to `ratings` in the mapping; if for no "
            problem += "answer, to `unanswered`"
        elif text.startswith("-"):
            problem += ". If it stands for no answer, add it to `unanswered` in the mapping"
        self.collector.problems.add_value(self.number, column, text, problem)
        return None


def table_row(collector: AnswerCollector, number: int, cells: Sequence[str]) -> TableRow:
    """The row with this number; missing cells at its end are empty."""
    header = collector.table.header
    if any(cells[len(header) :]):
        collector.problems.add(number, "", f"has more than the header's {len(header)} cells")
    filled = [*cells, *[""] * (len(header) - len(cells))]
    return TableRow(collector, number, dict(zip(header, filled, strict=False)))
