"""Reads the metric values of a run's videos for a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.records.run_folder import (
    CasePart,
    GenerationRecord,
    MeasurementRecord,
    MethodPart,
    MetricPart,
    Run,
    read_run,
    read_run_manifest,
)
from bench.study.score.ratings import Clip


@dataclass(frozen=True)
class MetricColumn:
    """One output of one metric of a run.

    by_clip: values by (clip, method). by_set: values of a set metric by (data set, kind of case,
    method). Videos without a value (failed, undefined) are left out. kinds: each clip's kind of
    case.
    """

    run: str
    metric: str
    output: str
    title: str
    unit: str
    better: Literal["higher", "lower", "none"]
    protocol: str
    is_set: bool
    by_clip: Mapping[tuple[Clip, str], float]
    by_set: Mapping[tuple[str, str, str], float]
    kinds: Mapping[Clip, str]


def run_name(folder: Path) -> str:
    """The name of the run in this folder; raises BenchError if there is none."""
    return read_run_manifest(folder).name


def run_videos(folder: Path) -> frozenset[tuple[Clip, str]]:
    """All planned videos of the run, as (clip, method's label)."""
    manifest = read_run_manifest(folder)
    return frozenset(
        ((case.dataset, case.id), method.label)
        for case in manifest.cases
        for method in manifest.methods
    )


def metric_columns(folder: Path) -> tuple[MetricColumn, ...]:
    """All outputs of the run's metrics except curves; raises BenchError if there is no run."""
    run = read_run(folder)
    columns: list[MetricColumn] = []
    for metric in run.manifest.metrics:
        for output in metric.outputs:
            if output.curve:
                continue
            column = MetricColumn(
                run=run.manifest.name,
                metric=metric.label,
                output=output.name,
                title=output.heading,
                unit=output.unit,
                better=output.better,
                protocol=metric.protocol,
                is_set=metric.set,
                by_clip={} if metric.set else _by_clip(run, metric, output.name),
                by_set=_by_set(run, metric, output.name) if metric.set else {},
                kinds={(case.dataset, case.id): case.kind for case in run.manifest.cases},
            )
            columns.append(column)
    return tuple(columns)


def _by_clip(run: Run, metric: MetricPart, output: str) -> dict[tuple[Clip, str], float]:
    values: dict[tuple[Clip, str], float] = {}
    for method, case, video in _finished(run):
        value = _value(run.measured(metric, case, video), output)
        if value is not None:
            values[(case.dataset, case.id), method.label] = value
    return values


def _by_set(run: Run, metric: MetricPart, output: str) -> dict[tuple[str, str, str], float]:
    videos: dict[tuple[str, str, str], list[GenerationRecord]] = {}
    for method, case, video in _finished(run):
        videos.setdefault((case.dataset, case.kind, method.label), []).append(video)
    values: dict[tuple[str, str, str], float] = {}
    for place, together in videos.items():
        value = _value(run.measured_set(metric, together), output)
        if value is not None:
            values[place] = value
    return values


def _finished(run: Run) -> Sequence[tuple[MethodPart, CasePart, GenerationRecord]]:
    """All successful generations, with their methods and cases."""
    return [
        (method, case, video)
        for method in run.manifest.methods
        for case in run.manifest.cases
        if (video := run.generations.get((method.key, case.key))) is not None
        and video.status == "ok"
    ]


def _value(record: MeasurementRecord | None, output: str) -> float | None:
    return None if record is None or record.status != "ok" else record.values.get(output)
