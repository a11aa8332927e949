"""Cases: what is asked of every method, made from a data set's clips."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from pathlib import Path

from bench.data.pairs import partner, seeded_pairs
from bench.errors import BenchError
from bench.types import Case, CaseKind, Clip

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

    A clip's `other` (whose speech `probe` speaks and `mismatched` plays) is drawn by the seed.
    pairs: a frozen list (face, speech) for `cross`; without one, pairs are drawn by the seed.
    barred: ids of clips that are drawn for no pair; a list may name them. A data set of one clip
    has no other speech, hence no probe and no cross case.
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
    return cases


def write_cases(path: Path, cases: Sequence[Case]) -> None:
    """Writes a csv of cases: names, the video that shows the face, the file that has the speech.

    Raises BenchError where `path` exists already: it may be somebody's manifest.
    """
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for case in cases:
                files = case.face.video, case.speech.audio or case.speech.video
                writer.writerow((case.dataset, case.kind, case.id, *files))
    except FileExistsError as error:
        raise BenchError(f"{path}: is there already. Name another file with --cases.") from error
    except OSError as error:
        raise BenchError(f"{path}: cannot be written: {error.strerror or error}.") from error
