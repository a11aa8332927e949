"""The keys of `settings:` in the training configs of PC-AVS. No torch here."""

from __future__ import annotations

from typing import Literal

import pydantic

from bench.train.expert_settings import ExpertSettings
from bench.train.ready_clips import Detector, Landmarks
from bench.train.settings import PerceptualNet, Precision, StageSettings, TrainSettings

# The discriminators are trained with the generators. `identity` and `sync` are of the published
# networks, `expert` of the small ones.
PARTS = ("expert", "identity", "sync", "generator")


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


class PublishedStage(StageSettings):
    """What the stages of the published networks have in common; rates as in the official options.

    Each step has `windows` items of each of `batch` clips: so many consecutive frames in a row that
    no two items of a clip share one. val_clips: clips of `val`, an item batch of which is measured.
    """

    batch: int = pydantic.Field(default=8, ge=1)
    windows: int = pydantic.Field(default=2, ge=1)
    learning_rate: float = pydantic.Field(default=5e-4, gt=0)
    betas: tuple[float, float] = (0.0, 0.9)
    val_clips: int = pydantic.Field(default=12, ge=2)


class IdentityStage(PublishedStage):
    """The keys of `settings.published.identity`: netV tells speakers apart, by single frames."""

    batch: int = pydantic.Field(default=32, ge=2)


class SyncStage(PublishedStage):
    """The keys of `settings.published.sync`: netE and netA_sync, mouths against sounds.

    frames: of an item. contrast, likeness: weights of the contrastive loss, and of the absolute
    differences between the features of sound and mouth.
    """

    frames: int = pydantic.Field(default=12, ge=1)
    contrast: float = pydantic.Field(default=100.0, ge=0)
    likeness: float = pydantic.Field(default=1.0, ge=0)


class PublishedGeneratorStage(SyncStage):
    """The keys of `settings.published.generator`: all networks, against netD.

    pictures: of each item's frames that are made. The other values are weights of losses.
    """

    pictures: int = pydantic.Field(default=1, ge=1)
    judge_rate: float = pydantic.Field(default=2e-3, gt=0)
    adversarial: float = pydantic.Field(default=1.0, ge=0)
    matching: float = pydantic.Field(default=10.0, ge=0)
    perceptual: float = pydantic.Field(default=10.0, gt=0)
    perceptual_net: PerceptualNet = "found"  # LPIPS' AlexNet if here, else the project's network
    identity: float = pydantic.Field(default=1.0, ge=0)

    @pydantic.model_validator(mode="after")
    def _pictures_are_frames(self) -> PublishedGeneratorStage:
        if self.pictures > self.frames:
            raise ValueError(f"pictures: {self.pictures} of items of {self.frames} frames")
        return self


class PublishedSettings(TrainSettings):
    """The keys of `settings.published`: the stages of the published networks, by their parts."""

    identity: IdentityStage = IdentityStage()
    sync: SyncStage = SyncStage()
    generator: PublishedGeneratorStage = PublishedGeneratorStage()


class Settings(TrainSettings):
    """The keys of `settings`: the clips, and each network by its name.

    size: "small" trains `expert`, `generator` and `discriminator`; "official" the published
    networks, as `published` says.
    """

    faces: Detector = "haar"  # for the expert's cut of the face
    landmarks: Landmarks = "small"  # for the aligned one
    threads: int | None = pydantic.Field(default=None, ge=1)  # None: torch's default
    size: Literal["small", "official"] = "small"
    published: PublishedSettings = PublishedSettings()
    expert: ExpertSettings = ExpertSettings()
    generator: GeneratorSettings = GeneratorSettings()
    discriminator: DiscriminatorSettings = DiscriminatorSettings()

    @pydantic.model_validator(mode="after")
    def _of_one_size(self) -> Settings:
        small = {"expert", "generator", "discriminator"}
        strange = ({"published"} if self.size == "small" else small) & self.model_fields_set
        if strange:
            other = "official" if self.size == "small" else "small"
            raise ValueError(
                f"{', '.join(sorted(strange))}: of size: {other}, and the size is {self.size}"
            )
        return self
