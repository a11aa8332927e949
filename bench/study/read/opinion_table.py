"""Reads mean opinion scores that were collected elsewhere: a table with one row for each video."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench.ground.errors import BenchError
from bench.study.read.table_file import read_guessed

COLUMNS: Mapping[str, tuple[str, ...]] = {  # names that public tables use, without regard to case
    "file": ("file", "video", "filename", "file_name", "video_name", "name", "path", "clip"),
    "method": ("method", "model", "system", "generator"),
    "mos": ("mos", "score", "mean", "dmos", "mean_opinion_score"),
    "spread": ("spread", "std", "sd", "sos", "stdev", "mos_std", "std_mos", "ci", "ci95"),
}
REQUIRED = ("file", "mos")
SHOWN = 20  # problems of a table; the rest is counted
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class OutsideOpinion:
    """One video's mean opinion score.

    row: in the table. dataset, method: "" where the table does not tell. case: the clip, which
    several methods' videos may share. spread: as the table has it, None where it has none.
    """

    row: int
    file: str
    dataset: str
    case: str
    method: str
    mos: float
    spread: float | None


def read_opinions(
    path: Path, *, columns: Mapping[str, str] | None = None, names: str | None = None
) -> list[OutsideOpinion]:
    """The opinions of a csv, tsv or xlsx table.

    columns: which column is `file`, `method`, `mos` or `spread`, where the table calls them
    otherwise than COLUMNS do. names: how file names are made, `{case}_{method}.mp4`; without it a
    file's name without ending is its case, and without a column `method` its folder is its method.
    Raises BenchError for columns that are not there, and with all cells that are wrong.
    """
    _, table = read_guessed(path)
    places = _places(path, table.header, columns or {})
    expression = None if names is None else _expression(names)
    found: list[OutsideOpinion] = []
    problems: list[str] = []
    for row, cells in table.rows:
        texts = {key: cells[at] if at < len(cells) else "" for key, at in places.items()}
        numbers = {key: _number(texts.get(key, "")) for key in ("mos", "spread")}
        if not texts["file"]:
            problems.append(f"{path}: row {row}: names no file")
        elif numbers["mos"] is None:
            problems.append(f"{path}: row {row}: {texts['mos']!r} is no number")
        elif texts.get("spread") and numbers["spread"] is None:
            problems.append(f"{path}: row {row}: {texts['spread']!r} is no number")
        else:
            parts = _parts(texts["file"], expression)
            if parts is None:
                problems.append(f"{path}: row {row}: {texts['file']} does not fit --names {names}")
                continue
            found.append(
                OutsideOpinion(
                    row,
                    texts["file"],
                    parts.get("dataset", ""),
                    parts["case"],
                    texts.get("method") or parts.get("method", ""),
                    numbers["mos"],
                    numbers["spread"],
                )
            )
    if problems:
        more = len(problems) - SHOWN
        raise BenchError(
            "\n".join([*problems[:SHOWN], *([f"and {more} more"] if more > 0 else [])])
        )
    if not found:
        raise BenchError(f"{path}: has no rows.")
    return found


def _places(path: Path, header: tuple[str, ...], named: Mapping[str, str]) -> dict[str, int]:
    """Where each of the columns is; raises BenchError for what is not there."""
    if strange := sorted(named.keys() - COLUMNS.keys()):
        known = ", ".join(COLUMNS)
        raise BenchError(f"--columns: {strange[0]} is none of {known}.")
    lower = [name.strip().lower() for name in header]
    places: dict[str, int] = {}
    for key, usual in COLUMNS.items():
        wanted = (named[key].lower(),) if key in named else usual
        at = next((lower.index(name) for name in wanted if name in lower), None)
        if at is not None:
            places[key] = at
        elif key in named or key in REQUIRED:
            there = ", ".join(header)
            raise BenchError(
                f"{path}: has no column {named.get(key, ' or '.join(usual[:3]))}; it has {there}. "
                f"Name it: --columns {key}=COLUMN."
            )
    return places


def _expression(names: str) -> re.Pattern[str]:
    """A pattern of file names as a regular expression; the first field takes what it can."""
    fields = _FIELD.findall(names)
    if "case" not in fields or len(set(fields)) != len(fields):
        raise BenchError(
            f"--names {names}: expected {{case}}, and each field once: {{case}}_{{method}}.mp4."
        )
    text = "".join(
        re.escape(part) if number % 2 == 0 else f"(?P<{part}>[^/]+)"
        for number, part in enumerate(_FIELD.split(names))
    )
    return re.compile(f"(?:.*/)?{text}")


def _parts(file: str, expression: re.Pattern[str] | None) -> dict[str, str] | None:
    path = PurePosixPath(file.replace("\\", "/"))
    if expression is not None:
        match = expression.fullmatch(str(path))
        return None if match is None else match.groupdict()
    known = {"case": path.stem if path.suffix else path.name}
    if path.parent.name:
        known["method"] = path.parent.name
    return known


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", ".")) if text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
