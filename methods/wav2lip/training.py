"""`bench train` for the family: clips made ready, the expert, then the generator."""

from __future__ import annotations

from pathlib import Path

import cv2
import pydantic
import torch

from bench.contract.plugins import TrainJob
from bench.files.paths import cache_dir
from bench.train import loop as training
from bench.train.ready_clips import Detector
from methods.wav2lip.batches import TalkingBatches
from methods.wav2lip.checkpoints import read_state, save_generator
from methods.wav2lip.clips import StoredClip, make_ready
from methods.wav2lip.expert_training import ExpertSettings, load_expert, trained_expert
from methods.wav2lip.generator_training import GeneratorLearner, GeneratorSettings, Judge
from methods.wav2lip.validation import Validation
from methods.wav2lip.variants import Variant


class Settings(pydantic.BaseModel):
    """What `settings:` of a config may hold."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    faces: Detector = "haar"
    lead: int = pydantic.Field(default=1, ge=0)  # frames before its own that a frame hears from
    threads: int | None = pydantic.Field(default=None, ge=1)  # None: as many as torch takes
    expert: ExpertSettings = ExpertSettings()
    generator: GeneratorSettings = GeneratorSettings()


def train(job: TrainJob, variant: Variant) -> Path:
    """Trains expert and generator on the job's clips and returns the generator's weights file.

    A stopped training goes on with `job.resume` and writes the same curve. Raises BenchError for
    wrong settings, and where fewer than half of the clips can be used.
    """
    settings = Settings.model_validate(job.settings)
    if job.device == "cpu":
        training.hold_memory()
        cv2.setNumThreads(1)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    cache = cache_dir()
    ready: dict[str, list[StoredClip]] = {
        split: make_ready(clips, split=split, detector=settings.faces, cache=cache, log=job.log)
        for split, clips in (("train", job.train), ("val", job.val))
    }
    expert_file = trained_expert(
        settings.expert,
        variant.audio,
        ready,
        folder=job.folder / "expert",
        cache=cache,
        resume=job.resume,
        device=job.device,
        processes=job.processes,
        log=job.log,
    )
    expert, scale = load_expert(expert_file, variant.audio)
    device = torch.device(job.device)
    judge = Judge(expert, scale, ready["train"], variant, device, read_state(expert_file))
    wanted = settings.generator
    if job.resume and (job.folder / training.CHECKPOINT).exists():  # it brings its own weights
        wanted = wanted.model_copy(update={"start": "random", "hearing": "random"})
    learner = GeneratorLearner(
        wanted,
        variant,
        judge,
        clips=ready["train"],
        seed=job.seed,
        device=job.device,
        processes=job.processes,
    )
    held_out = Validation.of(
        ready["val"], variant.audio, lead=settings.lead, count=wanted.val_clips, device=device
    )

    def validate(step: int) -> dict[str, float]:
        figures = held_out.figures(learner.average, judge)
        if job.processes.is_first:
            held_out.strip(learner.average, job.folder / "strips" / f"{step:07}.png")
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
    )
    loop = training.Loop(
        steps=wanted.steps,
        report_every=wanted.report_every,
        save_every=wanted.save_every,
        folder=job.folder,
        resume=job.resume,
        log=job.log,
        processes=job.processes,
    )
    training.run(
        loop,
        learner,
        batches,
        learner.advance,
        validate=validate,
        is_enough=learner.is_enough,
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
    )
    return path
