"""The keys of `settings:` in ATVGnet's training configs. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import pydantic

from bench.train.ready_clips import Detector, Landmarks
from bench.train.settings import Precision, StageSettings, TrainSettings

PARTS = ("speech", "pictures")

Alignment: TypeAlias = Literal["clip", "frame"]
Moving: TypeAlias = Literal["all", "mouth"]
Size: TypeAlias = Literal["official", "small"]


class NetworkSettings(StageSettings):
    """What both networks' settings have in common. The defaults are the official recipe.

    size: "small" networks are those that are shipped. batch: clips. frames: of each, in a row; the
    shortest clips have 20. average: the decay of the average of weights that is kept; 0 keeps the
    last. val_clips: clips of `val` to measure on.
    """

    size: Size = "official"
    batch: int = pydantic.Field(default=16, ge=1)
    frames: int = pydantic.Field(default=16, ge=2, le=20)
    learning_rate: float = pydantic.Field(default=2e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    schedule: Literal["constant", "one_cycle"] = "constant"
    clip_norm: float = pydantic.Field(default=1.0, gt=0)  # of the gradients
    average: float = pydantic.Field(default=0.0, ge=0, lt=1)
    val_clips: int = pydantic.Field(default=24, ge=2)


class SpeechSettings(NetworkSettings):
    """The keys of `settings.speech`: AT-net.

    changes: weight of the squared error of the coefficients' differences from frame to frame; the
    official recipe has none. noise: of the cepstra, in shares of their deviation.
    weights: a file that `part: speech` wrote, to train the pictures alone.
    """

    steps: int = pydantic.Field(default=20_000, ge=1)
    changes: float = pydantic.Field(default=0.0, ge=0)
    noise: float = pydantic.Field(default=0.0, ge=0)
    weights: Path | None = None


class ReaderSettings(StageSettings):
    """The keys of `settings.pictures.reader`: what reads landmarks off pictures, trained first."""

    steps: int = pydantic.Field(default=300, ge=1)
    batch: int = pydantic.Field(default=64, ge=2)  # pairs of pictures
    learning_rate: float = pydantic.Field(default=2e-3, gt=0)
    save_every: int = pydantic.Field(default=150, ge=1)


class PictureSettings(NetworkSettings):
    """The keys of `settings.pictures`: VG-net.

    judge: "clip" is the official discriminator of whole clips, which reads landmarks, too; "lower"
    the family's, of the lower halves of single faces, beside a frozen reader of landmarks. It takes
    part from the share `adversarial_from` of the steps.
    pixels: weight of the absolute differences. They count by VG-net's own share + 0.5, and then
    mouth: times this at the mouth; moved: plus this by the true change from the still; pyramid:
    weight of the Laplacian bands; landmarks: weight of the landmarks that a picture shows.
    """

    batch: int = pydantic.Field(default=10, ge=1)
    steps: int = pydantic.Field(default=15_000, ge=1)
    recurrence: Literal["none", "time"] = "time"
    precision: Precision = "bfloat16"
    channels_last: bool = True
    colour: float = pydantic.Field(default=0.0, ge=0, lt=1)  # augmentation: gain and offset
    pixels: float = pydantic.Field(default=10.0, gt=0)
    mouth: float = pydantic.Field(default=1.0, gt=0)
    moved: float = pydantic.Field(default=0.0, ge=0)
    pyramid: float = pydantic.Field(default=0.0, ge=0)
    judge: Literal["clip", "lower"] = "clip"
    judge_width: float = pydantic.Field(default=1.0, gt=0)
    judge_rate: float = pydantic.Field(default=2e-4, gt=0)
    judge_frames: int = pydantic.Field(default=2, ge=1)  # of each clip, that "lower" sees
    adversarial: float = pydantic.Field(default=1.0, ge=0)
    adversarial_from: float = pydantic.Field(default=0.0, ge=0, le=1)
    matching: float = pydantic.Field(default=0.0, ge=0)  # of the features of "lower"
    landmarks: float = pydantic.Field(default=1.0, ge=0)
    reader: ReaderSettings = ReaderSettings()


class Settings(TrainSettings):
    """The keys of `settings`: the clips, and each network by its name.

    landmarks: whose points; mesh needs `bench weights pull face_mesh`. alignment: "clip" cuts all
    frames of a clip by one similarity, so a head moves in its crop; "frame" follows the head.
    moving: which points may move; those of the "mouth", or "all".
    """

    faces: Detector = "haar"
    landmarks: Landmarks = "small"
    alignment: Alignment = "clip"
    moving: Moving = "all"
    threads: int | None = pydantic.Field(default=None, ge=1)  # None: torch's default
    speech: SpeechSettings = SpeechSettings()
    pictures: PictureSettings = PictureSettings()

    @pydantic.model_validator(mode="after")
    def _same_size(self) -> Settings:
        if self.speech.size != self.pictures.size:
            raise ValueError(
                f"both networks are of one size; found speech.size {self.speech.size!r} and "
                f"pictures.size {self.pictures.size!r}"
            )
        if self.pictures.size == "official" and self.pictures.judge == "lower":
            raise ValueError("judge: lower sees faces of 96x96, so it goes with size: small")
        if self.pictures.size == "official" and (self.pictures.pyramid or self.pictures.moved):
            raise ValueError("pyramid and moved go with size: small, faces of 96x96")
        return self
