"""What the metrics of a run said about its videos, as far as a study needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.records.manifest import CasePart, MethodPart, MetricPart
from bench.records.reading import read_manifest
from bench.records.record import GenerationRecord, MeasurementRecord
from bench.records.run_folder import Run, read_run
from bench.study.score.ratings import Clip


@dataclass(frozen=True)
class MetricColumn:
    """One output of one metric of a run.

    by_clip: its value of each method's video of each clip. by_set: for a metric of whole sets, its
    value over all of a method's videos of one data set and one kind of case. Videos without a
    value (failed, undefined) are not there. kinds: each clip's kind of case.
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
    """The name of the run in this folder; raises BenchError where there is none."""
    return read_manifest(folder).name


def run_videos(folder: Path) -> frozenset[tuple[Clip, str]]:
    """Every video that the run planned, as its clip and its method's label."""
    manifest = read_manifest(folder)
    return frozenset(
        ((case.dataset, case.id), method.label)
        for case in manifest.cases
        for method in manifest.methods
    )


def metric_columns(folder: Path) -> tuple[MetricColumn, ...]:
    """Every number that the run's metrics give, curves left out; raises BenchError for no run."""
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
    """Every finished video, with its method and case."""
    return [
        (method, case, video)
        for method in run.manifest.methods
        for case in run.manifest.cases
        if (video := run.generations.get((method.key, case.key))) is not None
        and video.status == "ok"
    ]


def _value(record: MeasurementRecord | None, output: str) -> float | None:
    return None if record is None or record.status != "ok" else record.values.get(output)
