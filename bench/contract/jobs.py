"""What plugins get and give back: jobs and generations of methods, samples of metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterable
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
    may be written elsewhere. other: the case's other clip, for controls; read `other.sound()`. All
    paths are absolute.
    """

    case: Case
    face: Video
    speech: Sound
    frames: int
    workdir: Path
    seed: int
    log: logging.Logger
    other: Video | None = None


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
    """What a clip metric reads: the video under test and, where the case has one, its reference."""

    case: Case
    video: Video
    reference: Video | None = None
