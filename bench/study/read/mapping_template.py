"""Writes a mapping.yaml that explains every key: proposed values filled in, examples elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from bench.study.read.mapping import KNOWN_COLUMNS, ColumnKind
from bench.study.read.table_file import TableFormat, separator_yaml

_KINDS: Mapping[ColumnKind, str] = {
    "rater": "names the rater",
    "at": "when it was answered",
    "personal": "left out: it identifies the rater",
    "not needed": "left out",
}
_HEAD = """\
# How to read this table: `bench study import TABLE --mapping mapping.yaml -o answers.csv`.
# Proposed from the table's content: check it. The import lists every bad cell by row and column."""

# Each key, its meaning, and an example that is written if nothing is proposed.
_KEYS: Sequence[tuple[str, str, str]] = (
    (
        "table",
        (
            "wide: a row is a rater, a column is one question about one video. long: a row is one\n"
            "rating; use `fields` and `constants` instead of `columns` and `pattern`."
        ),
        "table: wide",
    ),
    ("sheet", "The sheet, if an xlsx has several.", 'sheet: "Form responses 1"'),
    ("encoding", "The encoding, if a csv is not utf-8.", "encoding: gb18030"),
    ("separator", "The separator, if a csv has no commas.", 'separator: ";"'),
    ("header_row", "The row of the header, if it is not the first.", "header_row: 3"),
    (
        "header",
        "The names of all columns from the left, if the table has no header.",
        "header: [system, utterance, rating, listener]",
    ),
    (
        "rater",
        "The column that names the rater. Without one, raters are named after their rows.",
        'rater: "Your code"',
    ),
    (
        "anonymous",
        "Numbers the raters (rater-01, rater-02, ...) instead of keeping their names.",
        "anonymous: true",
    ),
    ("at", "The column of the time of the answer.", 'at: "Timestamp"'),
    (
        "dates",
        "The order in dates like 3/5/2024: month first, or day first.",
        "dates: month first",
    ),
    ("at_format", "The format of other times.", 'at_format: "%d %B %Y %H:%M"'),
    ("comment", "The column of remarks.", 'comment: "Anything else?"'),
    (
        "ratings",
        "Cells that stand for a rating from 1 to 5 but are not that number.",
        'ratings: {"5 (Excellent)": 5, "4 (Good)": 4, "非常同步": 5}',
    ),
    ("unanswered", "Cells that stand for no answer.", 'unanswered: ["(跳过)", "-3"]'),
    (
        "blank",
        "Empty cells: refuse, or unanswered if raters did not see the video or could skip it.",
        "blank: refuse",
    ),
    (
        "twice",
        "Repeated answers by a rater: refuse, or keep the first or the last one (by row).",
        "twice: refuse",
    ),
    ("ignore", "Columns to leave out.", 'ignore: ["Your age"]'),
    (
        "names",
        (
            "Names in this table, and the study's names for them: videos, questions, methods,\n"
            "cases, data sets. A question needs no entry if its name is the one in study.yaml."
        ),
        'names: {"Video 1": "0a1b2c3d4e5f", "In sync?": sync_accuracy, "Method A": wav2lip}',
    ),
    (
        "pattern",
        (
            "For many similar columns: a regular expression with the groups question and item (or\n"
            "case and method, and optionally dataset and role)."
        ),
        'pattern: "Video (?P<item>[0-9a-f]+) \\\\[(?P<question>.+)\\\\]"',
    ),
    (
        "fields",
        "Long tables: the column of each field.",
        "fields: {rater: Name, case: Clip, method: System, question: Question, rating: Score}",
    ),
    (
        "constants",
        "Long tables: values that are the same in all rows.",
        "constants: {question: overall_impression}",
    ),
    (
        "cells",
        (
            "Cells that hold several values: a regular expression for the column, with the groups\n"
            "rater, item, dataset, case, method, question, role."
        ),
        'cells: {"Input.Q0": ".*/(?P<method>[^/]+)/(?P<case>[^/]+)[.]mp4"}',
    ),
    (
        "columns",
        (
            "Wide tables: for each column the question, and the video: item (its code in\n"
            "design.json or its file's name), or case and method (optionally dataset and role:\n"
            "truth for the hidden reference, low for the low anchor), or item_in (the column that\n"
            "names it)."
        ),
        'columns: {"Video 1": {item: 0a1b2c3d4e5f, question: sync_accuracy}}',
    ),
)


def template(
    values: Mapping[str, object],
    remarks: Mapping[tuple[str, str], str],
    table_format: TableFormat,
    *,
    names: Sequence[str],
) -> str:
    """The text of a mapping.yaml. values: proposed, by key. remarks: by key and entry.

    names: the table's columns; a comment lists those that are known and need no entry.
    """
    proposed = {**_reading_values(table_format), **values}
    lines = [_HEAD]
    known = [name for name in names if name in KNOWN_COLUMNS]
    if known:
        lines.append("# These columns are known and need no entry:")
        lines += [f"#   {name}: {_KINDS[KNOWN_COLUMNS[name]]}" for name in known]
    for key, meaning, example in _KEYS:
        lines.append("")
        lines += [f"# {line}" for line in meaning.split("\n")]
        if (key, "") in remarks:
            lines.append(f"# {key}: {remarks[key, '']}")
        lines += _entry(key, proposed[key], remarks) if key in proposed else [f"# {example}"]
    return "\n".join(lines) + "\n"


def _reading_values(table_format: TableFormat) -> dict[str, object]:
    """Sheet, encoding, separator and header, if they differ from the defaults."""
    usual = TableFormat()
    found: dict[str, object] = {}
    for key in ("sheet", "encoding", "separator", "header_row", "header"):
        value = getattr(table_format, key)
        if value != getattr(usual, key):
            found[key] = list(value) if isinstance(value, tuple) else value
    return found


def _entry(key: str, value: object, remarks: Mapping[tuple[str, str], str]) -> list[str]:
    """The lines of one key: one line for a scalar, one line per entry for lists and mappings."""
    if key == "separator":
        return [f"separator: {separator_yaml(value)}"]  # type: ignore[arg-type]
    if isinstance(value, Mapping) and value:
        return [f"{key}:"] + [
            f"  {_yaml(name)}: {_yaml(one)}{_remark(remarks, key, name)}"
            for name, one in value.items()
        ]
    if isinstance(value, list) and value:
        return [f"{key}:"] + [f"  - {_yaml(one)}{_remark(remarks, key, one)}" for one in value]
    return [f"{key}: {_yaml(value)}"]


def _remark(remarks: Mapping[tuple[str, str], str], key: str, name: str) -> str:
    return f"  # {remarks[key, name]}" if (key, name) in remarks else ""


def _yaml(value: object) -> str:
    """The value in yaml's flow style, which includes JSON; characters that yaml forbids escaped."""
    plain = json.dumps(value, ensure_ascii=False)
    return plain if plain.isprintable() else json.dumps(value)
