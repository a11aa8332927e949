"""mapping.yaml: what the columns of a table of answers mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import pydantic

from bench.config.kinds import refuse_other_kind
from bench.config.reader import raise_problems, read_yaml, validated
from bench.ground.errors import BenchError
from bench.study.answers import HIGHEST, LOWEST, Role
from bench.study.read.survey_time import DateOrder
from bench.study.read.table_file import Separator

ColumnKind = Literal["rater", "at", "personal", "not needed"]


def _known() -> dict[str, ColumnKind]:
    kinds: dict[ColumnKind, str] = {
        # Google Forms in several languages, Wenjuanxing, Tencent's and Microsoft's forms, MTurk.
        "at": "Timestamp|时间戳|时间戳记|時間戳記|タイムスタンプ|타임스탬프|Horodateur|Zeitstempel|"
        "Marca temporal|Carimbo de data/hora|Informazioni cronologiche|Отметка времени|"
        "提交答卷时间|提交时间|结束答题时间|Completion time|完成时间|SubmitTime",
        "rater": "序号|WorkerId|session_uuid",
        "personal": "Email Address|Email address|Email|电子邮件地址|电子邮件|電子郵件地址|"
        "メールアドレス|Adresse e-mail|E-Mail-Adresse|Dirección de correo electrónico|Username|"
        "用户名|来自IP|IP|IP地址|用户IP",
        "not needed": "Score|总分|所用时间|来源|来源详情|开始答题时间|答题时长|Start time|开始时间|"
        "HITId|HITTypeId|Title|Description|Keywords|Reward|CreationTime|MaxAssignments|"
        "RequesterAnnotation|AssignmentDurationInSeconds|AutoApprovalDelayInSeconds|Expiration|"
        "NumberOfSimilarHITs|LifetimeInSeconds|AssignmentId|AssignmentStatus|AcceptTime|"
        "AutoApprovalTime|ApprovalTime|RejectionTime|RequesterFeedback|WorkTimeInSeconds|"
        "LifetimeApprovalRate|Last30DaysApprovalRate|Last7DaysApprovalRate|Approve|Reject",
    }
    return {name: kind for kind, names in kinds.items() for name in names.split("|")}


# Columns that survey sites add, by kind. A mapping need not name them.
KNOWN_COLUMNS: Mapping[str, ColumnKind] = _known()
LONG_FIELDS = ("rater", "item", "dataset", "case", "method", "question", "rating", "role", "at")
UNKNOWN_METHOD = "unknown"  # in a proposed mapping: a method that the table does not name
_GROUPS = ("rater", "item", "dataset", "case", "method", "question", "role")


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Column(_Section):
    """What a column of ratings rates: a video (its code, or case and method) and a question.

    item: the video's code in the study, its file's name, or a key of `names`. item_in: instead of
    `item`, the column in which each row names its own video.
    """

    item: str = ""
    item_in: str = ""
    dataset: str = ""
    case: str = ""
    method: str = ""
    role: Role | None = None
    question: str

    @pydantic.model_validator(mode="after")
    def _one_video(self) -> Column:
        if not (self.item or self.item_in or self.case or self.method or self.question):
            raise ValueError("is empty. State what the column rates, or name it under `ignore`")
        if not self.question:
            raise ValueError("name its question")
        if [bool(self.item), bool(self.item_in), bool(self.case or self.method)].count(True) != 1:
            raise ValueError(
                "name the video by `item`, by `case` and `method`, or by `item_in` (the column "
                "that names it), and only by one of these"
            )
        if not (self.item or self.item_in) and not (self.case and self.method):
            raise ValueError("`case` and `method` must be given together")
        return self


class ColumnMapping(_Section):
    """The content of mapping.yaml; mapping_template.py explains the keys."""

    table: Literal["wide", "long"] = "wide"
    sheet: str | None = None
    header_row: Annotated[int, pydantic.Field(ge=1)] = 1
    header: Annotated[tuple[str, ...], pydantic.Field(min_length=1)] | None = None
    encoding: str = "utf-8"
    separator: Separator | None = None
    rater: str | None = None
    anonymous: bool = False
    at: str | None = None
    at_format: str | None = None
    dates: DateOrder | None = None
    comment: str | None = None
    ratings: dict[str, Annotated[int, pydantic.Field(ge=LOWEST, le=HIGHEST)]] = {}
    blank: Literal["refuse", "unanswered"] = "refuse"
    unanswered: tuple[str, ...] = ()
    twice: Literal["refuse", "first", "last"] = "refuse"
    ignore: tuple[str, ...] = ()
    names: dict[str, str] = {}
    columns: dict[str, Column] = {}
    pattern: str | None = None
    fields: dict[
        Literal["rater", "item", "dataset", "case", "method", "question", "rating", "role", "at"],
        str,
    ] = {}
    constants: dict[
        Literal["rater", "dataset", "case", "method", "question", "role"],
        Annotated[str, pydantic.Field(min_length=1)],
    ] = {}
    cells: dict[str, str] = {}

    @pydantic.field_validator("ratings", "names", mode="before")
    @classmethod
    def _keys_as_text(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {str(key): one for key, one in value.items()}  # `5: 1` for a reversed scale

    @pydantic.field_validator("unanswered", mode="before")
    @classmethod
    def _items_as_text(cls, value: object) -> object:
        return [str(one) for one in value] if isinstance(value, (list, tuple)) else value

    @pydantic.field_validator("header")
    @classmethod
    def _different(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in value or ():
            if not name or (value or ()).count(name) > 1:
                raise ValueError(f"every column needs a different name; found {name!r}")
        return value

    @pydantic.field_validator("cells")
    @classmethod
    def _usable_cells(cls, value: dict[str, str]) -> dict[str, str]:
        for column, pattern in value.items():
            groups = _groups_of(pattern, f"{column}: ")
            if not groups or groups - set(_GROUPS):
                found = ", ".join(sorted(groups)) or "none"
                raise ValueError(
                    f"{column}: needs groups (?P<name>...) of {', '.join(_GROUPS)}; found {found}"
                )
        return value

    @pydantic.field_validator("pattern")
    @classmethod
    def _usable_pattern(cls, value: str | None) -> str | None:
        if value is None:
            return None
        groups = _groups_of(value)
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
            raise ValueError(
                "`columns` and `pattern` are for wide tables; use `fields` for a long one"
            )
        if self.table == "wide" and (self.fields or self.constants):
            raise ValueError(
                "`fields` and `constants` are for long tables; use `columns` or `pattern` for a "
                "wide one"
            )
        return self


def _groups_of(pattern: str, where: str = "") -> set[str]:
    """The names of a regular expression's groups; raises ValueError if it is invalid."""
    try:
        return set(re.compile(pattern).groupindex)
    except re.error as error:
        raise ValueError(f"{where}is not a valid regular expression: {error}") from error


def read_mapping(path: Path) -> ColumnMapping:
    """Reads a mapping.yaml; raises BenchError that lists every error with its line."""
    raw, lines, problems = read_yaml(path)
    found = validated(ColumnMapping, raw, "", problems)
    if found is None:
        refuse_other_kind(path, raw, ColumnMapping.model_fields)
    raise_problems(path, problems, lines)
    if found is None:
        raise BenchError(f"{path}: is not a mapping.")
    return found
