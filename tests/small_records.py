"""Records for tests, made by the classes that a run makes them with, and their lines on disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.records.record import GenerationRecord, MeasurementRecord
from bench.records.schema import SCHEMA

GENERATION = GenerationRecord(
    schema=SCHEMA,
    key="k",
    status="ok",
    method="still",
    method_key="m",
    method_protocol="",
    case="one",
    case_key="c",
    kind="reconstruct",
    dataset="tiny",
    speaker="s1",
    video="videos/tiny/still/one.mp4",
    sha256="ab" * 32,
    reference_sha256=None,
    frames=12,
    mouth=(1.0, 2.0, 3.0, 4.0),
    seconds={"generate": 0.5},
    started="2026-01-01T00:00:00+00:00",
)
MEASUREMENT = MeasurementRecord(
    schema=SCHEMA,
    key="k",
    status="ok",
    metric="psnr",
    metric_key="m",
    protocol="psnr[face]",
    method_protocol="",
    video_sha256="ab" * 32,
    reference_sha256=None,
    box=None,
    values={"one": 1.0},
    curves={"curve": (1.0, 2.0)},
    seconds=0.5,
)


def generation(**changes: Any) -> GenerationRecord:
    """A record of a finished video, but for these fields."""
    return replace(GENERATION, **changes)


def measurement(**changes: Any) -> MeasurementRecord:
    """A record of a measurement with a value and a curve, but for these fields."""
    return replace(MEASUREMENT, **changes)


def read_records(path: Path) -> list[dict[str, Any]]:
    """Every line of a file of records as it stands on disk, oldest first; none without a file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
