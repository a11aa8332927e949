"""The persons that methods learn before their cases, and the clips that they may learn from.

These are clips of one split, of the same speaker in the same data set. A clip whose content any
case tests, as face or as speech, is never among them, whatever its name. Clips of an embedded
corpus may still be unrendered; those are compared by their lasting names, which say all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bench.data.lasting_names import lasting_name
from bench.data.manifest import file_digest
from bench.data.sources import Dataset
from bench.features.faces import FACES_VERSION
from bench.files.digests import digest
from bench.ground.errors import BenchError
from bench.ground.types import Case, Clip
from bench.machine.faults import raise_machine_fault
from bench.run.config import Loaded
from bench.run.planned import PlannedMethod


@dataclass(frozen=True)
class Person:
    """A tested person. clips: to learn from. left_out: clips of the split that are tested."""

    dataset: str
    name: str
    clips: tuple[Clip, ...]
    left_out: tuple[Clip, ...]


@dataclass(frozen=True)
class Preparation:
    """A method and a person that it learns; `key` covers everything that changes the result."""

    method: str
    person: Person
    key: str


def find_persons(
    cases: Iterable[Case],
    learned: Mapping[str, Dataset],
    with_digest: Callable[[Clip], Clip],
) -> tuple[Person, ...]:
    """Every person whose face a case shows, with their clips in the split to learn from.

    learned: that split of each data set. with_digest: adds the content's digest to a clip, unless
    it is unrendered. Clips that name no speaker belong to no person.
    """
    cases = list(cases)
    heard = {clip for case in cases for clip in (case.face, case.speech, case.other) if clip}
    tested = frozenset(one for clip in heard for one in _contents(with_digest(clip)))
    faces = dict.fromkeys((case.dataset, case.face.speaker) for case in cases)
    clips: dict[tuple[str, str], list[Clip]] = {key: [] for key in faces if key[1]}
    left_out: dict[tuple[str, str], list[Clip]] = {key: [] for key in clips}
    for name, dataset in learned.items():
        for clip in dataset.clips:
            if (name, clip.speaker) in clips:
                known = with_digest(clip)
                is_tested = not tested.isdisjoint(_contents(known))
                (left_out if is_tested else clips)[name, clip.speaker].append(known)
    return tuple(Person(*key, tuple(clips[key]), tuple(left_out[key])) for key in clips)


def preparations(
    method: PlannedMethod,
    persons: Iterable[Person],
    loaded: Loaded,
    version: Callable[[Clip], str],
) -> tuple[Preparation, ...]:
    """What a method must learn: each person with clips. version: a clip's conforming version."""
    return tuple(
        Preparation(method.label, person, _key(method, person, loaded, version))
        for person in persons
        if person.clips
    )


def with_persons(method: PlannedMethod, learned: Iterable[Preparation]) -> PlannedMethod:
    """The method with the keys of its preparations."""
    keys = {(one.person.dataset, one.person.name): one.key for one in learned}
    return dataclasses.replace(method, persons=keys)


def _key(
    method: PlannedMethod, person: Person, loaded: Loaded, version: Callable[[Clip], str]
) -> str:
    return digest(
        {
            "method": method.key,
            "person": person.name,
            "clips": [[clip.sha256 or lasting_name(clip), clip.box] for clip in person.clips],
            "seed": loaded.config.seed,
            "faces": [loaded.config.tracking, FACES_VERSION],
            "conform": max(map(version, person.clips)),
        }
    )


def _contents(clip: Clip) -> set[str]:
    """The digests of a clip and of its files, so that tested speech is found beside any video.

    And its lasting name, for unrendered clips have no digest.
    """
    found = {lasting_name(clip), *filter(None, [clip.sha256])}
    for path in filter(None, (clip.video, clip.audio)):
        try:
            found.add(file_digest(path))
        except (OSError, BenchError) as error:  # noqa: PERF203 (the clip's own cells report it)
            raise_machine_fault(error)
    return found
