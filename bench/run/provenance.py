"""What produced a run: versions, hardware, git state, and every plugin's own description."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from collections.abc import Collection, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from bench.data.sources import Dataset
from bench.features.computing import ChosenFeature
from bench.ground.cores import cores
from bench.ground.types import Output
from bench.records.manifest import (
    CasePart,
    DatasetPart,
    FeaturePart,
    FloorsPart,
    Manifest,
    MethodPart,
    MetricPart,
    NotMeasuredPart,
    OutputPart,
    PublishedPart,
    TablePart,
)
from bench.records.record import Corners
from bench.records.schema import SCHEMA
from bench.run.config import Table
from bench.run.plan import Plan
from bench.run.planned import PlannedCase, PlannedMethod, PlannedMetric

_PACKAGES = (
    "talking-face-bench",
    "torch",
    "numpy",
    "scipy",
    "librosa",
    "av",
    "opencv-python-headless",
    "scikit-image",
    "pandas",
)


def describe_run(
    plan: Plan,
    *,
    created: str,
    device: str,
    marks: Mapping[str, Mapping[str, list[str]]],
    mouths: Mapping[str, Corners],
) -> Manifest:
    """manifest.json of a run: its config with every default written out, and what produced it.

    marks: the doctor's, by data set and clip. mouths: the mean mouth region, by case key.
    """
    config = plan.loaded.config
    return Manifest(
        schema=SCHEMA,
        name=config.name,
        title=config.title or config.name,
        created=created,
        config=config.model_dump(mode="json"),
        config_path=plan.loaded.path.name,
        seed=config.seed,
        faces=config.tracking,
        git=_git(Path(__file__).resolve().parent),
        versions={"python": platform.python_version(), **_versions()},
        hardware={**_hardware(), "device": device},
        datasets=tuple(
            _dataset(data, marks.get(data.name, {}), plan.left_out.get(data.name, 0))
            for data in plan.datasets
        ),
        methods=tuple(_method(one, plan.spared.get(one.label, ())) for one in plan.methods),
        metrics=tuple(map(_metric, plan.metrics)),
        features=tuple(map(_feature, plan.features.values())),
        cases=tuple(_case(planned, mouths.get(planned.key)) for planned in plan.cases),
        tables=tuple(_table(table, plan.methods) for table in config.tables),
        floors=FloorsPart(
            methods=tuple(map(_method, plan.floors.methods)),
            cases=tuple(_case(planned, None) for planned in plan.floors.asked),
        ),
        not_measured=tuple(
            NotMeasuredPart(label=one.label, title=one.title, protocol=one.protocol, ways=one.ways)
            for one in plan.not_measured
        ),
    )


def machine() -> str:
    """The machine in one line, for speed figures."""
    found = _hardware()
    return f"{found['processor']}, {found['cores']} cores, {found['memory_gib']} GiB"


def _dataset(dataset: Dataset, marks: Mapping[str, list[str]], left_out: int) -> DatasetPart:
    return DatasetPart(
        name=dataset.name,
        title=dataset.title,
        manifest=dataset.origin,
        stand_in=dataset.stand_in,
        split=dataset.split,
        clips=len(dataset.clips),
        speakers=len({clip.speaker for clip in dataset.clips}),
        marks=marks,
        left_out=left_out,
    )


def _case(planned: PlannedCase, mouth: Corners | None) -> CasePart:
    case = planned.case
    return CasePart(
        dataset=case.dataset,
        id=case.id,
        kind=case.kind,
        key=planned.key,
        face=case.face.id,
        speech=case.speech.id,
        speaker=case.face.speaker,
        text=case.speech.text,
        mouth=mouth,
        box=case.face.box,
    )


def _table(table: Table, methods: Sequence[PlannedMethod]) -> TablePart:
    published = None
    if table.published is not None:
        published = PublishedPart(table=table.published.table, data=table.published.data)
    return TablePart(
        name=table.name,
        kind=table.kind,
        title=table.title,
        rows=tuple(table.rows) or tuple(method.label for method in methods),
        columns=tuple(table.columns),
        reference=table.reference,
        published=published,
    )


def _method(method: PlannedMethod, spared: Collection[PlannedCase] = ()) -> MethodPart:
    plugin = method.plugin
    by_dataset: dict[str, list[str]] = {}
    for planned in sorted(spared, key=lambda planned: planned.case.index):
        by_dataset.setdefault(planned.case.dataset, []).append(planned.case.id)
    return MethodPart(
        label=method.label,
        title=method.title,
        name=plugin.name,
        version=plugin.version,
        source=plugin.source,
        licence=plugin.licence,
        origin=method.origin,
        control=plugin.control,
        protocol=method.protocol,
        kinds=tuple(sorted(plugin.kinds)),
        options=dict(method.options),
        key=method.key,
        preparations=None if method.persons is None else tuple(sorted(method.persons.values())),
        spared={name: tuple(ids) for name, ids in by_dataset.items()},
    )


def _metric(metric: PlannedMetric) -> MetricPart:
    plugin = metric.plugin
    return MetricPart(
        label=metric.label,
        title=metric.title,
        name=plugin.name,
        version=plugin.version,
        protocol=metric.protocol,
        source=plugin.source,
        origin=metric.origin,
        reads=tuple(sorted(plugin.reads)),
        sees=tuple(sorted(plugin.sees)),
        reads_boxes=metric.reads_boxes,
        set=metric.is_set,
        options=dict(metric.options),
        outputs=tuple(_output(each, metric.alike.get(each.name)) for each in plugin.outputs),
        key=metric.key,
    )


def _output(output: Output, alike: float | None) -> OutputPart:
    return OutputPart(
        name=output.name,
        title=output.title or output.name,
        unit=output.unit,
        better=output.better,
        best=output.best,
        low=output.low,
        high=output.high,
        curve=output.curve,
        alike=alike,
    )


def _feature(feature: ChosenFeature) -> FeaturePart:
    plugin = feature.plugin
    return FeaturePart(
        name=plugin.name,
        version=plugin.version,
        protocol=feature.protocol,
        source=plugin.source,
        licence=plugin.licence,
        origin=feature.origin,
        options=feature.options.model_dump(mode="json"),
        key=feature.key,
    )


def _versions() -> dict[str, str]:
    return {name: _version(name) for name in _PACKAGES}


@functools.cache  # reading one parses all of the package's metadata
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _hardware() -> dict[str, object]:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": len(cores()),  # those that the run may use
        "memory_gib": round(pages / 2**30, 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


@functools.cache  # asked once: what this process runs is what lay there when it started
def _git(folder: Path) -> dict[str, object]:
    """The commit of the checkout that a folder is in, and whether it was changed."""

    def git(*arguments: str) -> str | None:
        try:
            # Without locks: a `status` that is killed while it refreshes the index would leave
            # the user's repository locked.
            done = subprocess.run(
                ["git", "--no-optional-locks", "-C", str(folder), *arguments],
                capture_output=True,
                text=True,
                timeout=10,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    return {"commit": commit, "dirty": bool(git("status", "--porcelain")) if commit else None}
