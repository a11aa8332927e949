"""The strip at the top of the page: one frame of one case by every method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.ground.errors import BenchError
from bench.ground.types import FPS, SAMPLES_PER_FRAME
from reports.case_page import CaseLink
from reports.footage import find_footage
from reports.pictures import Footage, Portrait, take_portraits
from reports.results import Results, Row


@dataclass(frozen=True)
class Face:
    """One method in the strip. portrait: None if there is no video; state says why."""

    row: Row
    colour: int
    portrait: Portrait | None
    state: str


@dataclass(frozen=True)
class FacesView:
    """One frame of one case. is_located: whether the run has the mouths' boxes.

    differences: whether any method has a difference from the real video to show.
    """

    link: CaseLink
    frame: int
    seconds: float
    faces: tuple[Face, ...]
    is_located: bool
    differences: bool


def show_faces(
    results: Results, links: Sequence[CaseLink], *, folder: Path, before: Path
) -> FacesView | None:
    """The loudest frame of the first case for which the largest number of methods have a video.

    The choice is a fixed rule, so that nobody can pick a flattering frame. None if no video can be
    read. folder, before: as for `take_portraits`.
    """
    best: tuple[CaseLink, dict[str, Footage]] | None = None
    for link in links:
        if link.case.kind == "reconstruct":
            found = _footage(results, link)
            if found and (best is None or len(found) > len(best[1])):
                best = (link, found)
    if best is None:
        return None
    link, asked = best
    frame = _loudest(next(iter(asked.values())).video)
    if frame is None:
        return None
    portraits = take_portraits(asked, frame, folder=folder, before=before)
    faces: list[Face] = []
    for row in _ordered(results.rows):
        video = results.generation(link.dataset, row.label, link.case)
        if video is not None:
            portrait = portraits.get(row.label)
            state = video.record.status if portrait is None else "ok"
            faces.append(Face(row, results.colours[row.label], portrait, state))
    return FacesView(
        link=link,
        frame=frame,
        seconds=frame / FPS,
        faces=tuple(faces),
        is_located=all(one.mouth is not None for one in asked.values()),
        differences=any(face.portrait and face.portrait.difference for face in faces),
    )


def _ordered(rows: Sequence[Row]) -> list[Row]:
    """The real video, the competitors, then the other controls."""
    return sorted(rows, key=lambda row: (row.name != "truth", row.control))


def _footage(results: Results, link: CaseLink) -> dict[str, Footage]:
    found: dict[str, Footage] = {}
    for row in _ordered(results.rows):
        footage = find_footage(results, link.dataset, row.label, link.case)
        if footage is not None:
            found[row.label] = footage
    return found


def _loudest(video: Path) -> int | None:
    """The frame with the loudest sound; the middle frame of a silent video; None if unreadable."""
    import numpy as np

    from bench import media

    try:
        count = media.count_frames(video)
        sound = media.read_sound(video)
    except BenchError:
        return None
    if not count:
        return None
    if sound is None or len(sound) < SAMPLES_PER_FRAME:
        return count // 2
    whole = min(count, len(sound) // SAMPLES_PER_FRAME)
    parts = sound[: whole * SAMPLES_PER_FRAME].astype(np.float64).reshape(whole, -1)  # (T, 640)
    return int((parts**2).sum(axis=1).argmax())
