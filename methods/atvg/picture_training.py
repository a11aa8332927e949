"""Trains VG-net on the landmarks of the truth: pixels by its own share, a judge, landmarks.

Source: Chen et al., CVPR 2019; lelechen63/ATVGnet @ 02d8f8f, vgnet.py. The small recipe's other
losses are this project's: `settings.PictureSettings`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.train import loop as training
from bench.train.averages import running_average
from bench.train.best_weights import BestWeights
from bench.train.pixel_losses import pyramid_loss
from bench.train.trainable import TrainJob
from methods.atvg.batches import Coded, PictureBatch, PictureBatches
from methods.atvg.checkpoints import Origin, Trained, save_trained
from methods.atvg.judge import OFFICIAL_JUDGE
from methods.atvg.judging import ClipJudging, Judging, LowerJudging, Shown
from methods.atvg.landmark_reader import ReaderLearner, as_pictures, reader_figures
from methods.atvg.picture_losses import counted
from methods.atvg.pictures import LandmarksToPictures
from methods.atvg.settings import PictureSettings, Settings
from methods.atvg.sizes import SIDES, new_pictures
from methods.atvg.validation import Validation

FILE = "atvg.safetensors"
WARM = 0.1  # the share of the steps in which the learning rate rises
READ_FRAMES = 4  # of each clip that the reader of landmarks is shown


class PictureLearner:
    """VG-net, its judge, their optimisers, the running average and the best weights."""

    def __init__(
        self,
        settings: PictureSettings,
        points: int,
        judging: Judging,
        *,
        seed: int,
        device: str,
    ) -> None:
        self.settings = settings
        self.seed = seed
        self.device = torch.device(device)
        self.judging = judging
        torch.manual_seed(seed)
        network = new_pictures(settings.size, points, recurrence=settings.recurrence)
        self.network = settings.laid_out(network.to(self.device))
        self.average = running_average(self.network, decay=settings.average)
        self.best = BestWeights()
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )

    def advance(self, step: int, batch: PictureBatch) -> dict[str, float]:
        """One step of VG-net and its judge; returns the losses."""
        settings = self.settings
        if settings.schedule == "one_cycle":
            rate = training.one_cycle(
                step, steps=settings.steps, peak=settings.learning_rate, warm=WARM
            )
            for group in self.optimiser.param_groups:
                group["lr"] = rate
        self.network.train()
        stills, pictures = self._pictures(step, batch)
        known, shapes = batch.known.to(self.device), batch.shapes.to(self.device)
        with settings.autocast(self.device.type):
            painted = self.network(stills, shapes, known)
        made, share = painted.pictures.float(), painted.attention.float()
        frames = made.shape[1]
        flat, targets = made.flatten(0, 1), pictures.flatten(0, 1)
        before = stills.repeat_interleave(frames, dim=0)
        weights = counted(share.flatten(0, 1), before, targets, settings)
        pixels = ((flat - targets).abs() * weights).mean()
        figures = {"pixels": pixels, "share": share.mean()}
        loss = settings.pixels * pixels
        if settings.pyramid:
            figures["bands"] = pyramid_loss(0.5 * (flat + 1.0), 0.5 * (targets + 1.0))
            loss = loss + settings.pyramid * figures["bands"]
        shown = Shown(stills, made, pictures, known, shapes, batch.differences.to(self.device))
        is_adversarial = bool(settings.adversarial or settings.matching) and (
            step >= settings.adversarial_from * settings.steps
        )
        judged = self.judging.losses(shown, is_adversarial=is_adversarial)
        weighted = {
            "landmarks": settings.landmarks,
            "fooled": settings.adversarial,
            "features": settings.matching,
        }
        for name, value in judged.items():
            loss = loss + weighted[name] * value
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip_norm)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        found = {name: float(value.detach()) for name, value in {**figures, **judged}.items()}
        return {**found, **self.judging.advance(shown)} if is_adversarial else found

    @property
    def averaged(self) -> LandmarksToPictures:
        """The network with its averaged weights."""
        network = self.average.module
        assert isinstance(network, LandmarksToPictures)
        return network

    def took_note(self, step: int, figures: dict[str, float]) -> None:
        """Keeps the best weights of those that all losses took part in."""
        if step >= min(self.settings.adversarial_from, 1.0) * self.settings.steps:
            self.best.saw(self.averaged, figures["val choice"])

    def state_dict(self) -> dict[str, object]:
        """Everything that the next step depends on."""
        return self._states().state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restores what `state_dict` returned."""
        self._states().load_state_dict(state)

    def _states(self) -> training.States:
        return training.States(
            network=self.network,
            judging=self.judging,
            average=self.average,
            optimiser=self.optimiser,
            best=self.best,
        )

    def _pictures(self, step: int, batch: PictureBatch) -> tuple[Tensor, Tensor]:
        """Stills and pictures in [-1, 1]; each clip in a light of its own, if asked for."""
        stills, pictures = as_pictures(batch, self.device)
        if self.settings.colour:
            random = torch.Generator().manual_seed(self.seed * 1_000_003 + step)

            def spread(*shape: int) -> Tensor:
                drawn = 2.0 * torch.rand(len(stills), *shape, generator=random) - 1.0
                return self.settings.colour * drawn.to(self.device)

            gain = (1.0 + spread(1, 1, 1)) * (1.0 + 0.4 * spread(3, 1, 1))
            offset = 0.6 * spread(1, 1, 1)
            stills = ((stills + 1.0) * gain - 1.0 + offset).clamp(-1.0, 1.0)
            moved = (pictures + 1.0) * gain[:, None] - 1.0 + offset[:, None]
            pictures = moved.clamp(-1.0, 1.0)
        return stills.contiguous(memory_format=torch.channels_last), pictures


def train_pictures(
    train: Coded, val: Coded, heard: Trained, job: TrainJob[Settings], origin: Origin
) -> Path:
    """Trains VG-net, and before it the reader of landmarks if the recipe has one.

    heard: AT-net, for the figures on `val` and the file. Returns the file of both networks.
    """
    wanted = job.settings.pictures
    device = torch.device(job.device)
    learner = PictureLearner(
        wanted,
        train.coding.scheme.count,
        _judging(train, val, job, wanted, device),
        seed=job.seed,
        device=job.device,
    )
    held_out = Validation.of(val, heard.speech, count=wanted.val_clips, device=device)

    def validate(step: int) -> dict[str, float]:
        figures = held_out.figures(learner.averaged)
        if job.processes.is_first:
            held_out.strip(learner.averaged, job.folder / "strips" / f"{step:07}.png")
        learner.took_note(step, figures)
        return figures

    batches = PictureBatches(
        train, batch=wanted.batch, frames=wanted.frames, steps=wanted.steps, seed=job.seed
    )
    training.run(
        training.Loop.of(wanted, job),
        learner,
        batches,
        learner.advance,
        validate=validate,
        made_here=True,
    )
    path = job.folder / FILE
    if job.processes.is_first:
        chosen = learner.best.of(learner.averaged)
        save_trained(path, heard.speech, chosen, train.coding, size=wanted.size, origin=origin)
    return path


def _judging(
    train: Coded,
    val: Coded,
    job: TrainJob[Settings],
    wanted: PictureSettings,
    device: torch.device,
) -> Judging:
    if wanted.judge == "clip":
        torch.manual_seed(job.seed)
        scheme = train.coding.scheme
        size = replace(OFFICIAL_JUDGE, side=SIDES[wanted.size], points=scheme.count)
        return ClipJudging(wanted, size, scheme, device)
    settings = wanted.reader
    components = len(train.coding.deviations)
    learner = ReaderLearner(settings, components, seed=job.seed, device=job.device)
    frames = min(READ_FRAMES, settings.batch)
    clips = max(1, settings.batch // frames)
    seen = PictureBatches(val, batch=16, frames=frames, steps=1, seed=job.seed)[0]
    training.run(
        training.Loop.of(settings, job, folder=job.folder / "reader"),
        learner,
        PictureBatches(train, batch=clips, frames=frames, steps=settings.steps, seed=job.seed),
        learner.advance,
        validate=lambda _step: {"val error": reader_figures(learner.reader, seen, device)},
        made_here=True,
    )
    return LowerJudging(wanted, learner.reader, device)
