"""Parses one yaml file from a user, with limits on size, depth and aliases.

Every yaml file from outside is read here. Size, depth and aliases are measured on the stream of
events before any object is built, so that a small file cannot fill the memory. Dates stay text.
Each error is one sentence with file and line.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

import yaml

from bench.ground.errors import BenchError

MOST_BYTES = 1 << 20
MOST_NODES = 20_000  # with every alias written out; each CHARACTERS of text add a node
CHARACTERS = 100
MOST_DEPTH = 32
SHOWN = 70  # characters of a line shown in a message

# Surrogates, which no file can hold, and characters that control a terminal or end a path.
_UNUSABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_WORDS = {  # our words for PyYAML's messages; the first match counts
    r"mapping values are not allowed": "an unexpected `: `; a text with a colon in it needs "
    "quotes, and all keys of one level must begin in the same column",
    r"character '\\t'": "a tab; yaml is indented with blanks",
    r"character '(.)' that cannot start": r"a text cannot begin with `\1` unless it is in quotes",
    r"alphabetic or numeric character": "a text that begins with `*` or `&` needs quotes",
    r"undefined alias": "a text that begins with `*` needs quotes; without them it refers to an "
    "anchor, and there is none of that name",
    r"duplicate anchor": "the anchor is defined twice",
    r"unknown escape|escape sequence": "a backslash in double quotes begins an escape; single "
    "quotes leave it as it is",
    r"could not find expected ':'": "a line without `key: value`, or a quote that is not closed",
    r"unexpected end of stream|document separator": "a quote that is not closed",
    r"expected ',' or '([\]}])'": r"after this a `,` or the closing `\1` is missing",
    r"expected <block end>": "its indentation differs from the lines before, or there is a closing "
    "bracket or quote too many",
    r"sequence entries are not allowed": "an unexpected list item (`- `); each needs its own line",
    r"expected the node content": "a value is missing here",
    r"'<document start>'": "keys of one level must begin in one column, the top ones in the first",
    r"expected a single document": "a second document (`---`); expected one",
    r"constructor for the tag '([^']*)'": r"the tag `\1` is not read; only plain values are",
    r"unhashable key": "a key must be plain text",
}
_AT_THE_OPENING = re.compile("expected ',' or|expected ':'|unexpected end of stream")


def load_yaml(path: Path) -> tuple[dict[str, object], yaml.MappingNode]:
    """The mapping in a yaml file, and its node, which knows the lines.

    Raises BenchError with file and line if the file is too large, nested too deep or not valid
    yaml, if its aliases are circular or exceed MOST_NODES, or if a text has a character that no
    name or path can have.
    """
    text = _text(path)
    loader = _Loader(text)
    try:
        _measure(path, text)
        node = loader.get_single_node()
        if node is None:
            raise BenchError(f"{path}:1: is empty. Expected keys with values (`name: ...`).")
        raw = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        _refuse(path, text, error)
    finally:
        loader.dispose()
    if not isinstance(raw, dict) or not isinstance(node, yaml.MappingNode):
        what = "a list" if isinstance(raw, list) else "text" if isinstance(raw, str) else f"{raw}"
        hint = " Name a manifest in a config, under `data`." if path.suffix == ".csv" else ""
        raise BenchError(
            f"{path}:1: expected a mapping (keys with values, `name: ...`), found {what}.{hint}"
        )
    return raw, node


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader that leaves dates as text and knows the line of a bad value."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        """The value of a node; a number that Python cannot convert is an error with its line."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError, LookupError) as error:
            raise yaml.constructor.ConstructorError(
                None, None, "a number or value that cannot be read", node.start_mark
            ) from error


_TAG = "tag:yaml.org,2002:"
_PLAIN = {f"{_TAG}{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")}
_TIMESTAMP = f"{_TAG}timestamp"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# Without bytes and sets, which pydantic would accept as text and lists.
_Loader.yaml_constructors = {
    tag: make for tag, make in yaml.SafeLoader.yaml_constructors.items() if tag in {*_PLAIN, None}
}
_Loader.yaml_constructors[_TIMESTAMP] = yaml.SafeLoader.construct_yaml_str


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise BenchError(
                f"{path}: has {size:,} bytes. A yaml file may have at most {MOST_BYTES:,}."
            )
        data = path.read_bytes()
    except OSError as error:
        raise BenchError(
            f"{path}: cannot be read: {error.strerror}. Expected a yaml file."
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BenchError(
            f"{path}:{line}: byte {data[error.start]:#04x} is not UTF-8. Save the file as UTF-8."
        ) from error
    if unusable := _UNUSABLE.search(text):
        _refuse_character(path, text.count("\n", 0, unusable.start()) + 1, unusable.group())
    return text


def _measure(path: Path, text: str) -> None:
    """Raises BenchError if there are too many nodes, with aliases written out, or too deep ones."""
    sizes: dict[str, int | None] = {}  # by anchor; None while its node is open
    open_nodes: list[tuple[str | None, int]] = []  # anchor, and the number of nodes before it
    total = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            total += 1
            if event.anchor is not None:
                sizes[event.anchor] = None
            if len(open_nodes) > MOST_DEPTH:
                raise BenchError(
                    f"{path}:{line}: nested more than {MOST_DEPTH} deep; no key here needs that."
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.ScalarEvent):
            if unusable := _UNUSABLE.search(event.value):
                _refuse_character(path, line, unusable.group())
            size = 1 + len(event.value) // CHARACTERS
            total += size
            if event.anchor is not None:
                sizes[event.anchor] = size
        elif isinstance(event, yaml.AliasEvent):
            size_named = sizes.get(str(event.anchor), 0)  # the composer reports unknown anchors
            if size_named is None:
                raise BenchError(
                    f"{path}:{line}: `*{event.anchor}` is inside the value that it refers to and "
                    "would never end. Write the value out."
                )
            total += size_named
        if total > MOST_NODES:
            raise BenchError(
                f"{path}:{line}: more than {MOST_NODES:,} values up to here, with aliases "
                "(`*name`) written out. A config may have at most that many."
            )


def _refuse_character(path: Path, line: int, character: str) -> NoReturn:
    raise BenchError(
        f"{path}:{line}: the character U+{ord(character):04X}, which no name, path or text may "
        "have. Remove it."
    )


def _refuse(path: Path, text: str, error: yaml.MarkedYAMLError) -> NoReturn:
    """Raises a BenchError for a syntax error, in our words and with its line."""
    problem = ": ".join(filter(None, [error.context, error.problem]))
    mark = error.problem_mark
    if error.context_mark is not None and _AT_THE_OPENING.search(problem):
        mark = error.context_mark
    words = problem
    for pattern, ours in _WORDS.items():
        if found := re.search(pattern, problem):
            words = found.expand(ours)
            break
    number = mark.line if mark is not None else 0
    lines = text.splitlines() or [""]
    line = lines[min(number, len(lines) - 1)].strip()
    shown = line if len(line) <= SHOWN else line[: SHOWN - 3] + "..."
    raise BenchError(f"{path}:{number + 1}: not valid yaml: {words}. The line: {shown}") from error
