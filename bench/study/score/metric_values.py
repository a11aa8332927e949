"""What the metrics of a run said about its videos, as far as a study needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.records.load import load
from bench.records.reading import read_manifest
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
    manifest, rows = read_manifest(folder), load(folder)
    values = rows[rows["status"] == "ok"]
    kinds = {(case.dataset, case.id): case.kind for case in manifest.cases}
    columns: list[MetricColumn] = []
    for metric in manifest.metrics:
        for output in metric.outputs:
            if output.curve:
                continue
            own = values[(values["metric"] == metric.label) & (values["output"] == output.name)]
            by_clip = zip(zip(own["dataset"], own["case"], strict=True), own["method"], strict=True)
            by_set = zip(own["dataset"], own["kind"], own["method"], strict=True)
            column = MetricColumn(
                run=manifest.name,
                metric=metric.label,
                output=output.name,
                title=output.heading,
                unit=output.unit,
                better=output.better,
                protocol=metric.protocol,
                is_set=metric.set,
                by_clip={} if metric.set else dict(zip(by_clip, own["value"], strict=True)),
                by_set=dict(zip(by_set, own["value"], strict=True)) if metric.set else {},
                kinds=kinds,
            )
            columns.append(column)
    return tuple(columns)
