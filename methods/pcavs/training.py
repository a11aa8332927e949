"""`bench train` for PC-AVS: makes clips ready, then trains its networks, small or published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from bench.files.paths import cache_dir
from bench.ground.errors import BenchError
from bench.train import loop as training
from bench.train.face_clips import ready_splits
from bench.train.perceptual_loss import PerceptualLoss
from bench.train.ready_clips import RawClip
from bench.train.sync_expert import Judge, own_copy, trained_expert
from bench.train.trainable import TrainJob
from methods.pcavs import published_training
from methods.pcavs.batches import FaceBatches
from methods.pcavs.clips import AlignedClip, make_aligned
from methods.pcavs.generator_training import GeneratorLearner, drawn_networks
from methods.pcavs.hearing import learn_to_hear
from methods.pcavs.settings import Settings
from methods.pcavs.small_checkpoints import save_small
from methods.pcavs.validation import Validation


def train(job: TrainJob[Settings]) -> Path:
    """Trains the networks on the job's clips; returns the last one's weights file.

    With `job.resume`, a stopped training continues with the same curve. Raises BenchError if fewer
    than half of the clips can be used, if a part is needed, missing and not to be trained, if one
    is asked for that networks of this size do not have, or for several processes.
    """
    if job.processes.count > 1:
        raise BenchError("pcavs trains on one device; leave the number of devices out")
    settings, cache = job.settings, cache_dir()
    own = ("expert", "generator") if settings.size == "small" else published_training.PARTS
    strange = [part for part in job.parts if part not in own]
    if strange:
        raise BenchError(f"part: size {settings.size} has no {strange[0]}, but {', '.join(own)}")
    training.occupy(job.device, settings.threads)
    if settings.size == "official":
        return published_training.train_on(published_training.made_ready(job), job)
    # All clips of the other methods' trainings, so that an expert that they trained is found.
    tracked = ready_splits(job, detector=settings.faces, cache=cache)
    expert = trained_expert(
        settings.expert,
        "mel",
        tracked,
        job,
        folder=job.folder / "expert",
        cache=cache,
        is_wanted=job.trains("expert"),
    )
    if not job.trains("generator"):
        return own_copy(expert, job)
    ready = {
        split: make_aligned(
            [RawClip(clip, settings.faces, cache) for clip in clips],
            landmarks=settings.landmarks,
            split=split,
            log=job.log,
        )
        for split, clips in (("train", job.train), ("val", job.val))
    }
    return train_on(ready, job, expert)


def train_on(
    ready: Mapping[str, Sequence[AlignedClip]], job: TrainJob[Settings], expert: Path
) -> Path:
    """Trains the networks on clips made ready, of `train` and `val`. expert: its weights file."""
    settings, wanted = job.settings, job.settings.generator
    device = torch.device(job.device)
    judge = Judge.of(expert, [clip.tracked for clip in ready["train"]], "mel", device)
    networks = drawn_networks(job.seed).to(device)
    if wanted.hearing_steps and not training.is_resumed(job):  # else the checkpoint has the weights
        right = learn_to_hear(
            networks.speech,
            ready["train"],
            judge,
            steps=wanted.hearing_steps,
            seed=job.seed,
            device=device,
        )
        job.log.info("the speech encoder finds the mouth of %.0f %% of the sounds", 100 * right)
    perceptual = (
        PerceptualLoss.of(wanted.perceptual_net, device, job.log) if wanted.perceptual else None
    )
    learner = GeneratorLearner(
        networks,
        wanted,
        settings.discriminator,
        judge,
        seed=job.seed,
        device=device,
        perceptual=perceptual,
    )
    held_out = Validation.of(ready["val"], count=wanted.val_clips, device=device)

    def validate(step: int) -> dict[str, float]:
        figures = held_out.figures(learner.averaged, judge)
        held_out.strip(learner.averaged, job.folder / "strips" / f"{step:07}.png")
        learner.took_note(step, figures["val choice"])
        return figures

    batches = FaceBatches(
        ready["train"],
        batch=wanted.batch,
        singles=wanted.singles,
        steps=wanted.steps,
        seed=job.seed,
    )
    training.run(
        training.Loop.of(wanted, job), learner, batches, learner.advance, validate=validate
    )
    path = job.folder / "pcavs.safetensors"
    save_small(
        learner.chosen(),
        path,
        seed=job.seed,
        trained_on="+".join(sorted({clip.dataset for clip in ready["train"]})),
        landmarks=settings.landmarks,
        perceptual=perceptual.name if perceptual else "none",
    )
    return path
