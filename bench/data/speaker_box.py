"""Points at one face of each clip: writes the box of the largest, most central or speaking one.

Whose lips follow the sound is asked of the metric `lse`: each face of the recording is scored as if
it were the only one. LSE-C compares a face with itself well and different faces poorly, so each is
scored with the clip's own sound and with that sound moved far away, too; what counts is how far
LSE-C falls. This is done once, on the recordings. A run then follows the face on the box in every
method's video (`face: given`): asked of each video anew, a method with bad lips would be judged by
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
from bench.errors import BenchError, Undefined
from bench.features.faces import DetectorName, detector, track_all_faces
from bench.types import Box, Case, Clip, Frames, Sound, Track

Wanted: TypeAlias = Literal["speaking", "largest", "central"]

MOVES = (
    0.25,
    0.5,
    0.75,
)  # of the sound's length, in a circle: out of the scorer's reach of 15 frames
CLOSE = 0.5  # a second face that reaches this share of the first one's lead is too close to it


@dataclass(frozen=True)
class Pointed:
    """A clip with the box of the wanted face.

    faces: how many were found. leads: of each, the wanted one first, by how much LSE-C is above the
    best of the moved sounds, where who speaks was asked. reason: why the clip has no box, or why it
    is doubtful; else nothing.
    """

    clip: Clip
    faces: int
    leads: tuple[float, ...] = ()
    reason: str = ""


def point(
    clips: Sequence[Clip],
    *,
    wanted: Wanted,
    faces: DetectorName,
    scorer: str,
    device: str,
    cache: Path,
) -> Iterator[Pointed]:
    """Each clip with the box of the wanted face, in pixels of the clip, as soon as it is known.

    A clip that cannot be read, shows no face, or whose faces cannot be told apart by the scorer
    (no sound, too short) loses its box and says why. Raises BenchError where the weights of the
    detector or the scorer are missing.
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
            yield _pointed(clip, frames, video.sound(), tracks, wanted, lead)
        except (BenchError, Undefined) as error:  # noqa: PERF203 (one bad clip costs itself)
            yield Pointed(dataclasses.replace(clip, box=None), 0, reason=str(error))


def _pointed(
    clip: Clip,
    frames: Frames,
    sound: Sound | None,
    tracks: Sequence[Track],
    wanted: Wanted,
    lead: Callable[[Frames, Sound, Track], float] | None,
) -> Pointed:
    def chosen(track: Track) -> Clip:
        return dataclasses.replace(clip, box=_box(track))

    if wanted == "central":
        middle = np.array(frames.shape[2:0:-1]) / 2  # x, y
        tracks = sorted(tracks, key=lambda track: _distance(track, middle))
    if lead is None or len(tracks) == 1:
        return Pointed(chosen(tracks[0]), len(tracks))
    if sound is None:
        raise BenchError(f"{len(tracks)} faces, and no sound to tell who speaks")
    leads = [lead(frames, sound, track) for track in tracks]
    order = sorted(range(len(tracks)), key=lambda place: -leads[place])
    best, second = leads[order[0]], leads[order[1]]
    doubt = ""
    if best <= 0:
        doubt = f"the lips of none of {len(tracks)} faces follow the sound; look at it"
    elif second > CLOSE * best:
        doubt = f"the lips of two faces follow the sound ({best:.3f}, {second:.3f}); look at it"
    return Pointed(
        chosen(tracks[order[0]]), len(tracks), tuple(leads[place] for place in order), doubt
    )


def _leads(scorer: str, device: str) -> Callable[[Frames, Sound, Track], float]:
    """A function that says by how much a face's LSE-C is above that with moved sounds."""
    plugin = load_registry().metric("lse").plugin
    assert issubclass(plugin, ClipMetric)
    metric = plugin(plugin.Options.model_validate({"scorer": scorer}))
    metric.load(device)
    clip = Clip("face", Path())  # lse reads the video alone
    case = Case("clips", "reconstruct", clip, clip)

    def confidence(frames: Frames, sound: Sound, track: Track) -> float:
        value = metric.measure(Sample(case, Video.of(frames, sound, track=track)))["lse_c"]
        assert isinstance(value, float)
        return value

    def lead(frames: Frames, sound: Sound, track: Track) -> float:
        moved = [np.roll(sound, round(share * len(sound))) for share in MOVES]
        away = max(confidence(frames, other, track) for other in moved)
        return confidence(frames, sound, track) - away

    return lead


def _box(track: Track) -> Box:
    """The box in the median over the frames that show the face, in whole pixels."""
    x0, y0, x1, y1 = np.median(track.boxes[track.found], axis=0).round()
    return (float(x0), float(y0), float(x1 - x0), float(y1 - y0))


def _distance(track: Track, middle: np.ndarray) -> float:
    x, y, width, height = _box(track)
    return float(np.hypot(*((np.array([x + width / 2, y + height / 2]) - middle) / middle)))
