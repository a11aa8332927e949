"""Finds a method's video of a case, and the real video to compare it with."""

from __future__ import annotations

import functools
from pathlib import Path

from bench.records.manifest import CasePart
from reports.pictures import Footage
from reports.results import Dataset, GeneratedVideo, Results


def find_footage(results: Results, dataset: Dataset, label: str, case: CasePart) -> Footage | None:
    """A method's video of a case; None if its run folder holds none.

    The reference is the video of the face's own clip, or one that was made for this video alone,
    cut as it is. A `cross` case has no reference: no real video of it exists.
    """
    made = results.generation(dataset, label, case)
    video = video_file(made) if made is not None else None
    if made is None or video is None:
        return None
    record = made.record
    mouth = record.mouth or (case.mouth if record.cut is None else None)
    if record.own_reference is not None:
        own = _file(made, record.own_reference.video)
        return Footage(
            video, record.sha256, mouth, own, record.reference_sha256 or "", record.first, True
        )
    real = _real_video(results, dataset, case)
    reference = video_file(real) if real is not None else None
    if real is None or reference is None or real.record.sha256 == record.sha256:
        return Footage(video, record.sha256, mouth, first=record.first)
    return Footage(video, record.sha256, mouth, reference, real.record.sha256, record.first)


def video_file(made: GeneratedVideo) -> Path | None:
    """The video's file; None if it is missing or lies outside its run folder."""
    if made.record.status != "ok" or not made.record.video:
        return None
    return _file(made, made.record.video)


def _file(made: GeneratedVideo, name: str) -> Path | None:
    folder = _resolved(made.run.folder.absolute())
    file = (folder / name).resolve()
    return file if file.is_relative_to(folder) and file.is_file() else None


@functools.lru_cache(maxsize=64)
def _resolved(folder: Path) -> Path:
    return folder.resolve()


def _real_video(results: Results, dataset: Dataset, case: CasePart) -> GeneratedVideo | None:
    row = results.row_named("truth")
    if row is None or case.kind == "cross":
        return None
    own = next((one for one in dataset.of_kind("reconstruct") if one.face == case.face), None)
    return None if own is None else results.generation(dataset, row.label, own)
