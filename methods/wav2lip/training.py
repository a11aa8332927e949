"""`bench train` for the family: preprocesses clips, then trains the expert and the generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import torch

from bench.files.paths import cache_dir
from bench.train import loop as training
from bench.train.face_bank import FaceBank
from bench.train.face_clips import FaceClip, ready_splits
from bench.train.sync_expert import Judge, own_copy, trained_expert
from bench.train.talking_batches import TalkingBatches
from bench.train.trainable import TrainJob
from methods.wav2lip.checkpoints import save_generator
from methods.wav2lip.generator_training import GeneratorLearner
from methods.wav2lip.initialisation import check_start
from methods.wav2lip.settings import Settings
from methods.wav2lip.validation import Validation
from methods.wav2lip.variants import Variant

Ready: TypeAlias = Mapping[str, Sequence[FaceClip]]  # of `train` and `val`


def train(job: TrainJob[Settings], variant: Variant) -> Path:
    """Trains expert and generator on the job's clips; returns the last one's weights file.

    With `job.resume`, a stopped training continues with the same curve. Raises BenchError if fewer
    than half of the clips can be used, if the expert is needed, missing and not to be trained, or
    if the file to start from is missing or of another width.
    """
    wanted = job.settings.generator
    if job.trains("generator") and not training.is_resumed(job):
        check_start(wanted.start, width=wanted.width)
    cache = cache_dir()
    ready = ready_splits(job, detector=job.settings.faces, cache=cache)
    return train_on(ready, job, variant, cache=cache)


def train_on(ready: Ready, job: TrainJob[Settings], variant: Variant, *, cache: Path) -> Path:
    """Like `train`, on preprocessed clips. cache: where experts are kept."""
    settings = job.settings
    training.occupy(job.device, settings.threads)
    expert = trained_expert(
        settings.expert,
        variant.audio,
        ready,
        job,
        folder=job.folder / "expert",
        cache=cache,
        is_wanted=job.trains("expert"),
    )
    if not job.trains("generator"):
        return own_copy(expert, job)
    return _trained_generator(job, variant, ready, expert)


def _trained_generator(
    job: TrainJob[Settings], variant: Variant, ready: Ready, expert: Path
) -> Path:
    settings, wanted = job.settings, job.settings.generator
    device = torch.device(job.device)
    judge = Judge.of(expert, ready["train"], variant.audio, device)
    if training.is_resumed(job):  # the checkpoint has the weights
        wanted = wanted.model_copy(update={"start": "random", "hearing": "random"})
    learner = GeneratorLearner(
        wanted,
        settings.discriminator,
        variant,
        judge,
        clips=ready["train"],
        seed=job.seed,
        device=job.device,
        processes=job.processes,
        log=job.log,
    )
    average = learner.averaged
    held_out = Validation.of(
        ready["val"], variant.audio, lead=settings.lead, count=wanted.val_clips, device=device
    )

    def validate(step: int) -> dict[str, float]:
        figures = held_out.figures(average, judge)
        if job.processes.is_first:
            held_out.strip(average, job.folder / "strips" / f"{step:07}.png")
        learner.took_note(step, figures)
        return figures

    batches = TalkingBatches(
        ready["train"],
        variant.audio,
        batch=wanted.batch,
        singles=wanted.singles,
        lead=settings.lead,
        steps=wanted.steps,
        seed=job.seed,
        other_sentences=wanted.other_sentences,
        other_persons=wanted.other_persons,
        other_voices=wanted.other_voices,
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
        is_enough=learner.best.is_enough,
        made_here=isinstance(ready["train"], FaceBank),
    )
    path = job.folder / f"{variant.name}.safetensors"
    if not job.processes.is_first:
        return path
    datasets = sorted({clip.dataset for clip in ready["train"]})
    save_generator(
        learner.chosen(),
        path,
        variant=variant,
        width=wanted.width,
        lead=settings.lead,
        seed=job.seed,
        trained_on="+".join(datasets),
        perceptual=learner.perceptual.name if learner.perceptual else "",
    )
    return path
