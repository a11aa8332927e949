"""Writes mapping.yaml: every key explained, what is proposed filled in, the others as examples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from bench.study.read.mapping import KNOWN_COLUMNS, ColumnKind
from bench.study.read.table_file import TableFormat, separator_yaml

_KINDS: Mapping[ColumnKind, str] = {
    "rater": "names the rater",
    "at": "when it was answered",
    "personal": "left out, it tells who the rater is",
    "not needed": "left out",
}
_HEAD = """\
# How to read this table: `bench study import TABLE --mapping mapping.yaml -o answers.csv`.
# Proposed from what the table holds: check it. What does not fit is then told by row and column."""

# Key by key: what it means, and an example for where nothing is proposed.
_KEYS: Sequence[tuple[str, str, str]] = (
    (
        "table",
        (
            "wide: a row is a rater, a column is one question about one video. long: a row is one\n"
            "rating; then `fields` and `constants` instead of `columns` and `pattern`."
        ),
        "table: wide",
    ),
    ("sheet", "For xlsx with several sheets.", 'sheet: "Form responses 1"'),
    ("encoding", "For csv that is not utf-8.", "encoding: gb18030"),
    ("separator", "For csv without commas.", 'separator: ";"'),
    ("header_row", "For headers further down.", "header_row: 3"),
    (
        "header",
        "For tables without a header: the names of all columns, from the left.",
        "header: [system, utterance, rating, listener]",
    ),
    (
        "rater",
        "The column that names the rater. Without one, raters are numbered by their rows.",
        'rater: "Your code"',
    ),
    (
        "anonymous",
        "Numbers the raters (rater-01, rater-02, ...) instead of keeping their names.",
        "anonymous: true",
    ),
    ("at", "When it was answered.", 'at: "Timestamp"'),
    (
        "dates",
        "Dates like 3/5/2024 could be read in two ways: month first, or day first.",
        "dates: month first",
    ),
    ("at_format", "Times that are written otherwise.", 'at_format: "%d %B %Y %H:%M"'),
    ("comment", "The column of remarks.", 'comment: "Anything else?"'),
    (
        "ratings",
        "What stands in the cells for the ratings 1 to 5, where it is not the number itself.",
        'ratings: {"5 (Excellent)": 5, "4 (Good)": 4, "非常同步": 5}',
    ),
    ("unanswered", "Cells that stand for no answer.", 'unanswered: ["(跳过)", "-3"]'),
    (
        "blank",
        "Empty cells: refuse, or unanswered where raters did not see or might skip the video.",
        "blank: refuse",
    ),
    (
        "twice",
        "A rater who answers the same twice: refuse, or keep the first or the last (by rows).",
        "twice: refuse",
    ),
    ("ignore", "Columns to leave out.", 'ignore: ["Your age"]'),
    (
        "names",
        (
            "Names in this table, and what the study calls them: videos, questions, methods,\n"
            "cases, data sets. A question needs none where it is called as in study.yaml."
        ),
        'names: {"Video 1": "0a1b2c3d4e5f", "In sync?": sync_accuracy, "Method A": wav2lip}',
    ),
    (
        "pattern",
        (
            "Many columns of one kind: a regular expression with the groups question and item (or\n"
            "case and method, and where wanted dataset and role)."
        ),
        'pattern: "Video (?P<item>[0-9a-f]+) \\\\[(?P<question>.+)\\\\]"',
    ),
    (
        "fields",
        "Long tables: which column is what.",
        "fields: {rater: Name, case: Clip, method: System, question: Question, rating: Score}",
    ),
    (
        "constants",
        "Long tables: what is the same in all rows.",
        "constants: {question: overall_impression}",
    ),
    (
        "cells",
        (
            "Cells that say several things: a regular expression for the column, with groups of\n"
            "rater, item, dataset, case, method, question, role."
        ),
        'cells: {"Input.Q0": ".*/(?P<method>[^/]+)/(?P<case>[^/]+)[.]mp4"}',
    ),
    (
        "columns",
        (
            "Wide tables, column by column: the video (item) by its code in design.json\n"
            "or its file's name, or by case and method (and dataset, and role: truth for the\n"
            "hidden truth, low for the low anchor), or item_in: the column that names it; and the\n"
            "question."
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
    """The text of a mapping.yaml. values: what is proposed, by key. remarks: by key and entry.

    names: of the table's columns; those that are known need no entry, and it says so.
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
    """Sheet, encoding, separator, header: where they are not the usual ones."""
    usual = TableFormat()
    found: dict[str, object] = {}
    for key in ("sheet", "encoding", "separator", "header_row", "header"):
        value = getattr(table_format, key)
        if value != getattr(usual, key):
            found[key] = list(value) if isinstance(value, tuple) else value
    return found


def _entry(key: str, value: object, remarks: Mapping[tuple[str, str], str]) -> list[str]:
    """The lines of one key: a scalar on one line, the entries of lists and maps one a line."""
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
    """The value as yaml's flow style has it: JSON is that, too, with what yaml forbids escaped."""
    plain = json.dumps(value, ensure_ascii=False)
    return plain if plain.isprintable() else json.dumps(value)
