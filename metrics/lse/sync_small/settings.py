"""The keys of `settings:` in the scorer's training config. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pydantic

from bench.train.ready_clips import Detector
from bench.train.settings import Precision, StageSettings


@dataclass(frozen=True)
class Shape:
    """The composition of a batch.

    clips: per batch. windows: per clip, from `segment` consecutive frames. damaged: how many of the
    clips are repeated with damage. still: windows of a frozen face, per clip. person_clips: as in
    Settings. recordings: whether speed, room and codecs vary, too.
    """

    clips: int
    windows: int
    segment: int
    damaged: int
    still: int
    person_clips: int | None = None
    recordings: bool = False


class Settings(StageSettings):
    """The keys of `settings:`.

    person_clips: a speaker with more clips than this counts as several, one for each so many; all
    but one of them are disguised (`disguise`). None: nobody is. recordings: whether the speed of
    speech, the room and the codecs vary (`recording`), besides what `augmentation` varies.
    """

    steps: int = pydantic.Field(default=6000, ge=1)
    clips: int = pydantic.Field(default=8, ge=1)  # per batch
    windows: int = pydantic.Field(default=20, ge=2)  # per clip
    segment: int = pydantic.Field(default=48, ge=7)  # consecutive frames that hold the windows
    damaged: int = pydantic.Field(default=2, ge=1)  # clips of a batch that are repeated with damage
    still: int = pydantic.Field(default=2, ge=1)  # windows of a frozen face, per clip
    learning_rate: float = pydantic.Field(default=2e-3, gt=0)
    weight_decay: float = pydantic.Field(default=0.02, ge=0)
    balance: float = pydantic.Field(default=0.85, ge=0, le=1)
    person_clips: int | None = pydantic.Field(default=None, ge=1)
    recordings: bool = False
    scale: float = pydantic.Field(default=10.0, gt=0)  # of the cosines in the matching loss
    rank_weight: float = pydantic.Field(default=1.0, ge=0)
    rank_margin: float = pydantic.Field(default=0.15, ge=0)
    still_weight: float = pydantic.Field(default=3.0, ge=0)
    average: float = pydantic.Field(default=0.998, ge=0, lt=1)  # of the weights that are kept
    report_every: int | None = pydantic.Field(default=20, ge=1)
    save_every: int = pydantic.Field(default=400, ge=1)
    precision: Precision = "bfloat16"
    threads: int = pydantic.Field(default=1, ge=1)  # besides the process that builds batches

    faces: tuple[Detector, ...] = ("haar",)  # each clip is used once per detector
    start: Literal["shipped"] | Path | None = None  # sync_small, or a file; with a new schedule

    @property
    def shape(self) -> Shape:
        """The composition of a batch."""
        return Shape(
            self.clips,
            self.windows,
            self.segment,
            self.damaged,
            self.still,
            person_clips=self.person_clips,
            recordings=self.recordings,
        )

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Settings:
        if self.damaged > self.clips:
            raise ValueError(f"damaged ({self.damaged}) is more than clips ({self.clips})")
        if self.windows > self.segment - 4 or self.still > self.windows:
            raise ValueError("a segment must hold the windows, and the windows the still ones")
        if self.paced:
            raise ValueError("paced: the scorer takes the number of steps that `steps` gives")
        return self
