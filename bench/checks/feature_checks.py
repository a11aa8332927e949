"""Contract checks of features: declared arrays, repeatability, unchanged inputs, no files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.checks.subject import CheckFailed, NamedCheck, Once, Subject, raise_if_written, watched
from bench.contract.plugins import Feature
from bench.contract.video import Arrays, Video
from bench.features.computing import checked, needed
from bench.ground.errors import Undefined
from bench.ground.types import Track


def feature_checks(subject: Subject) -> Iterator[NamedCheck]:
    first = Once(lambda: _first_run(subject))
    yield "gives the declared arrays", lambda: _check_arrays(first())
    yield "is deterministic", lambda: _check_repeats(subject, first())
    yield "leaves its inputs alone", lambda: _check_inputs_kept(first())
    yield "writes no files", lambda: first().raise_if_written()


@dataclass(frozen=True)
class _FirstRun:
    """What one run showed. content: of the videos, before and after it.

    written: the files that it wrote, as a failure; None if there are none.
    """

    feature: Feature
    found: list[Arrays | str]
    content: tuple[list[str], list[str]]
    written: CheckFailed | None

    def raise_if_written(self) -> None:
        if self.written is not None:
            raise self.written


def _first_run(subject: Subject) -> _FirstRun:
    feature, videos = subject.feature(), _videos(subject)
    before, written = [_content(_inputs(video)) for video in videos], None
    with watched() as root:
        found = [_arrays(feature, video) for video in videos]
        try:
            raise_if_written(root, allowed=())
        except CheckFailed as failure:
            written = failure
    after = [_content(_inputs(video)) for video in videos]
    return _FirstRun(feature, found, (before, after), written)


def _videos(subject: Subject) -> list[Video]:
    """Fresh copies of the specimens' videos, without cached results."""
    found = []
    computing = subject.computing()
    reads_faces = "faces" in needed(subject.feature().reads, subject.features)
    for specimen in subject.specimens():
        given = specimen.sample.video
        sound, track = given.sound(), given.faces() if reads_faces else None
        video = Video.of(
            given.read().copy(), None if sound is None else sound.copy(), track=_copied(track)
        )
        video.features, video.box = computing, given.box
        found.append(video)
    return found


def _copied(track: Track | None) -> Track | None:
    if track is None:
        return None
    return Track(track.boxes.copy(), track.mouths.copy(), track.found.copy(), track.detector)


def _arrays(feature: Feature, video: Video) -> Arrays | str:
    """The arrays of a video, or the reason if there are none."""
    try:
        return checked(type(feature), feature.compute(video))
    except Undefined as reason:
        if not str(reason).strip():
            raise CheckFailed("compute() raises Undefined without a reason") from None
        return str(reason)


def _check_arrays(run: _FirstRun) -> None:
    if all(isinstance(arrays, str) for arrays in run.found):
        raise CheckFailed(f"no specimen has this feature: {run.found[0]}; give others")


def _check_repeats(subject: Subject, run: _FirstRun) -> None:
    first = [_content(arrays) for arrays in run.found]
    again = [_content(_arrays(run.feature, video)) for video in _videos(subject)]
    fresh = [_content(_arrays(subject.feature(), video)) for video in _videos(subject)]
    for name, other in (("the same instance", again), ("a fresh instance", fresh)):
        if first != other:
            raise CheckFailed(f"{name} gives other arrays for the same video")


def _check_inputs_kept(run: _FirstRun) -> None:
    before, after = run.content
    if after != before:
        raise CheckFailed("the feature changed the frames or the sound that it was given")


def _inputs(video: Video) -> Arrays:
    sound = video.sound()
    return {"frames": video.read()} | ({} if sound is None else {"sound": sound})


def _content(found: Arrays | str) -> str:
    running = hashlib.sha256()
    if isinstance(found, str):
        return found
    for name, array in sorted(found.items()):
        running.update(f"{name} {array.dtype} {array.shape}".encode())
        running.update(np.ascontiguousarray(array).tobytes())
    return running.hexdigest()
