"""Reads the yaml files that people write, checked whole: all errors at once, each with its line.

An error reads `file:line: yaml.path: what is wrong. What would be right.` Nothing is guessed,
inherited or executed. The configs of benchmarks and trainings, questionnaires and mappings each
have their schema where they are used; this is what they share.
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
from bench.errors import BenchError

LABEL = r"^[A-Za-z0-9][A-Za-z0-9_.+\- ]{0,63}$"  # labels become folder names
LABEL_WORDS = (
    "letters, digits, blanks and `_ . + -`, a letter or digit first, at most 64 characters"
)
_YAML_WORDS = {  # by pydantic's kind of error
    "tuple_type": "a list (`[one, two]`)",
    "model_type": "keys with values (`name: ...`)",
    "dict_type": "keys with values (`key: ...`)",
    "string_type": "text (a number in quotes)",
    "too_short": "at least one entry (`- ...`)",
    "invalid_key": "text as key (a number in quotes)",
}
Label = Annotated[str, pydantic.Field(pattern=LABEL)]
_MOST_TOLD = 50  # problems of a file; the rest is counted
_SHOWN = reprlib.Repr()  # of a value that is wrong: a list may hold thousands
_SHOWN.maxstring = _SHOWN.maxother = 120
_M = TypeVar("_M", bound=pydantic.BaseModel)
_VARIABLE = re.compile(r"^\$(\w+|\{\w+\})")


class Section(pydantic.BaseModel):
    """Keys of a yaml file that belong together; unknown ones are errors."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


def read_yaml(path: Path) -> tuple[dict[str, object], dict[str, int], list[tuple[str, str]]]:
    """A yaml file as a mapping, the line of every yaml path, and the problems met on the way.

    Raises BenchError, with file and line, for what is no yaml or no mapping.
    """
    raw, node = load_yaml(path)
    lines: dict[str, int] = {}
    problems: list[tuple[str, str]] = []
    _walk(node, "", lines, problems)
    return raw, lines, problems


def raise_problems(
    path: Path, problems: Iterable[tuple[str, str]], lines: Mapping[str, int]
) -> None:
    """Raises one BenchError with all problems, each with file, line and yaml path, by line."""
    listed = sorted(dict.fromkeys(problems), key=lambda problem: _line(problem[0], lines))
    if not listed:
        return
    told = listed[:_MOST_TOLD]
    texts = [f"{path}:{_line(where, lines)}: {where}: {what}" for where, what in told]
    if len(listed) > len(told):
        texts.append(f"and {len(listed) - len(told)} more")
    count = "1 problem" if len(listed) == 1 else f"{len(listed)} problems"
    raise BenchError("\n".join([f"{count} in {path}", *texts]))


def validated(
    model: type[_M], raw: object, where: str, problems: list[tuple[str, str]]
) -> _M | None:
    """`raw` as that model, or None with one problem for each thing wrong in it."""
    try:
        return model.model_validate(raw)
    except pydantic.ValidationError as error:
        problems.extend(
            (_join(where, detail["loc"]), _explain(model, detail)) for detail in error.errors()
        )
    return None


def expand(text: str, folder: Path) -> Path | None:
    """A path of a config: a leading `$NAME` from the environment, relative to the config's folder.

    None if the variable is not set.
    """
    match = _VARIABLE.match(text)
    if match is None:
        return folder / Path(text).expanduser()
    value = os.environ.get(match.group(1).strip("{}"))
    return None if not value else Path(value).expanduser() / text[match.end() :].lstrip("/")


def anchored(model: _M, folder: Path) -> _M:
    """The same values with relative paths, those of models within too, taken from `folder`."""
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
    """What would be right, in yaml's words where pydantic's are Python's."""
    kind, context = str(detail["type"]), detail.get("ctx")
    if kind == "string_pattern_mismatch" and context == {"pattern": LABEL}:
        return f"expected {LABEL_WORDS}"
    if kind in _YAML_WORDS:
        return f"expected {_YAML_WORDS[kind]}"
    message = str(detail["msg"])
    wanted = message.removeprefix("Input should be ")
    if wanted == message:
        return message
    is_bound = wanted.startswith(("greater", "less"))
    return f"expected {'a number ' if is_bound else ''}{wanted}"


def _keys_at(model: type[pydantic.BaseModel], location: tuple[object, ...]) -> list[str]:
    """The keys that the model has at a location, as far as it can be followed."""
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
    """Notes the line of every yaml path and every key that is given twice."""
    lines.setdefault(where, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = _join(where, (str(key.value),))
            if inner in lines:
                problems.append((inner, f"this key stands already in line {lines[inner]}."))
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
