"""Reads one run folder as it stands on disk: what was asked, and what came out.

Nothing else is read: no registry, no data set.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pydantic
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.files.digests import set_digest
from bench.machine.faults import raise_machine_fault
from bench.records.form import has_half_character
from bench.records.store import GENERATIONS, MEASUREMENTS, SCHEMA, read_records
from bench.types import CaseKind

Curve = NDArray[np.float32]
_Corners: TypeAlias = tuple[float, float, float, float]


class _Part(pydantic.BaseModel):
    """A part of manifest.json; keys that a later version adds are ignored."""

    model_config = pydantic.ConfigDict(frozen=True, extra="ignore")


class OutputPart(_Part):
    """One output of a metric, as `bench.types.Output` declares it."""

    name: str
    title: str = ""
    unit: str = ""
    better: Literal["higher", "lower", "none"] = "none"
    best: float | None = None
    low: float | None = None
    high: float | None = None
    curve: bool = False

    @property
    def heading(self) -> str:
        """The name as a reader sees it."""
        return self.title or self.name


class MetricPart(_Part):
    """One metric of the run, under the label that the config gave it."""

    label: str
    name: str
    version: str
    protocol: str
    source: str = ""
    reads: tuple[str, ...] = ()
    reads_boxes: bool = False
    set: bool = False
    options: dict[str, object] = {}
    outputs: tuple[OutputPart, ...] = ()
    key: str


class MethodPart(_Part):
    """One method of the run, under the label that the config gave it.

    protocol: what of the way it is asked decides how its numbers may be read, such as
    `reference: same`; mostly empty.
    """

    label: str
    name: str
    version: str
    title: str = ""
    source: str = ""
    licence: str = ""
    control: bool = False
    protocol: str = ""
    kinds: tuple[CaseKind, ...] = ()
    options: dict[str, object] = {}
    key: str


class CasePart(_Part):
    """One case. `mouth`, where given, is x0 y0 x1 y1 in pixels of the conformed video.

    box: the manifest's, x y width height, of the clip whose face is shown.
    """

    dataset: str
    id: str
    kind: CaseKind
    key: str
    face: str = ""
    speech: str = ""
    speaker: str = ""
    text: str = ""
    seconds: float | None = None
    mouth: tuple[float, float, float, float] | None = None
    box: tuple[float, float, float, float] | None = None


class DatasetPart(_Part):
    """One data set. `marks` are the doctor's findings by clip; `stand_in` names it if it is one."""

    name: str
    title: str = ""
    manifest: str = ""
    stand_in: str | None = None
    split: str | None = None
    clips: int = 0
    speakers: int = 0
    marks: dict[str, list[str]] = {}


class PublishedPart(_Part):
    """Which published table stands beside a measured one, and whose data is whose."""

    table: str
    data: dict[str, str] = {}


class TablePart(_Part):
    """One table that the config asks for; columns are `metric label.output`."""

    name: str
    kind: Literal["comparison", "ablation"] = "comparison"
    title: str = ""
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    reference: str | None = None
    published: PublishedPart | None = None


class Manifest(_Part):
    """manifest.json."""

    name: str
    title: str = ""
    created: str = ""
    config: object = None
    config_path: str = ""
    seed: int = 0
    git: dict[str, object] = {}
    versions: dict[str, object] = {}
    hardware: dict[str, object] = {}
    faces: str = ""
    datasets: tuple[DatasetPart, ...]
    methods: tuple[MethodPart, ...]
    metrics: tuple[MetricPart, ...]
    cases: tuple[CasePart, ...]
    tables: tuple[TablePart, ...] = ()


@dataclass(frozen=True)
class GenerationRecord:
    """One line of generations.jsonl: what became of one method's video for one case."""

    status: str
    reason: str
    traceback: str
    video: str
    sha256: str
    reference_sha256: str | None
    frames: int
    conformed: tuple[str, ...]
    seconds: float | None
    mouth: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class MeasurementRecord:
    """One line of measurements.jsonl: what one metric said about one video."""

    status: str
    reason: str
    traceback: str
    values: Mapping[str, float]
    curves: Mapping[str, Curve]
    faces_missing: float | None


@dataclass(frozen=True)
class Run:
    """One run folder, read. Only the last record of a key is here.

    generations: by method key and case key. measurements: by metric key, video digest, reference
    digest (None where the metric reads no reference) and the box that points to the face (None
    where the metric reads no boxes).
    """

    folder: Path
    manifest: Manifest
    generations: Mapping[tuple[str, str], GenerationRecord]
    measurements: Mapping[tuple[str, str, str | None, _Corners | None], MeasurementRecord]

    def measured(
        self, metric: MetricPart, case: CasePart, video: GenerationRecord
    ) -> MeasurementRecord | None:
        """What the metric said about a case's finished video; None where it was not asked yet."""
        reference = video.reference_sha256 if "reference" in metric.reads else None
        box = case.box if metric.reads_boxes else None
        return self.measurements.get((metric.key, video.sha256, reference, box))

    def measured_set(
        self, metric: MetricPart, videos: Iterable[GenerationRecord]
    ) -> MeasurementRecord | None:
        """What a set metric said about all these finished videos; None where it was not asked."""
        together = set_digest(video.sha256 for video in videos)
        return self.measurements.get((metric.key, together, None, None))


def read_run(folder: Path) -> Run:
    """The run in `folder`; raises BenchError that says which file and key is wrong."""
    manifest = read_run_manifest(folder)
    generations = read_generations(folder)
    measurements: dict[tuple[str, str, str | None, _Corners | None], MeasurementRecord] = {}
    path = folder / MEASUREMENTS
    for number, line in enumerate(read_records(path), start=1):
        place = f"{path}:{number}"
        metric, video = _text(line, "metric_key", place), _text(line, "video_sha256", place)
        reference = line.get("reference_sha256")
        reference = None if reference is None else str(reference)
        measurements[metric, video, reference, _box(line.get("box"))] = _measurement(line)
    return Run(folder, manifest, generations, measurements)


def read_generations(folder: Path) -> dict[tuple[str, str], GenerationRecord]:
    """What became of the videos of the run in `folder`, by method key and case key.

    Raises BenchError as `read_run` does.
    """
    path = folder / GENERATIONS
    found: dict[tuple[str, str], GenerationRecord] = {}
    for number, line in enumerate(read_records(path), start=1):
        place = f"{path}:{number}"
        pair = _text(line, "method_key", place), _text(line, "case_key", place)
        found[pair] = _generation(line)
    return found


def read_run_manifest(folder: Path) -> Manifest:
    """What was asked of the run in `folder`; raises BenchError as `read_run` does."""
    path = folder / "manifest.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BenchError(
            f"{path}: no such file. Name a run folder, the one that holds manifest.json "
            "(runs/NAME), or make it with `bench run CONFIG`."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise_machine_fault(error)
        raise BenchError(
            f"{path}: cannot be read as JSON: {error}. Run the config again."
        ) from error
    if has_half_character(data):
        raise BenchError(
            f"{path}: has half a character (\\ud800 to \\udfff). Run the config again."
        )
    found = data.get("schema") if isinstance(data, dict) else None
    if found != SCHEMA:
        raise BenchError(
            f"{path}: schema: {found!r}, but this version reads schema {SCHEMA}. "
            "Use the version of the harness that made the run, or run the config again."
        )
    try:
        return Manifest.model_validate(data)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BenchError(f"{path}: {where}: {first['msg']}. Run the config again.") from error


def method_names(titles: Mapping[str, str]) -> dict[str, str]:
    """What readers see for each label: its title, with the label where several have that title.

    titles: by label, "" where a method has none.
    """
    shown = {label: title or label for label, title in titles.items()}
    counts = Counter(shown.values())
    return {
        label: name if counts[name] == 1 or name == label else f"{name} ({label})"
        for label, name in shown.items()
    }


def _text(line: Mapping[str, object], key: str, place: str) -> str:
    value = line.get(key)
    if not isinstance(value, str):
        raise BenchError(
            f"{place}: {key}: expected text, found {value!r}. Remove that line and run the config "
            "again."
        )
    return value


def _generation(line: Mapping[str, object]) -> GenerationRecord:
    seconds = line.get("seconds")
    spent = seconds.get("generate") if isinstance(seconds, dict) else None
    reference = line.get("reference_sha256")
    frames = line.get("frames")
    notes = line.get("conformed")
    return GenerationRecord(
        status=str(line.get("status") or "failed"),
        reason=str(line.get("reason") or ""),
        traceback=str(line.get("traceback") or ""),
        video=str(line.get("video") or ""),
        sha256=str(line.get("sha256") or ""),
        reference_sha256=None if reference is None else str(reference),
        frames=frames if isinstance(frames, int) else 0,
        conformed=tuple(str(note) for note in notes) if isinstance(notes, list) else (),
        seconds=float(spent) if isinstance(spent, (int, float)) else None,
        mouth=_box(line.get("mouth")),
    )


def _box(value: object) -> _Corners | None:
    if not isinstance(value, list) or len(value) != 4:
        return None
    x0, y0, x1, y1 = (float(one) for one in value)
    return x0, y0, x1, y1


def _measurement(line: Mapping[str, object]) -> MeasurementRecord:
    values: dict[str, float] = {}
    curves: dict[str, Curve] = {}
    given = line.get("values")
    for name, value in given.items() if isinstance(given, dict) else ():
        if isinstance(value, list):
            curves[str(name)] = np.asarray(value, dtype=np.float32)
        elif isinstance(value, (int, float)):
            values[str(name)] = float(value)
    missing = line.get("faces_missing")
    return MeasurementRecord(
        status=str(line.get("status") or "failed"),
        reason=str(line.get("reason") or ""),
        traceback=str(line.get("traceback") or ""),
        values=values,
        curves=curves,
        faces_missing=float(missing) if isinstance(missing, (int, float)) else None,
    )
