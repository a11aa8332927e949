"""Writes every csv of the harness, with no cell that a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

# Texts that a spreadsheet takes for a formula, also behind a blank or an apostrophe. A text with
# apostrophes gets one more, so that removing one always restores the text.
_FORMULA = re.compile(r"'*\s*[=+\-@\t\r\n＝＋－＠]")
_DEFUSED = re.compile(r"'+\s*[=+\-@\t\r\n＝＋－＠]")


class OwnText(str):
    """A text that we composed from numbers and words; it may begin with a sign."""

    __slots__ = ()


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """The rows as csv; None is an empty cell, and numbers have full precision.

    A text that a spreadsheet would run as a formula gets a leading apostrophe; `plain_text` removes
    it.
    """
    return "".join(f"{_line(row)}\n" for row in rows)


def _line(row: Iterable[object]) -> str:
    """One row, without its line end. With "\\r\\n" the writer quotes both kinds of line end."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([cell_text(cell) for cell in row])
    return text.getvalue().removesuffix("\r\n")


def cell_text(value: object) -> str:
    """A value as the text of a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    is_foreign = isinstance(value, str) and not isinstance(value, OwnText)
    return f"'{text}" if is_foreign and _FORMULA.match(text) else text


def plain_text(cell: str) -> str:
    """The text of a cell before `csv_text` put an apostrophe in front."""
    return cell[1:] if _DEFUSED.match(cell) else cell
