"""Tests whether a sync judge works on these clips, by a small run of the controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from bench.data.manifest import write_manifest
from bench.ground.types import Clip
from bench.records.reading import read_records
from bench.records.record import GenerationRecord, MeasurementRecord, Record
from bench.records.store import Store
from bench.run.casework import CellRecord
from bench.run.config import load_config
from bench.run.plan import Plan, find_missing, make_plan
from bench.run.planned import generation_key, measurement_key
from bench.run.runner import run

MOST_CLIPS = 60  # enough to tell 90 % from chance; evenly spaced over all
CONTROLS = (
    {"name": "truth"},
    {"name": "mismatched"},
    {"name": "still"},
    {"name": "shifted", "label": "sound 5 frames later", "options": {"frames": 5}},
    {"name": "shifted", "label": "sound 5 frames earlier", "options": {"frames": -5}},
)


def run_controls(
    clips: Sequence[Clip],
    folder: Path,
    *,
    faces: str,
    face: str = "largest",
    judge: str,
    progress: Callable[[int, int], None],
) -> dict[str, dict[str, list[str]]]:
    """Runs the controls on at most 60 of the clips, into a run folder at `folder`.

    Its records show whether the judge works, by the same rule as in every report. Returns, by
    control and reason, the clips without a value. judge: a scorer of LSE, or "lip_motion".
    progress: called with the number of cells done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = min(len(clips), MOST_CLIPS)
    taken = [clips[place * len(clips) // count] for place in range(count)]
    root = Path(taken[0].video.anchor)
    write_manifest(folder / "clips.csv", taken, root=root)
    is_metric = judge == "lip_motion"
    metric = {"name": judge} if is_metric else {"name": "lse", "options": {"scorer": judge}}
    config = {
        "name": "scorer-check",
        "faces": faces,
        "face": face,
        "data": [{"name": "these clips", "manifest": "clips.csv"}],
        "cases": {"kinds": ["reconstruct"]},
        "methods": list(CONTROLS),
        "metrics": [metric],
        "floors": 0,
    }
    path = folder / "scorer-check.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    plan = make_plan(load_config(path))
    with Store(folder / "run") as store:
        missing = find_missing(plan, store)
        wanted, done = missing.videos + missing.values, 0

        def notify(record: Record) -> None:
            nonlocal done
            done += 1
            if isinstance(record, GenerationRecord) and record.status != "ok":
                done += len(plan.clip_metrics)  # a failed video is not measured
            progress(done, wanted)

        run(plan, store, missing, notify=notify)
        progress(wanted, wanted)
        return _lacking(plan, store)


def _lacking(plan: Plan, store: Store) -> dict[str, dict[str, list[str]]]:
    reasons: dict[str, str] = {}
    kinds: tuple[type[CellRecord], ...] = (GenerationRecord, MeasurementRecord)
    for kind in kinds:
        for record in read_records(store.folder, kind):
            reasons[record.key] = record.reason or ""
    (metric,) = plan.metrics
    lacking: dict[str, dict[str, list[str]]] = {}
    for planned in plan.cases:
        for method in plan.answers(planned):
            key = generation_key(method, planned)
            made = store.generations[key]
            if made.status == "ok":
                key = measurement_key(metric, made.sha256, made.reference_sha256, [planned])
            if reasons.get(key):
                by_reason = lacking.setdefault(method.label, {})
                by_reason.setdefault(reasons[key], []).append(planned.case.id)
    return lacking
