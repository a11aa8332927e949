"""The form of a run folder's files: their names, their version, the upgrades between versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from bench.ground.errors import BenchError

SCHEMA = 2
MANIFEST = "manifest.json"
GENERATIONS = "generations.jsonl"
MEASUREMENTS = "measurements.jsonl"
PREPARATIONS = "preparations.jsonl"

Raw: TypeAlias = dict[str, object]


def upgraded(file: str, raw: Raw, place: str) -> Raw:
    """The content of a file of that name in today's form; unchanged if it has that form already.

    Raises BenchError, with the place, if its version is newer or missing.
    """
    found = raw.get("schema")
    if type(found) is not int or found < 1:
        raise BenchError(
            f"{place}: schema: expected a whole number from 1 to {SCHEMA}, found {found!r:.60}. "
            "The file was not written by `bench run`, or was changed later."
        )
    if found > SCHEMA:
        raise BenchError(
            f"{place}: written by a newer version (schema {found}, this is {SCHEMA}). "
            "Upgrade talking-face-bench."
        )
    for step in _UPGRADES[found - 1 :]:
        raw = step(file, raw)
    return {**raw, "schema": SCHEMA}


def _1_to_2(file: str, raw: Raw) -> Raw:
    """Separates curves from values, and adds the fields that were optional in version 1."""
    if file == GENERATIONS:
        return {"method_protocol": "", **raw}
    if file != MEASUREMENTS:
        return raw
    both = raw.get("values")
    if not isinstance(both, Mapping):
        return raw
    curves = {name: value for name, value in both.items() if isinstance(value, list)}
    values = {name: value for name, value in both.items() if name not in curves}
    return {"method_protocol": "", "box": None, **raw, "values": values, "curves": curves}


_UPGRADES: tuple[Callable[[str, Raw], Raw], ...] = (_1_to_2,)
assert len(_UPGRADES) == SCHEMA - 1
