"""The values of measured videos as JSON, and as the rows of a csv or Parquet file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.files.one_move import in_one_move
from bench.files.spreadsheets import csv_text
from bench.ground.errors import BenchError
from bench.records.record import MeasurementRecord
from bench.run.asked_metrics import AskedMetrics
from bench.run.one_video import MeasuredVideo, as_dict
from bench.run.planned import PlannedMetric

ENDINGS = (".csv", ".json", ".parquet")


class ValueRow(NamedTuple):
    """One output of one metric for one video, or for all of them (name, video, reference empty)."""

    name: str
    video: str
    reference: str
    metric: str
    output: str
    value: float | None
    status: str
    reason: str
    unit: str
    better: str
    protocol: str
    notes: str
    video_sha256: str


def value_rows(
    wanted: AskedMetrics,
    measured: Sequence[MeasuredVideo],
    sets: Mapping[str, MeasurementRecord],
) -> list[ValueRow]:
    """One row for each output that is no curve, of all videos and then of the sets."""
    rows: list[ValueRow] = []
    for one in measured:
        reference = "" if one.pair.reference is None else str(one.pair.reference)
        place = (one.pair.name, str(one.pair.video), reference)
        for metric in wanted.metrics:
            if metric.label in one.records:
                notes = "; ".join(one.notes)
                rows += _rows(place, metric, one.records[metric.label], notes, one.sha256)
    for metric in wanted.metrics:
        if metric.label in sets:
            record = sets[metric.label]
            rows += _rows(("", "", ""), metric, record, "", record.video_sha256)
    return rows


def values_json(
    wanted: AskedMetrics,
    measured: Sequence[MeasuredVideo],
    sets: Mapping[str, MeasurementRecord],
    unmatched: Sequence[tuple[str, str]],
) -> str:
    """All values, curves, reasons and notes as JSON."""
    videos = [
        {
            "name": one.pair.name,
            "video": str(one.pair.video),
            "reference": None if one.pair.reference is None else str(one.pair.reference),
            "frames": one.frames,
            "sha256": one.sha256,
            "notes": list(one.notes),
            "metrics": {
                label: {key: value for key, value in found.items() if key != "notes"}
                for label, found in as_dict(wanted, one, one.records).items()
                if label in one.records
            },
        }
        for one in measured
    ]
    document = {
        "videos": videos,
        "sets": {
            label: {
                "status": record.status,
                "reason": record.reason,
                "protocol": record.protocol,
                "values": dict(record.values),
            }
            for label, record in sets.items()
        },
        "not_measured": dict(wanted.left_out),
        "unmatched": [{"file": file, "reason": why} for file, why in unmatched],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)


def check_target(path: Path) -> None:
    """Raises BenchError, before any work, where values cannot be written to this file."""
    if path.suffix.lower() not in ENDINGS:
        raise BenchError(f"-o {path}: expected a name that ends in {', '.join(ENDINGS)}.")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise BenchError(
                f"-o {path}: Parquet needs pyarrow: pip install 'talking-face-bench[parquet]'; "
                "or name a .csv or .json file."
            ) from error


def write_rows(path: Path, rows: Sequence[ValueRow]) -> None:
    """Writes the rows as csv or Parquet, by the file's ending, in one move."""
    with in_one_move(path) as part:
        if path.suffix.lower() == ".parquet":
            import pandas as pd

            table = pd.DataFrame(rows, columns=pd.Index(ValueRow._fields))
            table.to_parquet(part, engine="pyarrow", index=False)
        else:
            text = csv_text([ValueRow._fields, *rows])
            part.write_text(text, encoding="utf-8", newline="")


def _rows(
    place: tuple[str, str, str],
    metric: PlannedMetric,
    record: MeasurementRecord,
    notes: str,
    sha256: str,
) -> list[ValueRow]:
    return [
        ValueRow(
            *place,
            metric.label,
            output.name,
            record.values.get(output.name),
            record.status,
            record.reason or "",
            output.unit,
            output.better,
            record.protocol,
            notes,
            sha256,
        )
        for output in metric.plugin.outputs
        if not output.curve
    ]
