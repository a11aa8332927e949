"""Trains the published networks of PC-AVS: identity, then sync, then all with the generator.

Each stage writes the official files of what it trains; the next one starts from them. These files
have no place for metadata, so TRAINED beside the generator's says what they were trained on and by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.files.json_file import write_json
from bench.ground.errors import BenchError
from bench.train import loop as training
from bench.train.held_out import evenly_by_dataset
from bench.train.perceptual_loss import PerceptualLoss
from bench.train.ready_clips import RawClip, all_ready
from bench.train.strips import write_strip
from bench.train.trainable import TrainJob
from methods.pcavs.checkpoints import FILES, load_known, save_official
from methods.pcavs.clips import CroppedClip, cropped_clip
from methods.pcavs.identity import SPEAKERS
from methods.pcavs.judge import Judge
from methods.pcavs.networks import Networks
from methods.pcavs.published_batches import ItemBatches, Items
from methods.pcavs.published_learners import (
    IdentityLearner,
    Learner,
    PictureLearner,
    SyncLearner,
)
from methods.pcavs.settings import Settings

PARTS = ("identity", "sync", "generator")
# The files of the stages before the generator's, of FILES.
WRITTEN: Mapping[str, tuple[str, ...]] = {"identity": ("identity",), "sync": ("speech", "face")}
TRAINED = "trained.json"  # seed, data, whose landmarks, name of the perceptual loss
SHOWN = 6  # items in a strip


def made_ready(job: TrainJob[Settings]) -> dict[str, list[CroppedClip]]:
    """The clips of `train` and `val`, ready; BenchError if fewer than half can be used."""
    settings = job.settings
    return {
        split: all_ready(
            [RawClip(clip, settings.faces, landmarks=settings.landmarks) for clip in clips],
            cropped_clip,
            split=split,
            log=job.log,
        )
        for split, clips in (("train", job.train), ("val", job.val))
    }


def train_on(
    ready: Mapping[str, Sequence[CroppedClip]], job: TrainJob[Settings], *, width: float = 1.0
) -> Path:
    """Trains the job's parts; returns the last one's file, with the other parts' beside it.

    ready: clips of `train` and `val`. width: of the networks; 1 is what the method reads. Raises
    BenchError for more speakers than the official classifier tells, or if an earlier part is
    missing and not to be trained.
    """
    speakers = len({(clip.dataset, clip.speaker) for clip in ready["train"]})
    if speakers > SPEAKERS:
        raise BenchError(
            f"data: {speakers} speakers, but the official classifier tells {SPEAKERS}; train on "
            "clips of fewer"
        )
    wanted, device = job.settings.published, torch.device(job.device)
    torch.manual_seed(job.seed)
    networks = Networks.new(width=width)
    judge = Judge(width=width)  # drawn here, so that weights do not depend on the parts
    path = job.folder
    stages: dict[str, Callable[[], Learner]] = {
        "identity": lambda: IdentityLearner(
            networks, wanted.identity, seed=job.seed, device=device
        ),
        "sync": lambda: SyncLearner(networks, wanted.sync, seed=job.seed, device=device),
    }
    path = job.folder
    for part, new in stages.items():
        if job.trains(part):
            _run(new(), ready, job, job.folder / part)
            save_official(networks, job.folder / part, WRITTEN[part])
            path = job.folder / part / FILES[WRITTEN[part][-1]]
    if not job.trains("generator"):
        return path
    for part, files in WRITTEN.items():
        for file in files:
            _load_stage(networks, part, file, job.folder)
    perceptual = PerceptualLoss.of(wanted.generator.perceptual_net, device, job.log)
    learner = PictureLearner(
        networks, judge, wanted.generator, perceptual, seed=job.seed, device=device
    )
    _run(learner, ready, job, job.folder)
    save_official(networks, job.folder, FILES)
    told = {
        "seed": job.seed,
        "trained_on": "+".join(sorted({clip.dataset for clip in ready["train"]})),
        "landmarks": job.settings.landmarks,
        "perceptual": perceptual.name,
    }
    write_json(job.folder / TRAINED, told)
    return job.folder / FILES["generator"]


def _load_stage(networks: Networks, part: str, file: str, folder: Path) -> None:
    path = folder / part / FILES[file]
    if not path.is_file():
        raise BenchError(f"{path}: no such file; train it first (`--part {part}`)")
    missing = load_known(getattr(networks, file), path)
    if missing:
        raise BenchError(f"{path}: it lacks {missing[0]}; train it again (`--part {part}`)")


def _run(
    learner: Learner,
    ready: Mapping[str, Sequence[CroppedClip]],
    job: TrainJob[Settings],
    folder: Path,
) -> None:
    """Trains a stage, with two items of some clips of `val` to measure on, always the same."""
    stage, frames = learner.stage, learner.frames
    batches = ItemBatches(
        ready["train"],
        batch=stage.batch,
        windows=stage.windows,
        frames=frames,
        steps=stage.steps,
        seed=job.seed,
    )
    held_out = evenly_by_dataset(ready["val"], stage.val_clips)
    measured = ItemBatches(
        held_out, batch=len(held_out), windows=2, frames=frames, steps=1, seed=job.seed
    )[0]

    def validate(step: int) -> dict[str, float]:
        if isinstance(learner, PictureLearner):
            _strip(measured, learner.made(measured), folder / "strips" / f"{step:07}.png")
        return learner.figures(measured)

    loop = training.Loop.of(stage, job, folder=folder)
    training.run(loop, learner, batches, learner.advance, validate=validate)


def _strip(items: Items, made: Tensor, path: Path) -> None:
    """Writes a picture: for some items the still, the true and the generated frame."""
    rows = []
    for pictures in (items.stills, items.targets[:, 0], made):
        chosen = 127.5 * pictures[:SHOWN].float() + 127.5
        rows.append(chosen.round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
    write_strip(path, [np.asarray(row) for row in rows])
