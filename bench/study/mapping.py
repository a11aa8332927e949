"""mapping.yaml: which column of somebody's table is what."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import pydantic

from bench.config import raise_problems, read_yaml, validated
from bench.config_kind import refuse_other_kind
from bench.errors import BenchError
from bench.study.answers import HIGHEST, LOWEST, Role
from bench.study.tables import Reading, Separator, quoted

# Columns that survey sites add, by what they are. Nobody needs to name them in a mapping.
KNOWN_COLUMNS: Mapping[str, Literal["rater", "at", "personal", "not needed"]] = {
    "Timestamp": "at",
    "时间戳记": "at",
    "Email Address": "personal",
    "Email address": "personal",
    "电子邮件地址": "personal",
    "Username": "personal",
    "用户名": "personal",
    "Score": "not needed",
    "序号": "rater",
    "提交答卷时间": "at",
    "所用时间": "not needed",
    "来源": "not needed",
    "来源详情": "not needed",
    "来自IP": "personal",
    "IP": "personal",
    "总分": "not needed",
}
LONG_FIELDS = ("rater", "item", "dataset", "case", "method", "question", "rating", "role", "at")


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Column(_Section):
    """What a column of ratings is about: a video (its code, or case and method) and a question.

    item: the video's code in the study, the name of its file, or what `names` says for it.
    """

    item: str = ""
    dataset: str = ""
    case: str = ""
    method: str = ""
    role: Role | None = None
    question: str

    @pydantic.model_validator(mode="after")
    def _one_video(self) -> Column:
        if not (self.item or self.case or self.method or self.question):
            raise ValueError("is empty. Say what the column rates, or name it under `ignore`")
        if not self.question:
            raise ValueError("name the question that it answers")
        if bool(self.item) == bool(self.case or self.method):
            raise ValueError("name the video by `item` alone, or by `case` and `method`")
        if not self.item and not (self.case and self.method):
            raise ValueError("`case` and `method` go together")
        return self


class ColumnMapping(_Section):
    """The whole of mapping.yaml; see the template for what each key means."""

    table: Literal["wide", "long"] = "wide"
    sheet: str | None = None
    header_row: Annotated[int, pydantic.Field(ge=1)] = 1
    encoding: str = "utf-8"
    separator: Separator | None = None
    rater: str | None = None
    anonymous: bool = False
    at: str | None = None
    at_format: str | None = None
    comment: str | None = None
    ratings: dict[str, Annotated[int, pydantic.Field(ge=LOWEST, le=HIGHEST)]] = {}
    blank: Literal["refuse", "unanswered"] = "refuse"
    twice: Literal["refuse", "first", "last"] = "refuse"
    ignore: tuple[str, ...] = ()
    names: dict[str, str] = {}
    columns: dict[str, Column] = {}
    pattern: str | None = None
    fields: dict[
        Literal["rater", "item", "dataset", "case", "method", "question", "rating", "role", "at"],
        str,
    ] = {}

    @pydantic.field_validator("ratings", "names", mode="before")
    @classmethod
    def _keys_as_text(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {str(key): one for key, one in value.items()}  # `5: 1` of a reversed scale

    @pydantic.field_validator("pattern")
    @classmethod
    def _usable_pattern(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            groups = set(re.compile(value).groupindex)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from error
        allowed = {"item", "dataset", "case", "method", "question", "role"}
        if unknown := groups - allowed:
            raise ValueError(
                f"has the group {min(unknown)}; known are {', '.join(sorted(allowed))}"
            )
        if "question" not in groups or not ({"item"} <= groups or {"case", "method"} <= groups):
            raise ValueError("needs the groups question and item, or question, case and method")
        return value

    @pydantic.model_validator(mode="after")
    def _shape(self) -> ColumnMapping:
        if self.table == "long" and (self.columns or self.pattern):
            raise ValueError("`columns` and `pattern` are for wide tables; a long one has `fields`")
        if self.table == "wide" and self.fields:
            raise ValueError("`fields` is for long tables; a wide one has `columns` or `pattern`")
        return self


def read_mapping(path: Path) -> ColumnMapping:
    """The mapping; raises BenchError that lists everything wrong in it, by line."""
    raw, lines, problems = read_yaml(path)
    found = validated(ColumnMapping, raw, "", problems)
    if found is None:
        refuse_other_kind(path, raw, ColumnMapping.model_fields)
    raise_problems(path, problems, lines)
    if found is None:
        raise BenchError(f"{path}: is no mapping.")
    return found


def mapping_template(
    header: Sequence[str],
    reading: Reading,
    *,
    codes: Sequence[str] = (),
    titles: Mapping[str, str] | None = None,
) -> str:
    """A mapping.yaml for a table with this header, to be completed and checked.

    reading: how the table was read. codes, titles: a study's videos by every name they go by, and
    so its questions; what stands in the name of a column, once and alone, is filled in as a
    proposal.
    """
    known = {name: kind for name, kind in KNOWN_COLUMNS.items() if name in header}
    lines = [_HEAD.format(reading=_reading_lines(reading))]
    for name, kind in known.items():
        lines.append(f"#   {name}: {_KIND_TEXT[kind]}")
    lines.append(_WIDE)
    for name in header:
        if name and name not in known:
            item, question = _only(name, codes), _only(name, tuple(titles or {}))
            told = json.dumps((titles or {}).get(question, ""), ensure_ascii=False)
            key = json.dumps(name, ensure_ascii=False)
            lines.append(f'  {key}: {{item: "{item}", question: {told}}}')
    return "\n".join(lines) + "\n"


def _reading_lines(reading: Reading) -> str:
    """Sheet, encoding, separator, header row: as they were read, or an example that is no key."""
    usual = Reading()
    lines: list[str] = []
    if reading.sheet is None:
        lines.append('# sheet: "Form responses 1"')
    else:
        named = json.dumps(reading.sheet, ensure_ascii=False)
        lines.append(f"sheet: {named}  # of {len(reading.sheets)} sheets")
    named = reading.encoding if reading.encoding != usual.encoding else ""
    lines.append(f"encoding: {named}" if named else "# encoding: gb18030")
    parted = reading.separator
    lines.append(f"separator: {quoted(parted)}" if parted else '# separator: ";"')
    is_further = reading.header_row != usual.header_row
    lines.append(f"{'' if is_further else '# '}header_row: {reading.header_row}")
    return "\n".join(lines)


def _only(text: str, wanted: Sequence[str]) -> str:
    """The one of these that stands in the text, empty where none or several do."""
    found = [one for one in wanted if one and one in text]
    longest = [one for one in found if not any(one != other and one in other for other in found)]
    return longest[0] if len(longest) == 1 else ""


_KIND_TEXT = {
    "rater": "names the rater",
    "at": "when it was answered",
    "personal": "left out, it tells who the rater is",
    "not needed": "left out",
}

_HEAD = """\
# How to read this table: `bench study import TABLE --mapping mapping.yaml -o answers.csv`.
# Take away what you do not need. Nothing is guessed; what does not fit is told by row and column.

# wide: a row is a rater, a column is one question about one video.
# long: a row is one rating; take `columns` away and use `fields` (at the end).
table: wide

# The column that names the rater. Without one, raters are numbered by their rows.
# rater: "Your code"
# Numbers the raters (rater-01, rater-02, ...) instead of keeping their names.
# anonymous: true

# When it was answered. Without at_format the year comes first: 2026/1/31 14:05:00.
# at: "Timestamp"
# at_format: "%m/%d/%Y %H:%M:%S"
# comment: "Anything else?"

# What stands in the cells for the ratings 1 to 5, where it is not the number itself.
# ratings: {{"5 (Excellent)": 5, "4 (Good)": 4, "非常同步": 5}}

# Empty cells: refuse, or unanswered where raters did not see or might skip the video.
blank: refuse
# A rater who answers the same twice: refuse, or keep the first or the last (the rows' order).
twice: refuse

# Columns to leave out.
ignore: []
# For xlsx with several sheets, csv that is not utf-8 or without commas, headers further down:
{reading}

# Names in this table, and what the study calls them: videos, questions, methods, cases, data sets.
# A question needs none where it is called by its name, title or text in study.yaml.
# names: {{"Video 1": "0a1b2c3d4e5f", "In sync?": sync_accuracy, "Method A": wav2lip}}

# These columns are known and need no entry:"""

_WIDE = """
# Many columns of one kind: a regular expression with the groups question and item (or case and
# method, and where wanted dataset and role).
# pattern: "Video (?P<item>[0-9a-f]+) \\\\[(?P<question>.+)\\\\]"

# Long tables, instead of `columns`:
# fields: {rater: Name, case: Clip, method: System, question: Question, rating: Score}

# Else, column by column: the video (item) by its code in the study's design.json or the name of its
# file, or by case and method (and dataset, and role: truth for the hidden truth, low for the low
# anchor), and the question.
columns:"""
