"""Cases: the questions put to every method, built from a data set's clips."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.data.pairs import partner, seeded_pairs
from bench.files.spreadsheets import csv_text
from bench.ground.errors import BenchError
from bench.ground.types import FPS, Case, CaseKind, Clip

COLUMNS = ("dataset", "kind", "case", "face", "speech")


def make_cases(
    dataset: str,
    clips: Sequence[Clip],
    *,
    kinds: Sequence[CaseKind],
    seed: int,
    pairs: Sequence[tuple[Clip, Clip]] | None = None,
    cross: int | None = None,
    barred: Collection[str] = frozenset(),
) -> list[Case]:
    """All cases of a data set: those of each clip, then the cross pairs.

    The seed draws each clip's `other`, whose speech `probe` speaks and `mismatched` plays.
    pairs: a frozen list (face, speech) for `cross`; without one, the seed draws the pairs.
    barred: ids of clips that are never drawn for a pair; the list may still name them. A data set
    of one clip has no other speech, hence no probe and no cross case.
    """
    others = partner(clips, seed, barred=barred)
    cases: list[Case] = []
    for clip in clips:
        other = others.get(clip.id)
        if "reconstruct" in kinds:
            cases.append(Case(dataset, "reconstruct", clip, clip, other))
        if "probe" in kinds and other is not None:
            cases.append(Case(dataset, "probe", clip, other, other))
    if "cross" in kinds and len(clips) > 1:
        drawn = seeded_pairs(clips, seed, cross, barred=barred) if pairs is None else pairs
        cases += [
            Case(dataset, "cross", face, speech, others.get(face.id)) for face, speech in drawn
        ]
    return [replace(case, index=index) for index, case in enumerate(cases)]


def spread(cases: Sequence[Case], most: int) -> tuple[Case, ...]:
    """At most that many of the cases, in their order, spread over the speakers of their faces.

    The first of each speaker, then the second, and so on: fewer are always among more.
    """
    rounds: dict[str, int] = {}
    order: list[tuple[int, int]] = []
    for place, case in enumerate(cases):
        speaker = case.face.speaker
        rounds[speaker] = rounds.get(speaker, -1) + 1
        order.append((rounds[speaker], place))
    return tuple(cases[place] for place in sorted(place for _, place in sorted(order)[:most]))


def answer_frames(case: Case, cache: Path) -> int | None:
    """How many frames a generated video must have; None if the clip that decides it is unusable.

    It is as long as its reference, or else as the speech. This conforms the clip.
    """
    from bench.data.conform import conform_clip

    try:
        return conform_clip(case.face if case.has_reference else case.speech, cache=cache).frames
    except BenchError:
        return None


def write_cases(
    path: Path,
    cases: Sequence[Case],
    *,
    files: Mapping[str, Sequence[Path | None]] | None = None,
    frames: Sequence[int | None] | None = None,
) -> None:
    """Writes a csv of cases: names, the video that shows the face, the file that holds the speech.

    files: by label of each method that takes finished videos, the file that it expects for each
    case; by default, the name that the method `recorded` expects. frames: how long the generated
    videos must be, written in frames and in seconds; None, written as empty, if not known.
    Raises BenchError if `path` exists already: it may be somebody's manifest.
    """
    expected: Mapping[str, Sequence[object]] = files or {}
    heads = ["file"] if len(expected) < 2 else [f"file of {label}" for label in expected]
    columns = list(expected.values()) or [[f"{case.id}.mp4" for case in cases]]
    counts = frames or [None] * len(cases)
    rows: list[Sequence[object]] = [(*COLUMNS, *heads, "frames", "seconds", "index")]
    for place, (case, count) in enumerate(zip(cases, counts, strict=True)):
        clips = str(case.face.video), str(case.speech.audio or case.speech.video)
        named = [None if column[place] is None else str(column[place]) for column in columns]
        seconds = None if count is None else count / FPS
        rows.append((case.dataset, case.kind, case.id, *clips, *named, count, seconds, case.index))
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(csv_text(rows))
    except FileExistsError as error:
        raise BenchError(f"{path}: already exists. Name another file with --cases.") from error
