"""The driver's time and memory for 1,000,000 cells, planned and finished; the work is simulated."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.contract.engine import Crew, Engine
from bench.data.manifest import write_manifest
from bench.ground.types import Clip
from bench.records.record import GenerationRecord, MeasurementRecord
from bench.records.store import Store, known
from bench.run.config import load_config
from bench.run.plan import find_missing, make_plan
from bench.run.planned import Task, generation_key, measurement_key
from bench.run.runner import run
from tests.conftest import ROOT
from tests.small_data import PLUGIN, make_clip, make_config
from tests.small_records import generation, measurement
from tests.speed import peak_memory

CLIPS = 22_223  # of each 9 videos, by 5 methods on reconstruct and probe, with 4 values each
SECONDS, GIBIBYTES = 60, 2.0


class Simulated(Engine):
    """Writes at once what a run would have written."""

    name = "simulated"

    def run(
        self, tasks: Sequence[Any], start: Any
    ) -> Iterator[GenerationRecord | MeasurementRecord]:
        for task in tasks:
            yield from _records(task)


def _records(task: Task) -> Iterator[GenerationRecord | MeasurementRecord]:
    planned, case = task.planned, task.planned.case
    for label in task.generate:
        method = task.settings.methods[label]
        key = generation_key(method, planned)
        made = generation(
            key=key,
            method=label,
            method_key=method.key,
            case=case.id,
            case_key=planned.key,
            kind=case.kind,
            dataset=case.dataset,
            speaker=case.face.speaker,
            video=f"videos/{case.dataset}/{label}/{case.id}.mp4",
            sha256=key,
            reference_sha256=case.face.sha256,
            conformed=("source: sound padded by 0.020 s",),
        )
        yield made
        for name in task.measure[label]:
            metric = task.settings.metrics[name]
            yield measurement(
                key=measurement_key(metric, key, known(made).reference_sha256, [planned]),
                metric=name,
                metric_key=metric.key,
                protocol=metric.protocol,
                video_sha256=key,
                values={name: 1.0},
                curves={},
            )


def measure() -> str:
    """One line: seconds and peak memory, in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_config(folder)
        command = [sys.executable, peak_memory.__file__, str(folder / "peak")]
        command += [sys.executable, "-m", "tests.speed.million", str(folder)]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ, check=True, capture_output=True, text=True
        )
        peak = int((folder / "peak").read_text(encoding="ascii")) / 2**20
    return f"{done.stdout.strip()}, {peak:.1f} GiB (asked: {SECONDS} s, {GIBIBYTES:g} GiB)"


def _write_config(folder: Path) -> None:
    video = make_clip(folder / "data" / "clip.mp4", 0)
    clips = [
        Clip(f"clip{i}", video, speaker=f"s{i % 50}", sha256=f"{i:064x}", box=(4, 4, 24, 24))
        for i in range(CLIPS)
    ]
    write_manifest(folder / "data" / "manifest.csv", clips)
    shutil.copy(PLUGIN, folder)
    make_config(
        folder,
        data=[{"name": "many", "manifest": "data/manifest.csv"}],
        cases={"kinds": ["reconstruct", "probe"]},
        methods=[{"name": "truth"}, *({"name": "still", "label": f"still{i}"} for i in range(4))],
        metrics=[{"name": "brightness", "label": f"brightness{i}"} for i in range(4)],
        tables=[],
    )


def _plan_and_finish(folder: Path) -> None:
    start = time.perf_counter()
    plan = make_plan(load_config(folder / "small.yaml"))
    with Store(folder / "run") as store:
        missing = find_missing(plan, store)
        planned = time.perf_counter()
        summary = run(plan, store, missing, engine=Simulated(Crew()))
    whole = time.perf_counter()
    assert summary.missing == summary.failed == 0
    print(
        f"{summary.ok:,} cells: planned in {planned - start:.0f} s, finished in "
        f"{whole - planned:.0f} s, together {whole - start:.0f} s"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _plan_and_finish(Path(sys.argv[1]))
    else:
        print(measure())
