"""Validates the yaml files that people write; reports all errors at once, each with its line.

An error reads `file:line: yaml.path: what is wrong. What would be right.` Nothing is guessed,
inherited or executed. The schemas of benchmarks, trainings, questionnaires and mappings are defined
where they are used; this module holds what they share.
"""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import pydantic
import yaml

from bench.config.names import closest
from bench.config.shipped import joined
from bench.config.yaml_file import load_yaml
from bench.files.paths import DATA, data_dir
from bench.ground.errors import BenchError

LABEL = r"^[A-Za-z0-9][A-Za-z0-9_.+\- ]{0,63}$"  # labels become folder names
LABEL_WORDS = (
    "letters, digits, blanks and `_ . + -`, a letter or digit first, at most 64 characters"
)
_YAML_TERMS = {  # by pydantic's kind of error
    "tuple_type": "a list (`[one, two]`)",
    "model_type": "keys with values (`name: ...`)",
    "dict_type": "keys with values (`key: ...`)",
    "string_type": "text (a number in quotes)",
    "too_short": "at least one entry (`- ...`)",
    "invalid_key": "text as key (a number in quotes)",
}
Label = Annotated[str, pydantic.Field(pattern=LABEL)]
_MOST_SHOWN = 50  # problems of a file; the rest are only counted
_SHOWN = reprlib.Repr()  # shortens wrong values: a list may have thousands of entries
_SHOWN.maxstring = _SHOWN.maxother = 120
_M = TypeVar("_M", bound=pydantic.BaseModel)
_VARIABLE = re.compile(r"^\$(\w+|\{\w+\})")


class Section(pydantic.BaseModel):
    """A group of keys in a yaml file; unknown keys are errors."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


def read_yaml(path: Path) -> tuple[dict[str, object], dict[str, int], list[tuple[str, str]]]:
    """A yaml file as a mapping, the line of every yaml path, and the problems found so far.

    Raises BenchError, with file and line, if it is not valid yaml or not a mapping.
    """
    raw, node = load_yaml(path)
    lines: dict[str, int] = {}
    problems: list[tuple[str, str]] = []
    _walk(node, "", lines, problems)
    return raw, lines, problems


def raise_problems(
    path: Path, problems: Iterable[tuple[str, str]], lines: Mapping[str, int]
) -> None:
    """Raises one BenchError with all problems in the order of their lines, if there are any."""
    listed = sorted(dict.fromkeys(problems), key=lambda problem: _line(problem[0], lines))
    if not listed:
        return
    shown = listed[:_MOST_SHOWN]
    texts = [f"{path}:{_line(where, lines)}: {where}: {what}" for where, what in shown]
    if len(listed) > len(shown):
        texts.append(f"and {len(listed) - len(shown)} more")
    count = "1 problem" if len(listed) == 1 else f"{len(listed)} problems"
    raise BenchError("\n".join([f"{count} in {path}", *texts]))


def validated(
    model: type[_M],
    raw: object,
    where: str,
    problems: list[tuple[str, str]],
    *,
    context: Mapping[str, str] | None = None,
) -> _M | None:
    """`raw` as that model; if it is invalid, None, with each error added to `problems`.

    context: what the model's validators may ask for.
    """
    try:
        return model.model_validate(raw, context=context)
    except pydantic.ValidationError as error:
        problems.extend(
            (_join(where, detail["loc"]), _explain(model, detail)) for detail in error.errors()
        )
    return None


def expand(text: str, folder: Path) -> Path | None:
    """A config's path, with a leading `$NAME` replaced from the environment, else from `folder`.

    None if the variable is not set; `$BENCH_DATA` always has a value, as `bench data pull` has it.
    """
    match = _VARIABLE.match(text)
    if match is None:
        return folder / Path(text).expanduser()
    name = match.group(1).strip("{}")
    value = str(data_dir()) if name == DATA else os.environ.get(name)
    return None if not value else Path(value).expanduser() / text[match.end() :].lstrip("/")


def anchored(model: _M, folder: Path) -> _M:
    """The same model with all relative paths, also in nested models, joined to `folder`."""
    changed: dict[str, object] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Path):
            changed[name] = joined(folder, value.expanduser())
        elif isinstance(value, pydantic.BaseModel):
            changed[name] = anchored(value, folder)
    return model.model_copy(update=changed) if changed else model


def _explain(model: type[pydantic.BaseModel], detail: Mapping[str, object]) -> str:
    location = detail["loc"]
    assert isinstance(location, tuple)
    kind, value = detail["type"], detail.get("input")
    if kind == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        return f"unknown key. {closest(str(location[-1]), known)}"
    if kind == "missing":
        return "this key is missing."
    if kind == "value_error":
        return str(detail["msg"]).removeprefix("Value error, ") + "."
    return f"{_expected(detail)}, found {_SHOWN.repr(value)}."


def _expected(detail: Mapping[str, object]) -> str:
    """What was expected, in yaml's terms where pydantic uses Python's."""
    kind, context = str(detail["type"]), detail.get("ctx")
    if kind == "string_pattern_mismatch" and context == {"pattern": LABEL}:
        return f"expected {LABEL_WORDS}"
    if kind in _YAML_TERMS:
        return f"expected {_YAML_TERMS[kind]}"
    message = str(detail["msg"])
    wanted = message.removeprefix("Input should be ")
    if wanted == message:
        return message
    is_bound = wanted.startswith(("greater", "less"))
    return f"expected {'a number ' if is_bound else ''}{wanted}"


def _keys_at(model: type[pydantic.BaseModel], location: tuple[object, ...]) -> list[str]:
    """The model's keys at a location; [] if the location leads into no model."""
    for step in location:
        if isinstance(step, int) or step not in model.model_fields:
            continue
        inner = _model_in(model.model_fields[str(step)].annotation)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _model_in(annotation: object) -> type[pydantic.BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in inner if model is not None), None)


def _walk(
    node: yaml.Node, where: str, lines: dict[str, int], problems: list[tuple[str, str]]
) -> None:
    """Collects the line of every yaml path, and a problem for every repeated key."""
    lines.setdefault(where, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = _join(where, (str(key.value),))
            if inner in lines:
                problems.append((inner, f"this key is already in line {lines[inner]}."))
            lines.setdefault(inner, key.start_mark.line + 1)
            _walk(value, inner, lines, problems)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, f"{where}[{index}]", lines, problems)


def _join(where: str, steps: tuple[object, ...]) -> str:
    for step in steps:
        where += f"[{step}]" if isinstance(step, int) else f".{step}" if where else str(step)
    return where


def _line(where: str, lines: Mapping[str, int]) -> int:
    """The line of a yaml path, or of the nearest enclosing one."""
    while where and where not in lines:
        where = where[: max(where.rfind("."), where.rfind("["), 0)]
    return lines.get(where, 1)
