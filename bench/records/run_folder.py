"""Reads one run folder: its manifest and its records, and nothing else (no registry, no data)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.files.digests import set_digest
from bench.records.manifest import CasePart, Manifest, MetricPart
from bench.records.reading import read_manifest, read_records
from bench.records.record import Corners, GenerationRecord, MeasurementRecord


@dataclass(frozen=True)
class Run:
    """The content of a run folder, with only the last record of each key.

    generations: by method key and case key. measurements: by metric key, video digest, reference
    digest (None if the metric reads no reference) and the box of the face (None if the metric reads
    no boxes).
    """

    folder: Path
    manifest: Manifest
    generations: Mapping[tuple[str, str], GenerationRecord]
    measurements: Mapping[tuple[str, str, str | None, Corners | None], MeasurementRecord]

    def measured(
        self, metric: MetricPart, case: CasePart, video: GenerationRecord
    ) -> MeasurementRecord | None:
        """The metric's record for a case's finished video; None if not measured yet."""
        reference = video.reference_sha256 if "reference" in metric.reads else None
        box = case.box if metric.reads_boxes else None
        return self.measurements.get((metric.key, video.sha256, reference, box))

    def measured_set(
        self, metric: MetricPart, videos: Iterable[GenerationRecord]
    ) -> MeasurementRecord | None:
        """The set metric's record for all these finished videos; None if not measured yet."""
        together = set_digest(video.sha256 for video in videos)
        return self.measurements.get((metric.key, together, None, None))


def read_run(folder: Path) -> Run:
    """The run in `folder`; raises BenchError that names the wrong file and key."""
    manifest = read_manifest(folder)
    measurements = {
        (record.metric_key, record.video_sha256, record.reference_sha256, record.box): record
        for record in read_records(folder, MeasurementRecord)
    }
    return Run(folder, manifest, read_generations(folder, manifest), measurements)


def read_generations(folder: Path, manifest: Manifest) -> dict[tuple[str, str], GenerationRecord]:
    """The generations of the run in `folder`, by method key and case key.

    Leaves out videos whose method learned the person from other clips than the manifest's.
    Raises BenchError as `read_run` does.
    """
    learned = {
        method.key: ("", *method.preparations)
        for method in manifest.methods
        if method.preparations is not None
    }
    return {
        (record.method_key, record.case_key): record
        for record in read_records(folder, GenerationRecord)
        if record.method_key not in learned
        or record.key
        in {
            video_key(record.method_key, record.case_key, preparation)
            for preparation in learned[record.method_key]
        }
    }


def video_key(method_key: str, case_key: str, preparation: str | None) -> str:
    """The key of one video. preparation: the key of what the method learned before, if anything."""
    parts = f"{method_key} {case_key}" + ("" if preparation is None else f" {preparation}")
    return hashlib.sha256(parts.encode()).hexdigest()


def method_names(titles: Mapping[str, str]) -> dict[str, str]:
    """The name to show for each label: its title, with the label if several share that title.

    titles: by label; "" if a method has none.
    """
    shown = {label: title or label for label, title in titles.items()}
    counts = Counter(shown.values())
    return {
        label: name if counts[name] == 1 or name == label else f"{name} ({label})"
        for label, name in shown.items()
    }
