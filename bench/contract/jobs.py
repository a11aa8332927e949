"""What plugins get and return: jobs and generations of methods, samples of metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.contract.video import Video
from bench.ground.types import Case, Fit, Frame, Sound


@dataclass(frozen=True)
class Job:
    """What a method gets: generate `frames` frames of `face` saying `speech`.

    face: the conformed clip (25 fps, even size); read frames with `face.read()`, the face track
    with `face.faces()`. If it is shorter than `frames`, go through it forth and back (ping-pong).
    speech: (640 * frames,) int16. workdir: an empty folder for this job; write nowhere else.
    other: the case's other clip, for controls, at its own rate and size. prepared: the folder that
    `prepare` filled for the person of this face, read-only; None for methods without `prepare`.
    All paths are absolute.
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

    clips: at least one. Each access conforms and opens a clip anew, so that only the clips that you
    ask for take time, and those that you hold memory; it raises BenchError if the clip cannot be
    used. folder: becomes `job.prepared` later, in other processes. It may hold what
    an earlier attempt left that was killed or failed: look for this first, and write what you can
    continue from in one move (`os.replace`). log: appends to the log of the earlier attempts.

    names: of the clips, in their order, the same on every machine: the digest of the source's
    content; of an embedded corpus, whose bytes may differ, corpus, version and id. features: how
    the clips' features are computed, by name, as protocols say it: {"landmarks": "small"}.
    """

    person: str
    clips: Sequence[Video]
    folder: Path
    seed: int
    device: str
    log: logging.Logger
    names: tuple[str, ...]
    features: Mapping[str, str]


@dataclass(frozen=True)
class Cut:
    """A part of each frame of the face clip, turned and scaled: what a method shows alone.

    transforms: (2, 3) for all frames, or (T, 2, 3), one for each frame of the speech; each takes
    x y in pixels of the face clip's frame to x y in the crop, as `cv2.warpAffine` takes it. height,
    width: the crop's size in pixels; of odd ones the last row or column is dropped when the video
    is written. beyond: what a crop shows where the frame ends.
    """

    transforms: NDArray[np.float64]
    height: int
    width: int
    beyond: Literal["repeated", "black"] = "repeated"


@dataclass(frozen=True)
class Generation:
    """What a method returns: RGB frames (H, W, 3) uint8 in order, or the path of a finished file.

    `sound`: for controls that play something else than the job's speech; None means the speech.
    `fit`: what to do with a file of another aspect ratio than the face clip: refuse it, stretch it,
    pad it with black bars, or crop it to its middle. `notes`: what a reader of the record should
    know about this video; they are recorded with the notes of conforming.

    `cut`: where the frames show a part of the face clip's frames alone: they have the cut's size,
    and metrics get the reference cut in the same way. `made`: the frames of the speech that the
    video holds, if the method does not make all; its sound and the reference are cut to them, and
    the rest is counted as missing. A `sound` is that of the whole speech nevertheless.
    """

    video: Path | Iterable[Frame]
    sound: Sound | None = None
    fit: Fit = "refuse"
    notes: tuple[str, ...] = ()
    cut: Cut | None = None
    made: range | None = None


@dataclass(frozen=True)
class Sample:
    """What a clip metric reads: the video under test and, if the case has one, its reference.

    reference: the same cut and the same frames as the video's, where the method cut the face out or
    made a part of the frames.
    face: the recording of the case's face, which the method got; for metrics that read "face".
    """

    case: Case
    video: Video
    reference: Video | None = None
    face: Video | None = None
