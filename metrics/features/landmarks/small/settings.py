"""The settings of the small landmark network's training, checked without loading torch."""

from __future__ import annotations

from pathlib import Path

import pydantic

from bench.train.ready_clips import Detector
from bench.train.settings import Precision, StageSettings


class Settings(StageSettings):
    """What `settings:` of the config may hold.

    batch: faces of a step; nothing: how many beside them show no face. gaps: weight of the error in
    the openings of lips and lids. maps: weight of the heat maps' cross-entropy. faces: each clip
    comes once for each. bearded: the share of the faces that get a moustache or a beard. val_clips:
    those of `val` that are looked at. start: a weights file to go on from, with a new schedule.
    """

    steps: int = pydantic.Field(default=3000, ge=1)
    batch: int = pydantic.Field(default=32, ge=1)
    nothing: int = pydantic.Field(default=4, ge=1)
    learning_rate: float = pydantic.Field(default=2e-3, gt=0)
    weight_decay: float = pydantic.Field(default=0.02, ge=0)
    gaps: float = pydantic.Field(default=1.0, ge=0)
    maps: float = pydantic.Field(default=0.3, ge=0)
    bearded: float = pydantic.Field(default=0.0, ge=0, le=1)
    balance: float = pydantic.Field(default=0.5, ge=0, le=1)  # 0: all speakers alike
    average: float = pydantic.Field(default=0.998, ge=0, lt=1)
    report_every: int | None = pydantic.Field(default=20, ge=1)
    save_every: int = pydantic.Field(default=200, ge=1)
    precision: Precision = "bfloat16"
    channels_last: bool = True
    threads: int = pydantic.Field(default=1, ge=1)
    val_clips: int = pydantic.Field(default=18, ge=1)

    faces: tuple[Detector, ...] = ("haar",)
    start: Path | None = None

    @pydantic.model_validator(mode="after")
    def _is_not_paced(self) -> Settings:
        if self.paced:
            raise ValueError("paced is not for this network; give steps, and stop_after if wanted")
        return self
