"""Reads a run folder's files: the one parser, equally strict for all readers.

A line that is valid JSON may still be no record. Fields that a later version adds are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import pydantic_core

from bench.ground.errors import BenchError
from bench.machine.faults import raise_machine_fault
from bench.records.manifest import Manifest
from bench.records.record import RECORDS, Record
from bench.records.schema import MANIFEST, SCHEMA, upgraded

_Line = TypeVar("_Line", bound=Record)
_Kind = TypeVar("_Kind")

_PARSERS: Mapping[object, pydantic.TypeAdapter[Any]] = {
    kind: pydantic.TypeAdapter(kind) for kind in (*RECORDS.values(), Manifest)
}

_WORDS = {
    "missing": "is missing",
    "string_type": "expected text",
    "float_type": "expected a number",
    "finite_number": "expected a finite number",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "dict_type": "expected a mapping",
    "mapping_type": "expected a mapping",
    "dataclass_type": "expected a mapping",
}


def read_records(folder: Path, kind: type[_Line]) -> Iterator[_Line]:
    """The records of that kind in a run folder, oldest first; a torn last line is skipped.

    Raises BenchError, with file and line, for any other damaged line and for a newer schema.
    """
    path = folder / kind.file
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return  # torn by a kill
            yield _parsed(kind, kind.file, line, f"{path}:{number}")


def parse_record(kind: type[_Line], line: bytes, place: str) -> _Line:
    """One record, from its line. Raises BenchError, with the place, if the line is no record."""
    return _parsed(kind, kind.file, line, place)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the run in `folder`; raises BenchError that names file and key."""
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise BenchError(
            f"{path}: no such file. Name a run folder, which holds {MANIFEST} "
            "(runs/NAME), or create one with `bench run CONFIG`."
        ) from None
    except OSError as error:
        raise_machine_fault(error)
        raise BenchError(f"{path}: cannot be read: {error}.") from error
    return _parsed(Manifest, MANIFEST, text, str(path))


def _parsed(kind: type[_Kind], file: str, text: bytes, place: str) -> _Kind:
    parsed: _Kind
    try:
        parsed = _PARSERS[kind].validate_json(text)
    except pydantic.ValidationError as error:
        parsed = _of_another_form(kind, file, text, place, error)
    return parsed


def _of_another_form(
    kind: type[_Kind], file: str, text: bytes, place: str, error: pydantic.ValidationError
) -> _Kind:
    """Parses a text that is not in today's form: upgrades an older form, or raises BenchError."""
    try:
        raw = pydantic_core.from_json(text)
    except ValueError:  # no JSON, as the error says
        raise _bad(file, place, error) from error
    if not isinstance(raw, dict) or raw.get("schema") == SCHEMA:
        raise _bad(file, place, error) from error
    newer = pydantic_core.to_json(upgraded(file, raw, place), inf_nan_mode="constants")
    return _parsed(kind, file, newer, place)


def _bad(file: str, place: str, error: pydantic.ValidationError) -> BenchError:
    detail = error.errors(include_url=False)[0]
    where = ".".join(map(str, detail["loc"]))
    message = detail["msg"].removeprefix("Value error, ")
    wanted = _WORDS.get(detail["type"], message.replace("Input should be", "expected"))
    hides = detail["type"] in ("missing", "json_invalid")
    found = "" if hides else f", found {detail['input']!r:.60}"
    problem = f"{where}: {wanted}{found}" if where else f"{wanted}{found}"
    if file == MANIFEST:
        return BenchError(f"{place}: {problem}. Run the config again.")
    return BenchError(
        f"{place}: this line is no record ({problem}). Something other than `bench run` changed "
        "the file; restore it, or move it away to start again."
    )
