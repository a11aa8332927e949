"""What a record must be to be read: a line may be JSON, and still no record."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Callable, Mapping

_STATUS = {
    "generations.jsonl": ("ok", "failed"),
    "measurements.jsonl": ("ok", "undefined", "failed"),
}


def problem_of(file: str, record: object, line: bytes) -> str:
    """What is wrong with a record of that file, in words; empty where nothing is.

    line: the bytes that it was read from. Fields that a later version adds are left alone.
    """
    if not isinstance(record, dict):
        return f"it should be a mapping, and is {_kind(record)}"
    if b"\\ud" in line.lower() and has_half_character(record):
        return "it has half a character (\\ud800 to \\udfff)"
    if "schema" in record and type(record["schema"]) is not int:
        return f"schema: expected a number, found {record['schema']!r:.60}"
    if not isinstance(record.get("key"), str):
        return f"key: expected text, found {record.get('key')!r:.60}"
    status = record.get("status")
    if status not in _STATUS.get(file, ("ok", "undefined", "failed")):
        return f"status: expected one of {', '.join(_STATUS[file])}, found {status!r:.60}"
    fields = _GENERATION if file == "generations.jsonl" else _MEASUREMENT
    for name, (wanted, is_right) in fields.items():
        if name in record and not is_right(record[name]):
            return f"{name}: expected {wanted}, found {record[name]!r:.60}"
    if file == "generations.jsonl":
        for name in ("video", "sha256"):
            if name not in record:
                return f"{name}: is missing"
    return ""


def _kind(value: object) -> str:
    return {type(None): "null", str: "a text", list: "a list", bool: "true or false"}.get(
        type(value), "a number"
    )


def has_half_character(value: object) -> bool:
    """Whether a text in it has a lone surrogate, which JSON may name and no file can hold."""
    if isinstance(value, str):
        return any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, Mapping):
        return any(has_half_character(one) for pair in value.items() for one in pair)
    return isinstance(value, list) and any(map(has_half_character, value))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_nothing(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _is_count(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value < 2**53)


def _is_box(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return len(value) == 4 and all(map(_is_number, value))
    return value is None


def _is_texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(map(_is_text, value))


def _is_path_inside(value: object) -> bool:
    """Whether it is a path that stays in the run folder."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not value.startswith("/") and not posixpath.normpath(value).startswith("..")


def _is_numbers_by_name(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_is_number, value.values()))


def _is_values(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    return all(
        all(map(_is_number, one)) if isinstance(one, list) else _is_number(one)
        for one in value.values()
    )


def _is_share(value: object) -> bool:
    return value is None or (_is_number(value) and 0 <= value <= 1)  # type: ignore[operator]


_Rules = Mapping[str, tuple[str, Callable[[object], bool]]]
_TEXT = ("text", _is_text)
_TEXT_OR_NOTHING = ("text or null", _is_text_or_nothing)
_BOTH: _Rules = {
    "reason": _TEXT_OR_NOTHING,
    "traceback": _TEXT_OR_NOTHING,
    "method_protocol": _TEXT,
    "reference_sha256": _TEXT_OR_NOTHING,
}
_GENERATION: _Rules = {
    **_BOTH,
    **dict.fromkeys(("method", "method_key", "case", "case_key", "kind", "sha256"), _TEXT),
    "dataset": _TEXT,
    "speaker": _TEXT,
    "video": ("a path inside the run folder", _is_path_inside),
    "frames": ("a whole number or null", _is_count),
    "mouth": ("four numbers or null", _is_box),
    "conformed": ("a list of texts", _is_texts),
    "seconds": ("numbers by name", _is_numbers_by_name),
}
_MEASUREMENT: _Rules = {
    **_BOTH,
    **dict.fromkeys(("metric", "metric_key", "protocol", "video_sha256"), _TEXT),
    "values": ("finite numbers, or lists of them, by name", _is_values),
    "seconds": ("a number", _is_number),
    "faces_missing": ("a share from 0 to 1, or null", _is_share),
}
