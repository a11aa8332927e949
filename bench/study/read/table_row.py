"""Reads the cells of one row of a table: rating, rater, time, remark."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bench.study.answers import HIGHEST, LOWEST, TEXT_CHARACTERS, Answer, rating_problem
from bench.study.read.answer_collector import AnswerCollector
from bench.study.read.rating_target import Target
from bench.study.read.survey_time import is_day_or_month, survey_time

_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")


@dataclass(frozen=True)
class TableRow:
    """One row of a table. number: as a spreadsheet counts; cells: by column.

    What is wrong with a cell goes to the problems of `collector`.
    """

    collector: AnswerCollector
    number: int
    cells: Mapping[str, str]

    def bad(self, column: str, problem: str) -> None:
        """Notes what is wrong with a cell; of the whole row where the column is empty."""
        self.collector.problems.add(self.number, column, problem)

    def parts(self, column: str) -> dict[str, str] | None:
        """What the mapping's `cells` find in this cell, by what it is; None where they do not fit.

        Nothing in an empty cell, and where the mapping has no pattern for the column.
        """
        pattern = self.collector.mapping.cells.get(column)
        if pattern is None or not self.cells[column]:
            return {}
        match = re.fullmatch(pattern, self.cells[column])
        if match is None:
            problem = f"does not fit the pattern under `cells`, {pattern}"
            self.collector.problems.add_value(self.number, column, self.cells[column], problem)
            return None
        return {what: text for what, text in match.groupdict().items() if text}

    def rater(self, column: str | None, known: str | None = None) -> str:
        """Who answered; the row's number where no column says it, empty where the cell is.

        known: the rater, where that is a part of the cell.
        """
        if column is None:
            return known or f"row{self.number:03d}"
        rater = self.cells[column] if known is None else known
        if not rater:
            self.bad(column, "is empty. It names the rater")
        elif "@" in rater and not self.collector.mapping.anonymous:
            self.bad(
                column,
                "looks like an e-mail address; answers hold no personal data. Say `anonymous: "
                "true` in the mapping to number the raters",
            )
        elif len(rater) > TEXT_CHARACTERS:
            self.bad(column, f"has more than {TEXT_CHARACTERS} characters")
        return rater

    def at(self, column: str | None) -> str:
        """The time in ISO 8601; empty where none is given."""
        if column is None or not self.cells.get(column):
            return ""
        text = self.cells[column]
        if self.collector.mapping.at_format is not None:
            try:
                return datetime.strptime(text, self.collector.mapping.at_format).isoformat()
            except ValueError:
                self.bad(column, f"{text[:40]!r} is not written as at_format says")
                return ""
        order = self.collector.mapping.dates
        moment = survey_time(text, order)
        if moment is None and order is None and is_day_or_month(text):
            self.collector.bad_date = self.collector.bad_date or text[:40]
            self.bad(
                column,
                f"may have the day or the month first, such as {self.collector.bad_date!r}. Say "
                "which in the mapping: `dates: month first` or `dates: day first`",
            )
            return ""
        if moment is None:
            self.collector.bad_time = self.collector.bad_time or text[:40]
            hint = (
                "Say in the mapping how times are written (`at_format: '%d %B %Y %H:%M'`), or put "
                "it under `ignore`"
            )
            self.bad(column, f"has no plain date, such as {self.collector.bad_time!r}. {hint}")
            return ""
        return moment.isoformat()

    def comment(self, column: str | None) -> str:
        """The rater's remark, cut to the length that an answer may have."""
        return "" if column is None else self.cells.get(column, "")[:TEXT_CHARACTERS]

    def take(self, column: str, target: Target, *, rater: str, at: str, comment: str) -> None:
        """Keeps the rating in this column as an answer, or notes what is wrong with it."""
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
        plain = unicodedata.normalize("NFKC", text)  # digits of full width are digits
        if text and not rating_problem(plain):
            return int(float(plain))
        problem = f"is no whole number from {LOWEST} to {HIGHEST}"
        if not text:
            problem = "is empty. Where raters could leave it out, say `blank: unanswered` in the "
            problem += "mapping"
        elif not _NUMBER.fullmatch(text):
            problem += ". If it stands for one, say so under `ratings` in the mapping; if for no "
            problem += "answer, under `unanswered`"
        elif text.startswith("-"):
            problem += ". If it stands for no answer, say so under `unanswered` in the mapping"
        self.collector.problems.add_value(self.number, column, text, problem)
        return None


def table_row(collector: AnswerCollector, number: int, cells: Sequence[str]) -> TableRow:
    """The row with this number; cells that it lacks at its end are empty."""
    header = collector.table.header
    if any(cells[len(header) :]):
        collector.problems.add(number, "", f"has more cells than the header's {len(header)}")
    filled = [*cells, *[""] * (len(header) - len(cells))]
    return TableRow(collector, number, dict(zip(header, filled, strict=False)))
