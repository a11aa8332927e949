"""The keys of `settings:` in Diff2Lip's training configs. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pydantic

from bench.train.expert_settings import ExpertSettings
from bench.train.ready_clips import Detector
from bench.train.settings import PerceptualNet, Precision, StageSettings, TrainSettings
from methods.diff2lip.sizes import SMALL, Filling, Size

if TYPE_CHECKING:
    from methods.diff2lip.checkpoints import Diffused

PARTS = ("expert", "network")  # the discriminator is trained with the network


class NetworkSettings(StageSettings):
    """The keys of `settings.network`; defaults are the author's weights of the losses (thread #41).

    `sync_from` and `adversarial_from` are shares of the steps.
    """

    side: int = pydantic.Field(default=SMALL.side, ge=16)  # of the face, pixels; stored: 96
    top: int = pydantic.Field(default=SMALL.top, ge=0)  # the first row seen
    width: int = pydantic.Field(default=SMALL.width, ge=32, multiple_of=32)
    multipliers: tuple[int, ...] = SMALL.multipliers  # of the channels, level by level
    blocks: int = pydantic.Field(default=SMALL.blocks, ge=1)
    attention: tuple[int, ...] = SMALL.attention  # reductions at which places see each other
    head: int = pydantic.Field(default=SMALL.head, ge=1)  # channels of a head of attention
    speech_multipliers: tuple[int, int, int, int] = (1, 1, 2, 2)  # of the speech encoder
    speech_blocks: int = pydantic.Field(default=SMALL.speech_blocks, ge=1)

    from_reference: bool = SMALL.from_reference  # starts as a copy of the reference, as x0
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
    moved: float = pydantic.Field(default=0.0, ge=0)  # added weight of pixels unlike the reference
    pyramid: float = pydantic.Field(default=0.0, ge=0)  # weight of the Laplacian bands
    perceptual: float = pydantic.Field(default=0.25, ge=0)  # weight of the perceptual loss
    perceptual_net: PerceptualNet = "found"  # what sees for it: LPIPS' AlexNet if here, else ours
    sync: float = pydantic.Field(default=0.1, ge=0)
    sync_from: float = pydantic.Field(default=0.3, ge=0, le=1)
    adversarial: float = pydantic.Field(default=0.5, ge=0)
    adversarial_from: float = pydantic.Field(default=0.3, ge=0, le=1)
    judged_below: int = pydantic.Field(default=500, ge=1, le=1000)  # the times of sync, adversarial

    sampling: int = pydantic.Field(default=5, ge=1, le=1000)  # DDIM steps in validations
    val_clips: int = pydantic.Field(default=8, ge=1)

    @pydantic.model_validator(mode="after")
    def _fits(self) -> NetworkSettings:
        if self.batch + self.singles == 0:
            raise ValueError("batch and singles are both 0; at least one clip is needed")
        reduction = 2 ** (len(self.multipliers) - 1)
        rows = self.side - self.top
        if rows % reduction or self.side % reduction:
            raise ValueError(
                f"{rows} rows ({self.side} less top) and {self.side} columns must be multiples of "
                f"{reduction}, for {len(self.multipliers)} levels"
            )
        if self.top > self.side // 2:
            raise ValueError(f"top is {self.top}; the rows from {self.side // 2} on are drawn")
        if self.from_reference and self.predicts == "noise":
            raise ValueError("from_reference is for predicts: x0; noise has no reference")
        if (self.has_sync or self.has_adversary) and not self.batch:
            raise ValueError("sync and adversarial need clips with five frames: batch from 1")
        return self

    @property
    def size(self) -> Size:
        """The size of the network; its prediction has no variance, which no sampler here uses."""
        return Size(
            side=self.side,
            top=self.top,
            hidden=self.side // 2,
            width=self.width,
            multipliers=self.multipliers,
            blocks=self.blocks,
            attention=self.attention,
            head=self.head,
            speech_multipliers=self.speech_multipliers,
            speech_blocks=self.speech_blocks,
            has_variance=False,
            from_reference=self.from_reference,
        )

    @property
    def has_adversary(self) -> bool:
        """Whether the adversarial loss takes part at any step."""
        return bool(self.adversarial) and self.adversarial_from < 1

    @property
    def has_sync(self) -> bool:
        """Whether the sync loss takes part at any step."""
        return bool(self.sync) and self.sync_from < 1

    @property
    def needs_expert(self) -> bool:
        """Whether anything needs the sync expert."""
        return self.has_sync or (self.hearing_steps > 0 and self.hearing == "expert")


class DiscriminatorSettings(TrainSettings):
    """The keys of `settings.discriminator`, which is trained with the network in each step."""

    width: int = pydantic.Field(default=64, ge=1)
    learning_rate: float = pydantic.Field(default=1e-4, gt=0)


class Settings(TrainSettings):
    """The keys of `settings`: the clips, and each network by its name."""

    faces: Detector = "haar"
    lead: int = pydantic.Field(
        default=1, ge=0
    )  # by how many frames a frame's sound window begins earlier
    threads: int | None = pydantic.Field(default=None, ge=1)  # None: torch's default
    expert: ExpertSettings = ExpertSettings()
    network: NetworkSettings = NetworkSettings()
    discriminator: DiscriminatorSettings = DiscriminatorSettings()

    @property
    def diffused(self) -> Diffused:
        """How the network is trained, which sampling has to match."""
        from methods.diff2lip.checkpoints import Diffused

        own = self.network
        return Diffused(own.predicts, own.noising, own.filling, self.lead)
