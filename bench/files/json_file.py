"""JSON files, written whole or not at all."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

from bench.files.one_move import in_one_move


def write_json(path: Path, value: object) -> None:
    """Writes a JSON file at once or not at all, and leaves one alone that holds this already.

    Dataclasses are written as their fields. An item of a list that is a key's value has one line.
    """
    text = _text(value) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    with in_one_move(path) as part:
        part.write_text(text, encoding="utf-8")


def json_line(value: object) -> str:
    """The value in one line of JSON, keys in order."""
    return _LINE.encode(value)


def _text(value: object) -> str:
    if dataclasses.is_dataclass(value):
        value = _fields(value)
    if not isinstance(value, dict):
        return _listed(value, "")
    keys = (f" {json_line(key)}: {_listed(value[key], ' ')}" for key in sorted(value))
    return "{\n" + ",\n".join(keys) + "\n}"


def _listed(value: object, margin: str) -> str:
    """A list with an item a line; anything else with all that is in it on lines of its own."""
    if isinstance(value, list | tuple) and value:
        # With lines and margins within items, json would take its slow way, ten times as long.
        items = f",\n{margin} ".join(map(json_line, value))
        return f"[\n{margin} {items}\n{margin}]"
    return _INDENTED.encode(value).replace("\n", f"\n{margin}")


def _fields(value: Any) -> dict[str, object]:
    return {name: getattr(value, name) for name in _names(value.__class__)}


@functools.cache
def _names(kind: type) -> tuple[str, ...]:
    """The names of a dataclass's fields."""
    return tuple(field.name for field in dataclasses.fields(kind))


_LINE = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=_fields)
_INDENTED = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=_fields, indent=1)
