"""`bench train` for ATVGnet: makes clips ready, then trains AT-net and VG-net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.ground.errors import BenchError
from bench.ground.types import Clip
from bench.train import loop as training
from bench.train.ready_clips import RawClip
from bench.train.trainable import TrainJob
from methods.atvg.batches import Coded, SpeechBatches
from methods.atvg.checkpoints import SPEECH, Origin, Trained, load_trained, save_trained
from methods.atvg.clips import AlignedClip, make_aligned
from methods.atvg.coding import fitted_coding
from methods.atvg.landmarks import SCHEMES
from methods.atvg.settings import Settings
from methods.atvg.sizes import SIDES
from methods.atvg.speech_training import SpeechLearner, speech_figures

SPEECH_FILE, FILE = "speech.safetensors", "atvg.safetensors"


@dataclass(frozen=True)
class Ready:
    """The clips of `train` and `val`, by one coding of faces."""

    train: Coded
    val: Coded


def train(job: TrainJob[Settings]) -> Path:
    """Trains AT-net and VG-net on the job's clips; returns the last one's weights file.

    VG-net's file holds both. With `job.resume`, a stopped training continues with the same curve.
    Raises BenchError if fewer than half of the clips can be used, or if AT-net is needed, missing
    and not to be trained.
    """
    settings = job.settings
    training.occupy(job.device, settings.threads)
    speech = settings.speech.weights or job.folder / "speech" / SPEECH_FILE
    if not job.trains("speech") and not speech.is_file():
        raise BenchError(
            f"{speech}: no such file; VG-net's file holds AT-net, too: train it first (`--part "
            "speech`), or give the file as settings.speech.weights"
        )
    return train_on(_made_ready(job), job)


def train_on(ready: Ready, job: TrainJob[Settings]) -> Path:
    """Like `train`, on clips that are ready."""
    speech = job.settings.speech.weights
    if speech is None:
        speech = job.folder / "speech" / SPEECH_FILE
        if job.trains("speech"):
            _train_speech(ready, job, speech)
    if not job.trains("pictures"):
        return speech
    heard = load_trained(speech, network=SPEECH)
    _check_same_coding(heard, ready, speech)
    from methods.atvg.picture_training import train_pictures

    return train_pictures(ready.train, ready.val, heard, job, _origin(ready, job))


def _made_ready(job: TrainJob[Settings]) -> Ready:
    settings = job.settings

    def ready(clips: Sequence[Clip], split: str) -> list[AlignedClip]:
        raw = [RawClip(clip, settings.faces, landmarks=settings.landmarks) for clip in clips]
        side = SIDES[settings.speech.size]
        return make_aligned(raw, side=side, alignment=settings.alignment, split=split, log=job.log)

    val, train = ready(job.val, "val"), ready(job.train, "train")
    return coded(train, val, settings, seed=job.seed)


def coded(
    train: Sequence[AlignedClip], val: Sequence[AlignedClip], settings: Settings, *, seed: int
) -> Ready:
    """The clips by the coding that fits those of `train`."""
    scheme = SCHEMES[settings.landmarks]
    points = [clip.points() for clip in train]
    coding = fitted_coding(points, scheme, moving=settings.moving, seed=seed)
    return Ready(Coded.of(train, coding), Coded.of(val, coding))


def _train_speech(ready: Ready, job: TrainJob[Settings], path: Path) -> None:
    wanted = job.settings.speech
    device = torch.device(job.device)
    learner = SpeechLearner(wanted, ready.train, seed=job.seed, device=job.device)

    def validate(_step: int) -> dict[str, float]:
        figures = speech_figures(learner.averaged, ready.val, wanted.val_clips, device)
        learner.took_note(figures)
        return figures

    training.run(
        training.Loop.of(wanted, job, folder=path.parent),
        learner,
        SpeechBatches(
            ready.train,
            batch=wanted.batch,
            frames=wanted.frames,
            steps=wanted.steps,
            seed=job.seed,
        ),
        learner.advance,
        validate=validate,
        made_here=True,
    )
    chosen = learner.best.of(learner.averaged)
    if job.processes.is_first:
        save_trained(
            path,
            chosen,
            None,
            ready.train.coding,
            size=wanted.size,
            origin=_origin(ready, job),
        )
    job.processes.wait()


def _origin(ready: Ready, job: TrainJob[Settings]) -> Origin:
    datasets = sorted({clip.dataset for clip in ready.train.clips})
    settings = job.settings
    return Origin(settings.alignment, settings.moving, job.seed, "+".join(datasets))


def _check_same_coding(heard: Trained, ready: Ready, path: Path) -> None:
    """Raises BenchError if AT-net speaks of other components than these clips'."""
    own, other = ready.train.coding, heard.coding
    is_same = own.scheme is other.scheme and own.basis.components.shape == (
        other.basis.components.shape
    )
    if not is_same or abs(own.basis.components - other.basis.components).max() > 1e-3:
        raise BenchError(
            f"{path}: its components of faces are not those of these clips; train both parts on "
            "the same clips, with the same settings"
        )
