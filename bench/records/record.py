"""What a run records, one line each: a generation, a measurement, the preparation of a person.

Writers build these, readers get them (`bench.records.reading`); nothing else knows a line's form.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field
from typing_extensions import Self

from bench.records.schema import GENERATIONS, MEASUREMENTS, PREPARATIONS, SCHEMA
from bench.types import CaseKind

Corners: TypeAlias = tuple[float, float, float, float]
Status: TypeAlias = Literal["ok", "undefined", "failed"]


def _inside(path: str) -> str:
    if "\0" in path or path.startswith("/") or posixpath.normpath(path).startswith(".."):
        raise ValueError("expected a path inside the run folder")
    return path


_PathInside: TypeAlias = Annotated[str, AfterValidator(_inside)]
_Count: TypeAlias = Annotated[int, Field(ge=0, lt=2**53)]
_Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """What all records have. reason, traceback: of a cell that has no value, else None.

    schema: `SCHEMA`; written out, since a line without it is none of ours.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        strict=True, allow_inf_nan=False, extra="ignore", defer_build=True
    )
    file: ClassVar[str]

    schema: Annotated[int, Field(ge=SCHEMA, le=SCHEMA)]
    key: str
    status: Status
    reason: str | None = None
    traceback: str | None = None

    def failed(self, reason: str, traceback: str | None) -> Self:
        """The same record, of a cell whose method or metric failed."""
        return replace(self, status="failed", reason=reason, traceback=traceback)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRecord(_Line):
    """What became of one method's video for one case.

    video: its path in the run folder, also where the method failed and there is none. sha256: its
    digest, then empty. reference_sha256: of the conformed recording that it is compared with, None
    where there is none. mouth: the mean mouth region, x0 y0 x1 y1 in pixels of the conformed video.
    conformed: what was changed in the recording ("source: ...") and in the method's video.
    seconds: "generate" and "encode", of a video that was finished. started: UTC, ISO 8601.
    """

    file: ClassVar[str] = GENERATIONS

    status: Literal["ok", "failed"]
    method: str
    method_key: str
    method_protocol: str
    case: str
    case_key: str
    kind: CaseKind
    dataset: str
    speaker: str
    video: _PathInside
    sha256: str
    reference_sha256: str | None
    frames: _Count | None = None
    mouth: Corners | None = None
    conformed: tuple[str, ...] = ()
    seconds: Mapping[str, float]
    started: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRecord(_Line):
    """What one metric said about one video, or about a set of them.

    method_protocol: of the method that made the video. video_sha256: of a set, its `set_digest`.
    reference_sha256: None where the metric reads no reference. box: the manifest's, of the face
    that was looked at, where boxes say which; else None. values, curves: by output; without any
    unless the status is "ok". faces_missing: the share of frames without a detected face, where
    the metric reads faces.
    """

    file: ClassVar[str] = MEASUREMENTS

    status: Status
    metric: str
    metric_key: str
    protocol: str
    method_protocol: str
    video_sha256: str
    reference_sha256: str | None
    box: Corners | None
    values: Mapping[str, float]
    curves: Mapping[str, tuple[float, ...]]
    faces_missing: _Share | None = None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationRecord(_Line):
    """What became of one method's preparation for one person.

    clips: the digests of the person's clips that it was given. log, folder: their paths in the run
    folder. seconds, started (UTC, ISO 8601), device: of the attempt that ended so; where another
    run prepared this person, of that one.
    """

    file: ClassVar[str] = PREPARATIONS

    status: Literal["ok", "failed"]
    method: str
    method_key: str
    person: str
    dataset: str
    clips: tuple[str, ...]
    seconds: float
    started: str
    device: str
    log: _PathInside
    folder: _PathInside


Record: TypeAlias = GenerationRecord | MeasurementRecord | PreparationRecord
RECORDS: Mapping[str, type[Record]] = {
    kind.file: kind for kind in (GenerationRecord, MeasurementRecord, PreparationRecord)
}
