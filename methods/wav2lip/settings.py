"""The keys of `settings:` in the family's training configs. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import pydantic

from bench.train.expert_settings import ExpertSettings
from bench.train.ready_clips import Detector
from bench.train.settings import PerceptualNet, Precision, StageSettings, TrainSettings

PARTS = ("expert", "generator")  # the discriminator is trained with the generator

Start: TypeAlias = Literal["random", "copy", "shipped", "real"] | Path
Hearing: TypeAlias = Literal["random", "expert", "start"]


class GeneratorSettings(StageSettings):
    """The keys of `settings.generator`. The defaults are Wav2Lip's own recipe.

    `sync_from` and `adversarial_from` are shares of the steps.
    """

    width: float = pydantic.Field(default=1.0, gt=0)
    start: Start = "random"  # copy: outputs the reference at first; else a trained Wav2Lip
    hearing: Hearing = "random"  # how the speech encoder starts; see `initialisation`
    steps: int = pydantic.Field(default=300_000, ge=1)
    batch: int = pydantic.Field(default=16, ge=1)  # clips with five frames each
    singles: int = pydantic.Field(default=0, ge=0)  # further clips with one frame each
    learning_rate: float = pydantic.Field(default=1e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    schedule: Literal["constant", "one_cycle"] = "constant"
    clip_norm: float = pydantic.Field(default=1.0, gt=0)  # of the gradients
    average: float = pydantic.Field(default=0.0, ge=0, lt=1)  # decay of the average; 0: the last
    precision: Precision = "bfloat16"
    channels_last: bool = True
    colour: float = pydantic.Field(default=0.0, ge=0, lt=1)  # augmentation: gain and offset
    # In which share of the draws the reference is from another sentence, or shows no mouth.
    other_sentences: float = pydantic.Field(default=0.0, ge=0, le=1)
    without_mouth: float = pydantic.Field(default=0.0, ge=0, le=1)
    # In which share the speaker looks, or sounds, like somebody else.
    other_persons: float = pydantic.Field(default=0.0, ge=0, le=1)
    other_voices: float = pydantic.Field(default=0.0, ge=0, le=1)

    lower: float = pydantic.Field(default=1.0, gt=0)  # weight of the lower half's pixels
    mouth: float = pydantic.Field(default=1.0, gt=0)  # weight of the mouth's pixels
    moved: float = pydantic.Field(default=0.0, ge=0)  # added weight of pixels unlike the reference
    pyramid: float = pydantic.Field(default=0.0, ge=0)  # weight of the Laplacian bands
    peaks: float = pydantic.Field(default=0.0, ge=0)  # weight of very large values in the decoder

    perceptual: float = pydantic.Field(default=0.0, ge=0, lt=1)  # weight of the perceptual loss
    perceptual_net: PerceptualNet = "found"  # what sees for it: LPIPS' AlexNet if here, else ours

    sync: float = pydantic.Field(default=0.03, ge=0, lt=1)
    sync_below: float = 0.75  # the sync loss sets in below this validation loss
    sync_from: float = pydantic.Field(default=1.0, ge=0, le=1)  # or here at the latest
    sync_augmentation: bool = False  # augment the expert's input as in its training
    shape: float = pydantic.Field(default=0.0, ge=0)  # weight of the expert's distance of mouths

    adversarial: float = pydantic.Field(default=0.07, ge=0, lt=1)
    adversarial_from: float = pydantic.Field(default=1.0, ge=0, le=1)
    matching: float = pydantic.Field(default=0.0, ge=0)  # weight of feature matching

    patience: int = pydantic.Field(default=0, ge=0)  # validations without improvement; 0: no limit
    val_clips: int = pydantic.Field(default=24, ge=1)

    @pydantic.model_validator(mode="after")
    def _fits(self) -> GeneratorSettings:
        if self.sync + self.adversarial + self.perceptual >= 1:
            raise ValueError(
                "sync, adversarial and perceptual leave nothing to the reconstruction (eq. 15)"
            )
        if self.hearing == "start" and self.start in ("random", "copy"):
            raise ValueError(f"hearing: start needs a start that hears, found {self.start!r}")
        return self


class DiscriminatorSettings(TrainSettings):
    """The keys of `settings.discriminator`, which is trained with the generator in each step."""

    width: float = pydantic.Field(default=1.0, gt=0)
    learning_rate: float = pydantic.Field(default=1e-4, gt=0)
    instance_norm: bool | None = None  # None: that of the variant
    frames: int = pydantic.Field(default=5, ge=1, le=5)  # of each window that it sees


class Settings(TrainSettings):
    """The keys of `settings`: the clips, and each network by its name."""

    faces: Detector = "haar"
    lead: int = pydantic.Field(
        default=1, ge=0
    )  # by how many frames a frame's sound window begins earlier
    threads: int | None = pydantic.Field(default=None, ge=1)  # None: torch's default
    expert: ExpertSettings = ExpertSettings()
    generator: GeneratorSettings = GeneratorSettings()
    discriminator: DiscriminatorSettings = DiscriminatorSettings()
