"""The keys of `settings:` in the training configs of PC-AVS. No torch here."""

from __future__ import annotations

import pydantic

from bench.train.expert_settings import ExpertSettings
from bench.train.ready_clips import Detector, Landmarks
from bench.train.settings import PerceptualNet, Precision, StageSettings, TrainSettings

PARTS = ("expert", "generator")  # the discriminator is trained with the generator


class GeneratorSettings(StageSettings):
    """The keys of `settings.generator`: all networks that generate, trained together.

    `sync_from` and `adversarial_from` are shares of the steps.
    """

    steps: int = pydantic.Field(default=1500, ge=1)
    batch: int = pydantic.Field(default=6, ge=1)  # clips with five frames each
    singles: int = pydantic.Field(default=8, ge=0)  # further clips with one frame each
    hearing_steps: int = pydantic.Field(default=300, ge=0)  # the speech encoder's, before the rest
    learning_rate: float = pydantic.Field(default=1e-3, gt=0)
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    clip_norm: float = pydantic.Field(default=1.0, gt=0)  # of the gradients
    average: float = pydantic.Field(default=0.99, ge=0, lt=1)  # decay; 0: the last weights
    precision: Precision = "bfloat16"
    channels_last: bool = True
    colour: float = pydantic.Field(default=0.2, ge=0, lt=1)  # augmentation: gain and offset

    mouth: float = pydantic.Field(default=4.0, gt=0)  # weight of the mouth's pixels
    pyramid: float = pydantic.Field(default=1.0, ge=0)  # weight of the Laplacian bands
    perceptual: float = pydantic.Field(default=0.1, ge=0, lt=1)
    perceptual_net: PerceptualNet = "found"  # LPIPS' AlexNet if here, else the project's network
    looked_at: int = pydantic.Field(default=2, ge=1, le=5)  # of a window's frames, by the networks

    sync: float = pydantic.Field(default=0.01, ge=0, lt=1)
    sync_from: float = pydantic.Field(default=0.5, ge=0, le=1)
    shape: float = pydantic.Field(default=0.3, ge=0)  # weight of the expert's distance of mouths

    adversarial: float = pydantic.Field(default=0.02, ge=0, lt=1)
    adversarial_from: float = pydantic.Field(default=0.5, ge=0, le=1)
    matching: float = pydantic.Field(default=0.0, ge=0)  # weight of feature matching

    val_clips: int = pydantic.Field(default=12, ge=1)

    @pydantic.model_validator(mode="after")
    def _fits(self) -> GeneratorSettings:
        if self.sync + self.adversarial + self.perceptual >= 1:
            raise ValueError("sync, adversarial and perceptual leave nothing to the reconstruction")
        return self


class DiscriminatorSettings(TrainSettings):
    """The keys of `settings.discriminator`, which is trained with the generator in each step."""

    width: float = pydantic.Field(default=0.167, gt=0)
    learning_rate: float = pydantic.Field(default=3e-4, gt=0)


class Settings(TrainSettings):
    """The keys of `settings`: the clips, and each network by its name."""

    faces: Detector = "haar"  # for the expert's cut of the face
    landmarks: Landmarks = "small"  # for the aligned one
    threads: int | None = pydantic.Field(default=None, ge=1)  # None: torch's default
    expert: ExpertSettings = ExpertSettings()
    generator: GeneratorSettings = GeneratorSettings()
    discriminator: DiscriminatorSettings = DiscriminatorSettings()
