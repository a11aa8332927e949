"""Small talking patterns in files, as the clips of a training."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from bench import media
from bench.checks.ladders import talking_patterns
from bench.ground.types import Clip
from bench.train.settings import TrainSettings
from bench.train.trainable import TrainJob

S = TypeVar("S", bound=TrainSettings)


def small_job(settings: S, folder: Path) -> TrainJob[S]:
    """Two talking patterns in files, 30 frames each, to train on and to choose by."""
    clips = []
    for number, pattern in enumerate(talking_patterns(2, frames=30)):
        path = folder / f"{number}.mp4"
        media.write_video(path, pattern.sample.video.read(), sound=pattern.sample.video.sound())
        clips.append(Clip(str(number), path, speaker=f"made/{number}", box=(30, 30, 70, 72)))
    return TrainJob(
        train=tuple(clips),
        val=tuple(clips),
        settings=settings,
        folder=folder / "out",
        seed=3,
        resume=False,
        device="cpu",
        log=logging.getLogger("test"),
    )


def write_clips(folder: Path, count: int = 2, *, frames: int = 20) -> list[Clip]:
    """Each pattern once as a clip of `train` and once of `val`, with the box of its face."""
    clips = []
    for number, pattern in enumerate(talking_patterns(count, frames=frames, size=64)):
        path = folder / f"{number}.mp4"
        media.write_video(path, pattern.sample.video.read(), sound=pattern.sample.video.sound())
        clip = Clip(str(number), path, speaker=f"s{number}", box=(15, 15, 35, 36))
        clips += [replace(clip, id=f"{split}{number}", split=split) for split in ("train", "val")]
    return clips
