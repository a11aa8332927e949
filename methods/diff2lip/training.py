"""`bench train` for Diff2Lip in small: preprocesses clips, trains the expert, then the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import torch

from bench.files.paths import cache_dir
from bench.ground.errors import BenchError
from bench.train import loop as training
from bench.train.face_bank import FaceBank
from bench.train.face_clips import FaceClip, ready_splits
from bench.train.sync_expert import Judge, own_copy, trained_expert
from bench.train.talking_batches import TalkingBatches
from bench.train.trainable import TrainJob
from methods.diff2lip.checkpoints import save_denoiser
from methods.diff2lip.hearing import ByExpert, ByMouths, Teacher, learn_to_hear
from methods.diff2lip.network_training import NetworkLearner, drawn_network
from methods.diff2lip.settings import Settings
from methods.diff2lip.validation import Validation

Ready: TypeAlias = Mapping[str, Sequence[FaceClip]]  # of `train` and `val`


def train(job: TrainJob[Settings]) -> Path:
    """Trains expert and network on the job's clips; returns the last one's weights file.

    With `job.resume`, a stopped training continues with the same curve. Raises BenchError if fewer
    than half of the clips can be used, if the expert is needed, missing and not to be trained, or
    for several processes.
    """
    if job.processes.count > 1:
        raise BenchError("diff2lip trains on one device; leave the number of devices out")
    cache = cache_dir()
    ready = ready_splits(job, detector=job.settings.faces, cache=cache)
    return trained_from(ready, job, cache=cache)


def trained_from(ready: Ready, job: TrainJob[Settings], *, cache: Path) -> Path:
    """Like `train`, on clips made ready. cache: where experts are kept.

    The expert is left out if the network needs none, unless it alone is wanted.
    """
    settings = job.settings
    training.occupy(job.device, settings.threads)
    if job.trains("network") and not settings.network.needs_expert:
        return train_on(ready, job, None)
    expert = trained_expert(
        settings.expert,
        "mel",
        ready,
        job,
        folder=job.folder / "expert",
        cache=cache,
        is_wanted=job.trains("expert"),
    )
    if job.trains("network"):
        return train_on(ready, job, expert)
    return own_copy(expert, job)


def train_on(ready: Ready, job: TrainJob[Settings], expert: Path | None) -> Path:
    """Trains the network on clips made ready, of `train` and `val`.

    expert: its weights file; None if the settings need none.
    """
    settings, wanted = job.settings, job.settings.network
    device = torch.device(job.device)
    judge = None if expert is None else Judge.of(expert, ready["train"], "mel", device)
    network = drawn_network(wanted, job.seed)
    if wanted.hearing_steps and not training.is_resumed(job):  # else the checkpoint has the weights
        right = learn_to_hear(
            network,
            ready["train"],
            _teacher(settings, ready["train"], judge),
            lead=settings.lead,
            steps=wanted.hearing_steps,
            seed=job.seed,
            device=device,
        )
        told = "the expert's windows" if wanted.hearing == "expert" else "the mouths' variance"
        job.log.info("the speech encoder tells %.0f %% of %s", 100 * right, told)
    diffused = settings.diffused
    learner = NetworkLearner(
        network,
        wanted,
        settings.discriminator,
        diffused,
        judge,
        seed=job.seed,
        device=device,
        log=job.log,
    )
    held_out = Validation.of(
        ready["val"],
        diffused,
        sampling=wanted.sampling,
        count=wanted.val_clips,
        precision=wanted.precision_on(device.type),
        device=device,
    )

    def validate(step: int) -> dict[str, float]:
        figures = held_out.figures(learner.averaged, judge)
        held_out.strip(learner.averaged, job.folder / "strips" / f"{step:07}.png")
        learner.took_note(step, figures["val choice"])
        return figures

    batches = TalkingBatches(
        ready["train"],
        "mel",
        batch=wanted.batch,
        singles=wanted.singles,
        lead=settings.lead,
        steps=wanted.steps,
        seed=job.seed,
    )
    if wanted.paced:
        wanted = learner.paced(training.Loop.of(wanted, job), batches)
        batches.steps = wanted.steps
    training.run(
        training.Loop.of(wanted, job),
        learner,
        batches,
        learner.advance,
        validate=validate,
        made_here=isinstance(ready["train"], FaceBank),
    )
    path = job.folder / "diff2lip.safetensors"
    datasets = "+".join(sorted({clip.dataset for clip in ready["train"]}))
    save_denoiser(learner.chosen(), path, diffused, seed=job.seed, trained_on=datasets)
    return path


def _teacher(settings: Settings, clips: Sequence[FaceClip], judge: Judge | None) -> Teacher:
    if settings.network.hearing == "mouths":
        return ByMouths(clips)
    assert judge is not None
    return ByExpert(judge, settings.lead)
