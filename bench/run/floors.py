"""Which cases the quiet controls are put to, so that a report can tell what each number is worth.

Quiet controls are methods that a plan adds by itself and that stand in no table: the clip lightly
degraded (`degraded`), another person (`stranger`), and those of `truth`, `still` and `mismatched`
that the config does not name. They are put to a few cases only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.ground.types import Case, Clip
from bench.run.cases import spread
from bench.run.planned import PlannedCase, PlannedMethod

MARK = "_"  # begins the label of every quiet control; no label of a config may begin with it
DEGRADED, STRANGER = "degraded", "stranger"
DEGRADATIONS = ("jpeg", "noise", "encoding")  # values of the option `how` of `degraded`
CONTROLS = ("truth", "still", "mismatched")  # are quiet where the config does not name them


@dataclass(frozen=True)
class Floors:
    """The quiet controls of a plan.

    asked: by case, the quiet controls that it is put to. cases: those of these that no other method
    is put to, because their other clip is one of another speaker.
    """

    methods: tuple[PlannedMethod, ...] = ()
    asked: Mapping[PlannedCase, tuple[PlannedMethod, ...]] = field(default_factory=dict)
    cases: tuple[PlannedCase, ...] = ()


def few_cases(
    cases: Sequence[PlannedCase], most: int, *, barred: Collection[str] = ()
) -> tuple[PlannedCase, ...]:
    """At most that many of the `reconstruct` cases, in their order, spread over speakers.

    barred: ids of clips to leave alone.
    """
    able = [
        planned
        for planned in cases
        if planned.case.kind == "reconstruct" and planned.case.face.id not in barred
    ]
    few = set(spread([planned.case for planned in able], most))
    return tuple(planned for planned in able if planned.case in few)


def with_strangers(
    cases: Sequence[Case], clips: Sequence[Clip], *, barred: Collection[str] = ()
) -> Iterator[Case]:
    """The cases with a clip of another speaker as other one; without those that have none.

    A clip that names no speaker is known to be nobody's other person. The other speaker is the next
    one in the order of the clips, so that each is taken about as often.
    """
    first: dict[str, Clip] = {}
    for clip in clips:
        if clip.speaker and clip.id not in barred:
            first.setdefault(clip.speaker, clip)
    speakers = list(first)
    for case in cases:
        if case.face.speaker in first and len(speakers) > 1:
            after = speakers.index(case.face.speaker) + 1
            yield replace(case, other=first[speakers[after % len(speakers)]])
