"""Contract checks of features: declared arrays, repeatability, unchanged inputs, no files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from bench.checks.subject import CheckFailed, NamedCheck, Subject, raise_if_written, watched
from bench.contract.plugins import Feature
from bench.contract.video import Arrays, Video
from bench.features.computing import checked, needed
from bench.ground.errors import Undefined
from bench.ground.types import Track


def feature_checks(subject: Subject) -> Iterator[NamedCheck]:
    yield "gives the declared arrays", lambda: _check_arrays(subject)
    yield "is deterministic", lambda: _check_repeats(subject)
    yield "leaves its inputs alone", lambda: _check_inputs_kept(subject)
    yield "writes no files", lambda: _check_writes_nothing(subject)


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


def _check_arrays(subject: Subject) -> None:
    feature = subject.feature()
    found = [_arrays(feature, video) for video in _videos(subject)]
    if all(isinstance(arrays, str) for arrays in found):
        raise CheckFailed(f"no specimen has this feature: {found[0]}; give others")


def _check_repeats(subject: Subject) -> None:
    feature = subject.feature()
    first = [_content(_arrays(feature, video)) for video in _videos(subject)]
    again = [_content(_arrays(feature, video)) for video in _videos(subject)]
    fresh = [_content(_arrays(subject.feature(), video)) for video in _videos(subject)]
    for name, other in (("the same instance", again), ("a fresh instance", fresh)):
        if first != other:
            raise CheckFailed(f"{name} gives other arrays for the same video")


def _check_inputs_kept(subject: Subject) -> None:
    videos = _videos(subject)
    before = [_content(_inputs(video)) for video in videos]
    feature = subject.feature()
    for video in videos:
        _arrays(feature, video)
    if [_content(_inputs(video)) for video in videos] != before:
        raise CheckFailed("the feature changed the frames or the sound that it was given")


def _check_writes_nothing(subject: Subject) -> None:
    feature, videos = subject.feature(), _videos(subject)
    with watched() as root:
        for video in videos:
            _arrays(feature, video)
        raise_if_written(root, allowed=())


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
