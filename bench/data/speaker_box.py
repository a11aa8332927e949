"""Chooses one face in each clip: gives the box of the largest, most central or speaking one.

The speaking face is the one whose lips follow the sound, by the metric `lse`, which scores each
face as if it were the only one. LSE-C is comparable for one face, but hardly between faces; so each
face is scored with the clip's own sound and with that sound shifted far, and the drop of LSE-C
counts. This is done once, on the data set's clips. A run then follows the face in that box in every
method's video (`face: given`); choosing anew in each video would judge a method with bad lips by
the listener's face.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from bench.contract.jobs import Sample
from bench.contract.plugins import ClipMetric
from bench.contract.registry import load_registry
from bench.contract.video import Video
from bench.data.conform import conform_clip
from bench.features.faces import DetectorName, detector, track_all_faces
from bench.ground.errors import BenchError, Undefined
from bench.ground.types import Box, Case, Clip, Frames, Sound, Track

Wanted: TypeAlias = Literal["speaking", "largest", "central"]

SHIFTS = (
    0.25,
    0.5,
    0.75,
)  # circular shifts, as shares of the sound's length: beyond the scorer's 15 frames
CLOSE = 0.5  # the choice is in doubt if the second face has this share of the first one's lead


@dataclass(frozen=True)
class BoxedClip:
    """A clip with the box of the chosen face.

    faces: how many were found. leads: by how much each face's LSE-C exceeds the best one with a
    shifted sound, the chosen face first; empty unless the speaking face was wanted. reason: why the
    clip has no box, or why the box is in doubt; else "".
    """

    clip: Clip
    faces: int
    leads: tuple[float, ...] = ()
    reason: str = ""


def choose_boxes(
    clips: Sequence[Clip],
    *,
    wanted: Wanted,
    faces: DetectorName,
    scorer: str,
    device: str,
    cache: Path,
) -> Iterator[BoxedClip]:
    """Each clip with the box of the wanted face, in pixels of the clip, as soon as it is known.

    A clip that cannot be read, shows no face, or has faces that the scorer cannot compare (no
    sound, too short) gets no box, and a reason. Raises BenchError where the weights of the detector
    or the scorer are missing.
    """
    look = detector(faces)
    lead = _leads(scorer, device) if wanted == "speaking" else None
    for clip in clips:
        try:
            video = Video(conform_clip(clip, cache=cache).path)
            frames = video.read()
            tracks = track_all_faces(frames, look)
            if not tracks:
                raise BenchError("no face found")
            yield _boxed(clip, frames, video.sound(), tracks, wanted, lead)
        except (BenchError, Undefined) as error:  # noqa: PERF203 (one bad clip fails alone)
            yield BoxedClip(dataclasses.replace(clip, box=None), 0, reason=str(error))


def _boxed(
    clip: Clip,
    frames: Frames,
    sound: Sound | None,
    tracks: Sequence[Track],
    wanted: Wanted,
    lead: Callable[[Frames, Sound, Track], float] | None,
) -> BoxedClip:
    def chosen(track: Track) -> Clip:
        return dataclasses.replace(clip, box=_box(track))

    if wanted == "central":
        middle = np.array(frames.shape[2:0:-1]) / 2  # x, y
        tracks = sorted(tracks, key=lambda track: _distance(track, middle))
    if lead is None or len(tracks) == 1:
        return BoxedClip(chosen(tracks[0]), len(tracks))
    if sound is None:
        raise BenchError(f"{len(tracks)} faces, and no sound to find the speaking one")
    leads = [lead(frames, sound, track) for track in tracks]
    order = sorted(range(len(tracks)), key=lambda place: -leads[place])
    best, second = leads[order[0]], leads[order[1]]
    doubt = ""
    if best <= 0:
        doubt = f"the lips of none of {len(tracks)} faces follow the sound; check the box"
    elif second > CLOSE * best:
        doubt = f"the lips of two faces follow the sound ({best:.3f}, {second:.3f}); check the box"
    return BoxedClip(
        chosen(tracks[order[0]]), len(tracks), tuple(leads[place] for place in order), doubt
    )


def _leads(scorer: str, device: str) -> Callable[[Frames, Sound, Track], float]:
    """A function that gives by how much a face's LSE-C exceeds that with shifted sounds."""
    plugin = load_registry().metric("lse").plugin
    assert issubclass(plugin, ClipMetric)
    metric = plugin(plugin.Options.model_validate({"scorer": scorer}))
    metric.load(device)
    clip = Clip("face", Path())  # lse reads only the sample's video
    case = Case("clips", "reconstruct", clip, clip)

    def confidence(frames: Frames, sound: Sound, track: Track) -> float:
        value = metric.measure(Sample(case, Video.of(frames, sound, track=track)))["lse_c"]
        assert isinstance(value, float)
        return value

    def lead(frames: Frames, sound: Sound, track: Track) -> float:
        shifted = [np.roll(sound, round(share * len(sound))) for share in SHIFTS]
        best = max(confidence(frames, other, track) for other in shifted)
        return confidence(frames, sound, track) - best

    return lead


def _box(track: Track) -> Box:
    """The median box over the frames that show the face, in whole pixels."""
    x0, y0, x1, y1 = np.median(track.boxes[track.found], axis=0).round()
    return (float(x0), float(y0), float(x1 - x0), float(y1 - y0))


def _distance(track: Track, middle: np.ndarray) -> float:
    x, y, width, height = _box(track)
    return float(np.hypot(*((np.array([x + width / 2, y + height / 2]) - middle) / middle)))
