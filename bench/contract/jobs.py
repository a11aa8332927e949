"""What plugins get and give back: jobs and generations of methods, samples of metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contract.video import Video
from bench.types import Case, Fit, Frame, Sound


@dataclass(frozen=True)
class Job:
    """What a method gets: make `frames` frames of `face` saying `speech`.

    face: the conformed recording (25 fps, even size); read frames with `face.read()`, the face
    track with `face.faces()`. It may be shorter than `frames`: go through it forth and back
    (ping-pong). speech: (640 * frames,) int16. workdir: an empty folder of this job's own; nothing
    may be written elsewhere. other: the case's other clip, for controls; read `other.sound()`.
    prepared: what `prepare` left for the person of this face, to be read and not changed; None for
    methods that prepare nothing. All paths are absolute.
    """

    case: Case
    face: Video
    speech: Sound
    frames: int
    workdir: Path
    seed: int
    log: logging.Logger
    other: Video | None = None
    prepared: Path | None = None


@dataclass(frozen=True)
class PrepareJob:
    """What a method gets to learn one person: `clips` of that person, none of which is tested.

    clips: conformed recordings, at least one; each is opened when you take it, and anew each time,
    so that only those are in memory that you hold. folder: what is left there is `job.prepared`
    later, in other processes. It is empty, or has what an earlier attempt left that was killed or
    failed: write what you can go on from in one move (`os.replace`), and look for it first.
    log: goes on in the file of the earlier attempts.
    """

    person: str
    clips: Sequence[Video]
    folder: Path
    seed: int
    device: str
    log: logging.Logger


@dataclass(frozen=True)
class Generation:
    """What a method returns: RGB frames (H, W, 3) uint8 in order, or the path of a finished file.

    `sound` replaces the job's speech where a control plays something else; None means the speech.
    `fit`: what becomes of a file whose pictures have another shape than the face recording: it is
    refused, stretched, shown whole between black bars, or cut to its middle. `notes`: what a reader
    of the record should know of this one video; they stand beside what conforming changed.
    """

    video: Path | Iterable[Frame]
    sound: Sound | None = None
    fit: Fit = "refuse"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """What a clip metric reads: the video under test and, where the case has one, its reference.

    face: the recording of the case's face, which the method got; for metrics that read "face".
    """

    case: Case
    video: Video
    reference: Video | None = None
    face: Video | None = None
