"""Planning and resuming 100,000 cells: data set and records read, what is left found."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from bench.data.manifest import write_manifest
from bench.ground.types import Clip
from bench.records.store import Store
from bench.run.config import load_config
from bench.run.plan import find_missing, make_plan
from bench.run.planned import generation_key, measurement_key
from tests.small_data import PLUGIN, make_clip, make_config
from tests.small_records import generation, measurement

CLIPS = 10_000  # reconstruct and probe of truth (reconstruct only), still, dimmed: 50,000 videos


def measure() -> str:
    """Seconds for a plan of 100,000 cells, half of them done, read from disk."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = make_clip(folder / "data" / "clip.mp4", 0)
        clips = [
            Clip(f"clip{i}", video, speaker=f"s{i % 50}", sha256=f"{i:064x}", box=(4, 4, 24, 24))
            for i in range(CLIPS)
        ]
        write_manifest(folder / "data" / "manifest.csv", clips)
        shutil.copy(PLUGIN, folder)
        config = make_config(
            folder,
            data=[{"name": "many", "manifest": "data/manifest.csv"}],
            cases={"kinds": ["reconstruct", "probe"]},
            metrics=[{"name": "brightness"}],
            tables=[],
        )
        cells = _fill_half(config, folder / "run")
        start = time.perf_counter()
        plan = make_plan(load_config(config))
        planned = time.perf_counter()
        store = Store(folder / "run")
        store.read()
        missing = find_missing(plan, store)
        done = time.perf_counter()
    left = missing.videos + missing.values
    return (
        f"planning {cells:,} cells: {planned - start:.1f} s; resuming (half done, {left:,} left): "
        f"{done - planned:.1f} s; together {done - start:.1f} s (asked: at most 10)"
    )


def _fill_half(config: Path, run: Path) -> int:
    plan = make_plan(load_config(config))
    (metric,) = plan.metrics
    count = 0
    with Store(run) as store:
        for index, planned in enumerate(plan.cases):
            for method in plan.answers(planned.case):
                count += 2
                if index % 2:
                    continue
                key = generation_key(method, planned)
                video = f"videos/many/{method.label}/{planned.case.id}.mp4"
                path = run / video
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                store.append(
                    generation(
                        key=key,
                        method=method.label,
                        method_key=method.key,
                        case=planned.case.id,
                        case_key=planned.key,
                        kind=planned.case.kind,
                        video=video,
                        sha256=key,
                        reference_sha256=key,
                        conformed=("source: sound padded by 0.020 s",),
                        seconds={"generate": 0.123, "encode": 0.456},
                    )
                )
                store.append(
                    measurement(
                        key=measurement_key(metric, key, key, [planned]),
                        video_sha256=key,
                        values={"brightness": 1.0},
                        curves={"distances": (10.123456789,) * 31},
                    )
                )
    return count


if __name__ == "__main__":
    print(measure())
