"""What `settings:` of a training config of the family may hold. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import pydantic

from bench.train.expert_settings import ExpertSettings
from bench.train.ready_clips import Detector
from bench.train.settings import Precision, StageSettings, TrainSettings

PARTS = ("expert", "generator")  # the discriminator is trained with the generator

Start: TypeAlias = Literal["random", "copy", "shipped"] | Path
Hearing: TypeAlias = Literal["random", "expert", "start"]


class GeneratorSettings(StageSettings):
    """Of `settings.generator`. The defaults are Wav2Lip's own recipe.

    Shares (`sync_from`, `adversarial_from`) are of the steps.
    """

    width: float = pydantic.Field(default=1.0, gt=0)
    start: Start = "random"  # copy: the reference passes through at first; or a trained Wav2Lip
    hearing: Hearing = "random"  # how the speech encoder starts; see `initialisation`
    steps: int = pydantic.Field(default=300_000, ge=1)
    batch: int = pydantic.Field(default=16, ge=1)  # clips, five frames of each
    singles: int = pydantic.Field(default=0, ge=0)  # and further clips, one frame of each
    learning_rate: float = pydantic.Field(default=1e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    schedule: Literal["constant", "one_cycle"] = "constant"
    clip_norm: float = pydantic.Field(default=1.0, gt=0)  # of the gradients
    average: float = pydantic.Field(default=0.0, ge=0, lt=1)  # of the weights kept; 0: the last
    precision: Precision = "bfloat16"
    channels_last: bool = True
    colour: float = pydantic.Field(default=0.0, ge=0, lt=1)  # augmentation: gain and offset

    lower: float = pydantic.Field(default=1.0, gt=0)  # what a pixel of the lower half counts
    mouth: float = pydantic.Field(default=1.0, gt=0)  # and of the mouth
    moved: float = pydantic.Field(default=0.0, ge=0)  # and one unlike the reference's, in addition
    pyramid: float = pydantic.Field(default=0.0, ge=0)  # weight of the Laplacian bands
    peaks: float = pydantic.Field(default=0.0, ge=0)  # weight of outsize values in the decoder

    sync: float = pydantic.Field(default=0.03, ge=0, lt=1)
    sync_below: float = 0.75  # the validation loss at which the sync loss comes in
    sync_from: float = pydantic.Field(default=1.0, ge=0, le=1)  # or here, at the latest
    sync_augmentation: bool = False  # the expert sees mouths as augmented as those it learned from
    shape: float = pydantic.Field(default=0.0, ge=0)  # weight of the expert's view of both mouths

    adversarial: float = pydantic.Field(default=0.07, ge=0, lt=1)
    adversarial_from: float = pydantic.Field(default=1.0, ge=0, le=1)
    matching: float = pydantic.Field(default=0.0, ge=0)  # of the discriminator's features

    patience: int = pydantic.Field(default=0, ge=0)  # validations without a better one; 0: no end
    val_clips: int = pydantic.Field(default=24, ge=1)

    @pydantic.model_validator(mode="after")
    def _fits(self) -> GeneratorSettings:
        if self.sync + self.adversarial >= 1:
            raise ValueError("sync and adversarial leave nothing to the reconstruction (eq. 15)")
        if self.hearing == "start" and self.start in ("random", "copy"):
            raise ValueError(f"hearing: start needs a start that hears, found {self.start!r}")
        return self


class DiscriminatorSettings(TrainSettings):
    """Of `settings.discriminator`, which is trained with the generator, step by step."""

    width: float = pydantic.Field(default=1.0, gt=0)
    learning_rate: float = pydantic.Field(default=1e-4, gt=0)
    instance_norm: bool | None = None  # None: as the variant has it
    frames: int = pydantic.Field(default=5, ge=1, le=5)  # of each window that it sees


class Settings(TrainSettings):
    """Of the whole training: the clips, and each network by its name."""

    faces: Detector = "haar"
    lead: int = pydantic.Field(default=1, ge=0)  # frames before its own that a frame hears from
    threads: int | None = pydantic.Field(default=None, ge=1)  # None: as many as torch takes
    expert: ExpertSettings = ExpertSettings()
    generator: GeneratorSettings = GeneratorSettings()
    discriminator: DiscriminatorSettings = DiscriminatorSettings()
