"""What a run ran on: versions, hardware, git state, and every plugin's own description."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from bench.features.computing import ChosenFeature
from bench.records.store import SCHEMA, Made
from bench.run.plan import Plan, PlannedMethod, PlannedMetric

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
    mouths: Mapping[str, Made],
) -> dict[str, object]:
    """manifest.json of a run: what was asked, with every default written out, and what ran it.

    marks: by data set and clip, what the doctor says of it. mouths: by case key, a video of it.
    """
    config = plan.loaded.config
    methods = [_method(method) for method in plan.methods]
    return {
        "schema": SCHEMA,
        "name": config.name,
        "title": config.title or config.name,
        "created": created,
        "config": config.model_dump(mode="json"),
        "config_path": plan.loaded.path.name,
        "seed": config.seed,
        "faces": config.tracking,
        "git": _git(),
        "versions": {"python": platform.python_version(), **_versions()},
        "hardware": {**_hardware(), "device": device},
        "datasets": [
            {
                "name": dataset.name,
                "title": dataset.title,
                "manifest": dataset.origin,
                "stand_in": dataset.stand_in,
                "split": dataset.split,
                "clips": len(dataset.clips),
                "speakers": len({clip.speaker for clip in dataset.clips}),
                "marks": dict(marks.get(dataset.name, {})),
            }
            for dataset in plan.datasets
        ],
        "methods": methods,
        "metrics": [_metric(metric) for metric in plan.metrics],
        "features": [_feature(feature) for feature in plan.features.values()],
        "cases": [
            {
                "dataset": item.case.dataset,
                "id": item.case.id,
                "kind": item.case.kind,
                "key": item.key,
                "face": item.case.face.id,
                "speech": item.case.speech.id,
                "speaker": item.case.face.speaker,
                "text": item.case.speech.text,
                "mouth": mouths[item.key].mouth if item.key in mouths else None,
                "box": item.case.face.box,
            }
            for item in plan.cases
        ],
        "tables": [
            {
                **table.model_dump(mode="json"),
                "rows": list(table.rows) or [method["label"] for method in methods],
            }
            for table in config.tables
        ],
    }


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def machine() -> str:
    """The machine in one line, for speed figures."""
    found = _hardware()
    return f"{found['processor']}, {found['cores']} cores, {found['memory_gib']} GiB"


def _method(method: PlannedMethod) -> dict[str, object]:
    plugin = method.plugin
    return {
        "label": method.label,
        "title": method.title,
        "name": plugin.name,
        "version": plugin.version,
        "source": plugin.source,
        "licence": plugin.licence,
        "origin": method.origin,
        "control": plugin.control,
        "protocol": method.protocol,
        "kinds": sorted(plugin.kinds),
        "options": method.options.model_dump(mode="json"),
        "key": method.key,
    }


def _metric(metric: PlannedMetric) -> dict[str, object]:
    plugin = metric.plugin
    return {
        "label": metric.label,
        "title": metric.title,
        "name": plugin.name,
        "version": plugin.version,
        "protocol": metric.protocol,
        "source": plugin.source,
        "origin": metric.origin,
        "reads": sorted(plugin.reads),
        "reads_boxes": metric.reads_boxes,
        "set": metric.is_set,
        "options": metric.options.model_dump(mode="json"),
        "outputs": [
            {
                "name": output.name,
                "title": output.title or output.name,
                "unit": output.unit,
                "better": output.better,
                "best": output.best,
                "low": output.low,
                "high": output.high,
                "curve": output.curve,
            }
            for output in plugin.outputs
        ],
        "key": metric.key,
    }


def _feature(feature: ChosenFeature) -> dict[str, object]:
    plugin = feature.plugin
    return {
        "name": plugin.name,
        "version": plugin.version,
        "protocol": feature.protocol,
        "source": plugin.source,
        "licence": plugin.licence,
        "origin": feature.origin,
        "options": feature.options.model_dump(mode="json"),
        "key": feature.key,
    }


def _versions() -> dict[str, str]:
    return {name: _version(name) for name in _PACKAGES}


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
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _git() -> dict[str, object]:
    """The commit of the checkout that this package runs from, and whether it was changed."""
    folder = Path(__file__).resolve().parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *arguments],
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
