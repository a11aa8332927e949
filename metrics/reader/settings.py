"""What `settings:` of the lip readers' training configs may hold. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import pydantic

from bench.train.ready_clips import Detector
from bench.train.settings import Precision, StageSettings

UnitKind: TypeAlias = Literal["visemes", "words"]


class Settings(StageSettings):
    """What `settings:` of the config may hold."""

    units: UnitKind = "visemes"
    steps: int = pydantic.Field(default=800, ge=1)
    clips: int = pydantic.Field(default=16, ge=1)  # a batch
    views: int = pydantic.Field(default=2, ge=1)  # of each clip; the first is straight
    frames: int = pydantic.Field(default=75, ge=10)  # of a clip at most
    learning_rate: float = pydantic.Field(default=2e-3, gt=0)
    weight_decay: float = pydantic.Field(default=0.03, ge=0)
    dropout: float = pydantic.Field(default=0.2, ge=0, lt=1)
    smoothing: float = pydantic.Field(default=0.1, ge=0, lt=1)  # of the labels
    sequence_weight: float = pydantic.Field(default=0.3, ge=0)  # of the loss on whole sentences
    exchanged: float = pydantic.Field(default=0.3, ge=0, le=1)  # sentences put together of several
    balance: float = pydantic.Field(default=0.85, ge=0, le=1)
    average: float = pydantic.Field(default=0.995, ge=0, lt=1)  # of the weights that are kept
    report_every: int | None = pydantic.Field(default=20, ge=1)
    save_every: int = pydantic.Field(default=100, ge=1)
    precision: Precision = "bfloat16"
    threads: int = pydantic.Field(default=1, ge=1)  # beside the process that makes batches
    blinked: float = pydantic.Field(default=0.1, ge=0, lt=1)  # share of frames not seen
    faces: tuple[Detector, ...] = ("haar",)  # each clip comes once for each
    start: Path | None = None  # a reader's weights to go on from, with a new schedule
