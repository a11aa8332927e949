"""Every csv that is written here: as text, with nothing in it that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

# What a spreadsheet takes for a formula, or for one behind a blank; and what was defused before, so
# that taking the apostrophe away again always gives the text as it was.
_FORMULA = re.compile(r"'*\s*[=+\-@\t\r\n＝＋－＠]")
_DEFUSED = re.compile(r"'+\s*[=+\-@\t\r\n＝＋－＠]")


class OwnText(str):
    """A text made here from numbers and words of our own, which may begin with a sign."""

    __slots__ = ()


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """The rows as csv; None is an empty cell, numbers stand in full precision, texts are defused.

    A text that a spreadsheet would run as a formula gets a leading apostrophe; see `plain_text`.
    """
    return "".join(f"{_line(row)}\n" for row in rows)


def _line(row: Iterable[object]) -> str:
    """One row, without its end. Python quotes only such line ends as the writer itself writes."""
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
    """The text of a cell as it was before `csv_text` defused it."""
    return cell[1:] if _DEFUSED.match(cell) else cell
