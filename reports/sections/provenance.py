"""The provenance of the numbers: each run's config, methods, metrics, machine and versions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from bench.records.manifest import MethodPart, MetricPart
from bench.records.run_folder import Run
from reports.results import Results
from reports.words import Words


@dataclass(frozen=True)
class MethodLine:
    """A method's provenance."""

    part: MethodPart
    options: str
    seconds: str
    conformed: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class RunView:
    """A run's provenance."""

    name: str
    facts: tuple[tuple[str, str], ...]
    methods: tuple[MethodLine, ...]
    metrics: tuple[MetricPart, ...]
    config: str
    versions: str


def view_runs(results: Results, words: Words) -> tuple[RunView, ...]:
    """Each run's provenance."""
    return tuple(
        RunView(
            run.manifest.name,
            tuple((name, value) for name, value in _facts(run, words) if value),
            tuple(_method_line(run, method, words) for method in run.manifest.methods),
            run.manifest.metrics,
            json.dumps(run.manifest.config, indent=2, sort_keys=True, ensure_ascii=False),
            json.dumps(run.manifest.versions, indent=2, sort_keys=True, ensure_ascii=False),
        )
        for run in results.runs
    )


def _facts(run: Run, words: Words) -> tuple[tuple[str, str], ...]:
    manifest = run.manifest
    dirty = words("dirty") if manifest.git.get("dirty") else ""
    return (
        (words("created"), manifest.created),
        (words("config"), manifest.config_path),
        (words("seed"), str(manifest.seed)),
        (words("git"), f"{manifest.git.get('commit') or '–'} {dirty}".strip()),
        (words("hardware"), _short(manifest.hardware, words)),
        (words("faces"), manifest.faces),
    )


def _method_line(run: Run, method: MethodPart, words: Words) -> MethodLine:
    records = [record for (key, _), record in run.generations.items() if key == method.key]
    seconds = [
        r.seconds["generate"] for r in records if r.status == "ok" and "generate" in r.seconds
    ]
    notes = Counter(note for record in records for note in record.conformed)
    return MethodLine(
        method,
        _short(method.options, words),
        f"{median(seconds):.2f}" if seconds else "–",
        tuple(sorted(notes.items())),
    )


def _short(values: Mapping[str, object], words: Words) -> str:
    """The mapping on one line, without empty values."""
    kept = [
        (key, value) for key, value in sorted(values.items()) if value not in (None, "", {}, [])
    ]
    return ", ".join(f"{words.optional(f'fact_{key}', key)}: {value}" for key, value in kept)
