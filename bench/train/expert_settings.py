"""The settings of a sync expert's training. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pydantic

from bench.train.settings import Precision, StageSettings


class ExpertSettings(StageSettings):
    """Settings of a sync expert's training. The defaults are nearly Wav2Lip's own recipe."""

    weights: Path | None = None  # a trained expert; then none is trained
    seed: int = pydantic.Field(
        default=0, ge=0
    )  # separate, so that all seeds of a generator share an expert
    width: float = pydantic.Field(default=1.0, gt=0)
    loss: Literal["pairs", "matching"] = "pairs"
    steps: int = pydantic.Field(default=200_000, ge=1)
    clips: int = pydantic.Field(default=12, ge=1)  # per batch
    windows: int = pydantic.Field(default=20, ge=2)  # per clip
    learning_rate: float = pydantic.Field(default=1e-3, gt=0)
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    schedule: Literal["constant", "one_cycle"] = "constant"
    augmentation: bool = False  # of the frames; Wav2Lip has none
    precision: Precision = "bfloat16"
    channels_last: bool = True
