"""The keys of `settings:` in Diff2Lip's training configs. No torch here."""

from __future__ import annotations

from typing import Literal

import pydantic

from bench.train.expert_settings import ExpertSettings
from bench.train.ready_clips import Detector
from bench.train.settings import Precision, StageSettings, TrainSettings
from methods.diff2lip.sizes import SMALL, Filling

PARTS = ("expert", "network")


class NetworkSettings(StageSettings):
    """The keys of `settings.network`; defaults are the author's weights of the losses (thread #41).

    `sync_from` is a share of the steps.
    """

    width: int = pydantic.Field(default=SMALL.width, ge=32, multiple_of=32)
    multipliers: tuple[int, ...] = SMALL.multipliers  # of the channels, level by level
    blocks: int = pydantic.Field(default=SMALL.blocks, ge=1)
    attention: tuple[int, ...] = SMALL.attention  # reductions at which places see each other
    top: int = pydantic.Field(default=SMALL.top, ge=0, le=SMALL.hidden)  # the first row seen

    predicts: Literal["noise", "x0"] = "x0"
    noising: Literal["linear", "cosine"] = "cosine"
    filling: Filling = "grey"
    leaning: float = pydantic.Field(default=2.0, ge=1)  # towards high noise; 1: all times alike

    steps: int = pydantic.Field(default=2400, ge=1)
    batch: int = pydantic.Field(default=1, ge=0)  # clips with five frames each
    singles: int = pydantic.Field(default=7, ge=0)  # further clips with one frame each
    learning_rate: float = pydantic.Field(default=1e-3, gt=0)
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    schedule: Literal["constant", "one_cycle"] = "one_cycle"
    clip_norm: float = pydantic.Field(default=1.0, gt=0)  # of the gradients
    average: float = pydantic.Field(default=0.999, ge=0, lt=1)  # decay of the weights' average
    hearing_steps: int = pydantic.Field(default=0, ge=0)  # of the speech encoder alone, before all
    hearing: Literal["expert", "mouths"] = "expert"  # its teacher
    precision: Precision = "bfloat16"
    channels_last: bool = True

    mouth: float = pydantic.Field(default=1.0, gt=0)  # weight of the mouth's pixels
    pyramid: float = pydantic.Field(default=0.25, ge=0)  # in place of the author's LPIPS
    sync: float = pydantic.Field(default=0.1, ge=0)
    sync_from: float = pydantic.Field(default=0.3, ge=0, le=1)
    sync_below: int = pydantic.Field(default=500, ge=1, le=1000)  # only at times below this

    sampling: int = pydantic.Field(default=5, ge=1, le=1000)  # DDIM steps in validations
    val_clips: int = pydantic.Field(default=8, ge=1)

    @pydantic.model_validator(mode="after")
    def _fits(self) -> NetworkSettings:
        if self.batch + self.singles == 0:
            raise ValueError("batch and singles are both 0; at least one clip is needed")
        reduction = 2 ** (len(self.multipliers) - 1)
        rows = SMALL.side - self.top
        if rows % reduction or SMALL.side % reduction:
            raise ValueError(
                f"{rows} rows (96 less top) and 96 columns must be multiples of {reduction}, for "
                f"{len(self.multipliers)} levels"
            )
        if self.has_sync and not self.batch:
            raise ValueError("sync needs clips with five frames: batch from 1")
        return self

    @property
    def has_sync(self) -> bool:
        """Whether the sync loss takes part at any step."""
        return bool(self.sync) and self.sync_from < 1

    @property
    def needs_expert(self) -> bool:
        """Whether anything needs the sync expert."""
        return self.has_sync or (self.hearing_steps > 0 and self.hearing == "expert")


class Settings(TrainSettings):
    """The keys of `settings`: the clips, and each network by its name."""

    faces: Detector = "haar"
    lead: int = pydantic.Field(
        default=1, ge=0
    )  # by how many frames a frame's sound window begins earlier
    threads: int | None = pydantic.Field(default=None, ge=1)  # None: torch's default
    expert: ExpertSettings = ExpertSettings()
    network: NetworkSettings = NetworkSettings()
