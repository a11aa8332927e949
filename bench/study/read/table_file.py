"""Reads a table from a csv, tsv or xlsx file, as rows of text."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from bench.ground.errors import BenchError
from bench.study.read.survey_time import survey_time

if TYPE_CHECKING:
    import openpyxl

WORKBOOKS = (".xlsx", ".xlsm")
_ENCODINGS = ("utf-8-sig", "gb18030")  # tried in this order for a mapping's template
_MARKS_16 = (b"\xff\xfe", b"\xfe\xff")  # the first bytes of utf-16
_NO_TEXT = {  # the first bytes of other files that survey sites and spreadsheets write
    b"\xd0\xcf\x11\xe0": "an Excel workbook of the old kind (.xls)",
    b"PK\x03\x04": "a packed file, such as a workbook (.xlsx, .ods) or a zip",
    b"$FL": "an SPSS file",
    b"<": "a web page or XML, whatever its name ends in",
}
Separator: TypeAlias = Literal[",", ";", "tab"]
_SEPARATORS: dict[Separator, str] = {",": ",", ";": ";", "tab": "\t"}


_NUMBER = re.compile(r"-?\d+([.,]\d+)?")
_MEDIA = re.compile(r".*\.(wav|flac|mp3|mp4|avi|mov|mkv|webm)", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """A table's header and its rows; cells are stripped of surrounding blanks.

    header: unique names: a second column of the same name is `name #2`, one without a name `(C)`.
    rows: (number, cells); numbers are those that a spreadsheet shows, so after a header in the
    first line the first answer is row 2. Blank rows are left out.
    """

    path: Path
    header_row: int
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


@dataclass(frozen=True)
class TableFormat:
    """How to read a table's file, in the terms of a mapping.

    header: names of the columns if the table has none. sheets: all sheets of a workbook, in order.
    """

    header_row: int = 1
    header: tuple[str, ...] | None = None
    sheet: str | None = None
    encoding: str = "utf-8"
    separator: Separator | None = None
    sheets: tuple[str, ...] = ()


def guess_format(path: Path) -> TableFormat:
    """Guesses how to read this table, for a proposed mapping that a person checks.

    It takes the first encoding that fits, the first sheet, and another separator if the first row
    has no comma. The header is the first row with at least two cells (else the first row), unless
    that row seems to be an answer. Raises BenchError if the file cannot be read.
    """
    sheets: tuple[str, ...] = ()
    sheet, encoding, separator = None, "utf-8", None
    if _is_workbook(path):
        sheets = _sheets(path)
        sheet = sheets[0] if len(sheets) > 1 else None
        found = list(_workbook(path, sheet))
    else:
        encoding = _likely_encoding(path)
        found = list(_text_rows(path, encoding, None))
        separator = _other_separator(next((row for _, row in found if any(row)), []))
        found = list(_text_rows(path, encoding, separator))
    filled = [(number, row) for number, row in found if any(cell.strip() for cell in row)]
    wide = [one for one in filled if sum(bool(cell.strip()) for cell in one[1]) > 1]
    first, header = (wide or filled or [(1, [])])[0]
    below = [row for number, row in filled if number > first]
    names = header_for(header, below) if is_no_header(header, below) else None
    return TableFormat(first, names, sheet, encoding, separator, sheets)


def is_no_header(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a table seems to have no header, because its first row holds values.

    A cell is a value if it and all cells below it are numbers, times or media files. Numbers do not
    count if the first row counts up (1, 2, 3: names of videos).
    """
    numbers = [int(cell) for cell in map(str.strip, first) if cell.isdecimal()]
    counts = len(numbers) > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for place, cell in enumerate(first):
        kind = _kind(cell)
        under = {_kind(row[place]) for row in below if place < len(row) and row[place].strip()}
        if kind and under == {kind} and not (kind == "number" and counts):
            return True
    return False


def header_for(first: Sequence[str], below: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Names for the columns of a table without a header."""
    voice_mos = ("system", "utterance", "rating", "set", "listener")
    info = [row[-1] for row in (first, *below) if row]
    if len(first) == len(voice_mos) and all(re.fullmatch(r"\{\}(_[^_]*){6}", one) for one in info):
        return voice_mos  # TRAINSET, DEVSET, TESTSET of the VoiceMOS challenge (its README)
    return tuple(f"({letters(place)})" for place in range(len(first)))


def letters(place: int) -> str:
    """A column's name in a spreadsheet, counted from 0: A, B, ..., Z, AA."""
    named = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        named = chr(ord("A") + rest) + named
    return named


def _kind(cell: str) -> str:
    """The kind of a cell: "number", "time" or "file" (of media); empty for other texts."""
    text = unicodedata.normalize("NFKC", cell).strip()
    if _NUMBER.fullmatch(text):
        return "number"
    if survey_time(text, "month first") is not None:
        return "time"
    return "file" if _MEDIA.fullmatch(text) else ""


def _other_separator(header: Sequence[str]) -> Separator | None:
    """The likely separator if a header was read as a single cell."""
    cells = [cell for cell in header if cell.strip()]
    others: tuple[Separator, ...] = ("tab", ";")
    if len(cells) != 1:
        return None
    return next((name for name in others if _SEPARATORS[name] in cells[0].strip()), None)


def _likely_encoding(path: Path) -> str:
    data = _text_bytes(path)
    if data.startswith(_MARKS_16):
        return "utf-16"
    for encoding in _ENCODINGS:
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding.removesuffix("-sig")
    return "utf-8"  # reading then fails with an error that says what to do


def read_guessed(path: Path) -> tuple[TableFormat, Table]:
    """A table as `guess_format` takes it to be. Raises BenchError if it cannot be read."""
    form = guess_format(path)
    table = read_table(
        path,
        header_row=form.header_row,
        header=form.header,
        sheet=form.sheet,
        encoding=form.encoding,
        separator=form.separator,
    )
    return form, table


def read_table(
    path: Path,
    *,
    header_row: int = 1,
    header: Sequence[str] | None = None,
    sheet: str | None = None,
    encoding: str = "utf-8",
    separator: Separator | None = None,
) -> Table:
    """Reads a csv, tsv or xlsx file; raises BenchError if it cannot be read.

    header: names of the columns if the table has none; `header_row` is then its first answer.
    separator: between cells of a text file; None means tabs for .tsv and .tab, else commas.
    """
    is_text = not _is_workbook(path)
    found = _text_rows(path, encoding, separator) if is_text else _workbook(path, sheet)
    rows = [(number, tuple(cell.strip() for cell in row)) for number, row in found]
    filled = [(number, row) for number, row in rows if any(row) and number >= header_row]
    if not filled or filled[0][0] != header_row:
        raise BenchError(
            f"{path}: row {header_row} is empty; it should name the columns. Set `header_row` in "
            "the mapping to the row that does."
        )
    first = filled[0][1]
    other = _other_separator(first) if is_text and separator is None else None
    if other is not None:
        raise BenchError(
            f"{path}: row {header_row} is one cell, {first[0][:40]!r}. Name the separator in the "
            f"mapping: `separator: {separator_yaml(other)}`."
        )
    if header is not None:
        return Table(path, header_row, tuple(header), tuple(filled))
    return Table(path, header_row, _named(first, filled[1:]), tuple(filled[1:]))


def _named(header: Sequence[str], rows: Iterable[tuple[int, Sequence[str]]]) -> tuple[str, ...]:
    """The columns' names, made unique; empty for a column with neither a name nor cells."""
    rows = list(rows)
    while header and not header[-1]:
        header = header[:-1]
    names: list[str] = []
    for place, name in enumerate(header):
        if not name:
            has_cells = any(place < len(row) and row[place] for _, row in rows)
            names.append(f"({letters(place)})" if has_cells else "")
            continue
        own, number = name, 1
        while own in names or (number > 1 and own in header):
            number += 1
            own = f"{name} #{number}"
        names.append(own)
    return tuple(names)


def _is_workbook(path: Path) -> bool:
    return path.suffix.lower() in WORKBOOKS


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise BenchError(f"{path}: cannot be read: {reason}.") from error


def separator_yaml(separator: Separator) -> str:
    """A separator as written in a mapping's yaml."""
    return separator if separator == "tab" else f'"{separator}"'


def _text_bytes(path: Path) -> bytes:
    """The bytes of a text file; raises BenchError if it is plainly another kind of file."""
    data = _bytes(path)
    for beginning, what in _NO_TEXT.items():
        if data.lstrip().startswith(beginning):
            raise BenchError(
                f"{path}: is {what}, not a csv. Open it in a spreadsheet program and save it as "
                ".xlsx or csv."
            )
    return data


def _text_rows(
    path: Path, encoding: str, separator: Separator | None
) -> Iterable[tuple[int, list[str]]]:
    try:
        text = _text_bytes(path).decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except LookupError as error:
        raise BenchError(
            f"mapping: encoding: {encoding!r} is unknown. Usual ones are utf-8, gb18030, utf-16."
        ) from error
    except UnicodeDecodeError as error:
        raise BenchError(
            f"{path}: is not {encoding}. Save it as utf-8, or name its encoding in the mapping "
            "(`encoding: gb18030` for most csv files made in China, utf-16 for some of Excel's)."
        ) from error
    usual: Separator = "tab" if path.suffix.lower() in (".tsv", ".tab") else ","
    between = _SEPARATORS[separator or usual]
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=between))
    except csv.Error as error:
        raise BenchError(f"{path}: is not a csv: {error}.") from error
    return enumerate(rows, start=1)


def _workbook(path: Path, sheet: str | None) -> Iterable[tuple[int, list[str]]]:
    book = _opened(path)
    try:
        names = book.sheetnames
        if sheet is None and len(names) > 1:
            raise BenchError(
                f"{path}: has the sheets {', '.join(names)}. Name the one with the answers in the "
                "mapping, under `sheet`."
            )
        if sheet is not None and sheet not in names:
            raise BenchError(
                f"{path}: has no sheet {sheet!r}, but {', '.join(names)}. Correct `sheet` in the "
                "mapping."
            )
        page = book[sheet or names[0]]
        rows = [[_text(cell) for cell in row] for row in page.iter_rows(values_only=True)]
    finally:
        book.close()
    return enumerate(rows, start=1)


def _sheets(path: Path) -> tuple[str, ...]:
    book = _opened(path)
    try:
        return tuple(book.sheetnames)
    finally:
        book.close()


def _opened(path: Path) -> openpyxl.Workbook:
    try:
        import openpyxl
    except ImportError as error:
        raise BenchError(
            f"{path}: xlsx needs the package openpyxl: pip install 'talking-face-bench[study]', or "
            "save the sheet as csv."
        ) from error
    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=True)
    except OSError as error:
        raise BenchError(f"{path}: cannot be read: {error}.") from error
    except Exception as error:  # openpyxl raises whatever its zip and xml readers raise
        raise BenchError(
            f"{path}: is not an xlsx file: {error}. Save it again, or as csv."
        ) from error


def _text(value: object) -> str:
    """A cell as a spreadsheet shows it: whole numbers without a point, times in ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep="T", timespec="seconds")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
