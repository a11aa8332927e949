"""The records of a run, one line each: generations, measurements, preparations of persons.

Writers build them, readers get them (`bench.records.reading`); nothing else knows a line's form.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field
from typing_extensions import Self

from bench.ground.types import CaseKind
from bench.records.schema import GENERATIONS, MEASUREMENTS, PREPARATIONS, SCHEMA

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
class CutPart:
    """How the frames of a video were cut out of the face clip's.

    transforms: a digest of the similarities and of the crop's size. height, width: of the video.
    box: the manifest's box of the face, x y width height in pixels of the video; None if none is
    given.
    """

    transforms: str
    height: int
    width: int
    box: Corners | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReference:
    """The reference of one video alone: the face clip, cut as the video is.

    video: its path in the run folder. source_sha256: the digest of the conformed face clip.
    """

    video: _PathInside
    source_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """What all records have. reason, traceback: why a cell has no value; None if it has one.

    schema: `SCHEMA`; always written, since a line without it is no record.
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
        """The same record, for a cell that failed."""
        return replace(self, status="failed", reason=reason, traceback=traceback)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRecord(_Line):
    """The outcome of one method on one case.

    video: its path in the run folder, even if the method failed and there is no file. sha256: its
    digest; empty without a file. reference_sha256: the digest of the conformed reference; None if
    the case has none. own_reference: where that was made for this video alone. cut: if the video
    shows a part of the frame. frames: of the video. asked: how many frames the speech has (None:
    as many). first: the frame of the speech that the video begins with. mouth: the mean mouth
    region, x0 y0 x1 y1 in pixels of the conformed video. conformed: what was changed in the
    clip ("source: ...") and in the method's video.
    seconds: "generate" and "encode", for a finished video. started: UTC, ISO 8601.
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
    own_reference: OwnReference | None = None
    cut: CutPart | None = None
    frames: _Count | None = None
    asked: _Count | None = None
    first: _Count = 0
    mouth: Corners | None = None
    conformed: tuple[str, ...] = ()
    seconds: Mapping[str, float]
    started: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRecord(_Line):
    """The outcome of one metric on one video, or on a set of them.

    method_protocol: of the method that generated the video. video_sha256: for a set, its
    `set_digest`. reference_sha256: None if the metric reads no reference. box: the manifest's box
    of the measured face, if boxes decide which face that is; else None. values, curves: by output;
    empty unless the status is "ok". faces_missing: the share of frames without a detected face, if
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
    """The outcome of one method's preparation for one person.

    clips: the digests of the person's clips that it learned from; their lasting names where these
    are of an embedded corpus, and need not have been rendered. log, folder: their paths in the run
    folder. seconds, started (UTC, ISO 8601), device: of the last attempt; if another run
    prepared this person, of that run's.
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
