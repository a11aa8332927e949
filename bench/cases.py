"""Cases: what is asked of every method, made from a data set's clips."""

from __future__ import annotations

from collections.abc import Sequence

from bench.data.pairs import partner, seeded_pairs
from bench.types import Case, CaseKind, Clip


def make_cases(
    dataset: str,
    clips: Sequence[Clip],
    *,
    kinds: Sequence[CaseKind],
    seed: int,
    pairs: Sequence[tuple[Clip, Clip]] | None = None,
    cross: int | None = None,
) -> list[Case]:
    """All cases of a data set: those of each clip, then the cross pairs.

    A clip's `other` (whose speech `probe` speaks and `mismatched` plays) is drawn by the seed.
    pairs: a frozen list (face, speech) for `cross`; without one, pairs are drawn by the seed.
    A data set of one clip has no other speech, hence no probe and no cross case.
    """
    others = partner(clips, seed=seed)
    cases: list[Case] = []
    for clip in clips:
        other = others.get(clip.id)
        if "reconstruct" in kinds:
            cases.append(Case(dataset, "reconstruct", clip, clip, other))
        if "probe" in kinds and other is not None:
            cases.append(Case(dataset, "probe", clip, other, other))
    if "cross" in kinds and len(clips) > 1:
        drawn = seeded_pairs(clips, seed=seed, count=cross) if pairs is None else pairs
        cases += [
            Case(dataset, "cross", face, speech, others.get(face.id)) for face, speech in drawn
        ]
    return cases
