"""Whether a sync scorer works on these clips: a small run of the controls, before the real run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from bench.config import load_config
from bench.data.manifest import write_manifest
from bench.plan import find_missing, make_plan
from bench.runner import Notify, Summary, run
from bench.store import Store
from bench.types import Clip

MOST_CLIPS = 60  # enough to tell 90 % from chance; evenly taken from all


def run_controls(
    clips: Sequence[Clip], folder: Path, *, faces: str, scorer: str, notify: Notify
) -> Summary:
    """Runs truth, mismatched and still on at most 60 of the clips, into a run folder at `folder`.

    The folder's records say whether the scorer works, by the same rule as in every report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    step = max(1, len(clips) // MOST_CLIPS)
    taken = list(clips[::step])[:MOST_CLIPS]
    root = Path(taken[0].video.anchor)
    write_manifest(folder / "clips.csv", taken, root=root)
    config = {
        "name": "scorer-check",
        "faces": faces,
        "data": [{"name": "these clips", "manifest": "clips.csv"}],
        "cases": {"kinds": ["reconstruct"]},
        "methods": [{"name": name} for name in ("truth", "mismatched", "still")],
        "metrics": [{"name": "lse", "options": {"scorer": scorer}}],
    }
    path = folder / "scorer-check.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    plan = make_plan(load_config(path))
    with Store(folder / "run") as store:
        return run(plan, store, find_missing(plan, store), notify=notify)
