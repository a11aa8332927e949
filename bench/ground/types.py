"""The types that all rooms share: clips, cases, tracks, outputs.

Conventions everywhere: frames are (T, H, W, 3) uint8 RGB, sound is (S,) int16 mono at 16 kHz, the
frame rate is 25 fps, so a frame lasts 640 sound samples. Boxes are in pixels of the frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

FPS = 25  # frames per second of every conformed video
SAMPLE_RATE = 16_000  # samples per second of every conformed sound
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS  # 640
LONGEST = 1800.0  # seconds of video or sound that are read from a file; configs may raise it

Frame: TypeAlias = NDArray[np.uint8]  # (H, W, 3) RGB
Frames: TypeAlias = NDArray[np.uint8]  # (T, H, W, 3) RGB
Sound: TypeAlias = NDArray[np.int16]  # (S,) mono, 16 kHz
Box: TypeAlias = tuple[float, float, float, float]  # x, y, width, height in pixels

CaseKind: TypeAlias = Literal["reconstruct", "cross", "probe"]
Fit: TypeAlias = Literal["refuse", "stretch", "pad", "crop"]
CASE_KINDS: tuple[CaseKind, ...] = ("reconstruct", "cross", "probe")


@dataclass(frozen=True)
class Clip:
    """One entry of a data set: a video, and its sound.

    `id` is one plain file-name component (bench.data.manifest checks it). `audio` is the sound's
    own file; None means that the sound is in `video`. `box` is the face, if the manifest gives it.
    `sha256` is the digest of the content (of both files if there are two).
    """

    id: str
    video: Path
    audio: Path | None = None
    speaker: str = ""
    language: str = ""
    split: str = ""
    text: str = ""
    box: Box | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Case:
    """One question put to every method: this face says that speech.

    reconstruct: the clip's own speech; its own video is the reference.
    cross: another clip's speech; there is no reference.
    probe: another clip's speech, compared with the clip's own video: reconstruct minus probe is the
    speech gain.
    `other` is the clip whose speech `mismatched` plays and a `probe` case says.
    `index` counts the cases of a data set from 0, in the plan's order.
    """

    dataset: str
    kind: CaseKind
    face: Clip
    speech: Clip
    other: Clip | None = None
    index: int = 0

    @property
    def id(self) -> str:
        """The case's name, unique in its data set and safe as a file name."""
        joint = {"reconstruct": "", "cross": "+", "probe": "~"}[self.kind]
        return f"{self.face.id}{joint}{self.speech.id}" if joint else self.face.id

    @property
    def has_reference(self) -> bool:
        """Whether full-reference metrics apply to the case."""
        return self.kind != "cross"


@dataclass(frozen=True)
class Track:
    """One face over time.

    boxes: (T, 4) float32, x0 y0 x1 y1: from the brows to the chin and from ear to ear.
    mouths: (T, 4) float32, x0 y0 x1 y1: the mouth region, with room for an open jaw.
    found: (T,) bool, True where the face was detected, False where the box is interpolated.
    detector: its name in protocols: "given", "haar", "yunet".
    """

    boxes: NDArray[np.float32]
    mouths: NDArray[np.float32]
    found: NDArray[np.bool_]
    detector: str

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Track:
        """The track that the arrays of the feature `faces` stand for."""
        return cls(arrays["boxes"], arrays["mouths"], arrays["found"], str(arrays["detector"]))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The track as the feature `faces` gives it, under the names of its fields."""
        return {**vars(self), "detector": np.array(self.detector)}

    @property
    def missing(self) -> float:
        """The share of frames without a detected face, in [0, 1]."""
        return float(1.0 - self.found.mean()) if len(self.found) else 1.0


@dataclass(frozen=True)
class Output:
    """One named value that a metric gives for a sample.

    better: "higher", "lower", or "none" if neither direction is better (an offset).
    best: the value of a perfect result, None if there is none. low, high: the range, None where it
    is unbounded.
    curve: True if the value is a sequence (evidence for the case page), not a number for tables.
    """

    name: str
    unit: str
    better: Literal["higher", "lower", "none"]
    best: float | None = None
    low: float | None = None
    high: float | None = None
    title: str = ""
    curve: bool = False
