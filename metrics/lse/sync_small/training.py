"""Trains the shipped scorer: windows of a clip must find their own sound among the clip's sounds.

Recipe: matching within a clip (cross-entropy over cosines in both directions), a ranking loss that
puts damaged mouths below clean ones, and still mouths that match nothing. Run it with
`bench train configs/train/sync_scorer.yaml`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.files.paths import cache_dir
from bench.ground.errors import BenchError
from bench.networks.checkpoints import save_halves
from bench.train import loop as training
from bench.train.averages import running_average
from bench.train.held_out import means_by_dataset
from bench.train.trainable import TrainJob
from metrics.lse import core
from metrics.lse.sync_small import SHIPPED
from metrics.lse.sync_small.augmentation import straight_view
from metrics.lse.sync_small.batches import Batch, Batches, MouthClip
from metrics.lse.sync_small.crops import make_ready
from metrics.lse.sync_small.network import SyncNetwork, standardised_windows
from metrics.lse.sync_small.scorer import SmallSync, heard, seen
from metrics.lse.sync_small.settings import Settings

WEIGHTS = "sync_small.safetensors"


class Learner:
    """The networks under training, their running average, and the optimiser."""

    def __init__(self, settings: Settings, *, seed: int) -> None:
        torch.manual_seed(seed)
        self.settings = settings
        self.network = settings.laid_out(SyncNetwork())
        self._see = settings.compiled(self.network.picture)
        self._hear = settings.compiled(self.network.sound)
        self.average = running_average(self.network, decay=settings.average)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=0.0, weight_decay=settings.weight_decay
        )

    def advance(self, step: int, batch: Batch) -> dict[str, float]:
        """One step of training; returns its losses."""
        settings = self.settings
        rate = training.one_cycle(step, steps=settings.steps, peak=settings.learning_rate)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        windows = standardised_windows(batch.frames, batch.windows)
        with settings.autocast("cpu"):
            picture = self._see(windows)  # (C W + D W + C S, 256)
            sound = self._hear(batch.sound)  # (C W, 256)
        losses = matching_losses(
            picture, sound, batch, scale=settings.scale, margin=settings.rank_margin
        )
        loss = losses["match"] + settings.rank_weight * losses["rank"]
        loss = loss + settings.still_weight * (losses["still"] + losses["level"])
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        return {name: float(value.detach()) for name, value in losses.items()}

    def start_from(self, weights: Path) -> None:
        """Takes the weights of an earlier training; raises BenchError if they do not fit."""
        state = SmallSync(weights, device="cpu").network.state_dict()
        for network in (self.network, self.averaged):
            network.load_state_dict(state)

    @property
    def averaged(self) -> SyncNetwork:
        """The network with its averaged weights."""
        return cast("SyncNetwork", self.average.module)

    def states(self) -> training.States:
        """Everything that the next step depends on."""
        return training.States(network=self.network, average=self.average, optimiser=self.optimiser)


def matching_losses(
    picture: Tensor, sound: Tensor, batch: Batch, *, scale: float, margin: float
) -> dict[str, Tensor]:
    """The four losses, and a figure for the curves.

    match: cross-entropy of each window over the sounds of its clip, and vice versa; windows one
    frame apart are left out. rank: a damaged mouth must lie below its clean twin by the margin
    times the severity, in similarity to its sound and in the lead over other sounds. still: the
    mean square of a frozen mouth's similarity to any sound. level: the square of the mean
    similarity of unrelated windows and sounds, so that a clip's distances do not drift beyond those
    of the zero padding. right: the share of windows whose own sound ranks first.
    """
    count, windows = batch.places.shape
    spoilt = len(batch.severity)
    sizes = [count * windows, spoilt * windows, len(picture) - (count + spoilt) * windows]
    seen, damaged, still = torch.split(picture, sizes)
    sounds = sound.view(count, windows, -1)
    cosines = seen.view(count, windows, -1) @ sounds.transpose(1, 2)  # (C, W, W)
    gaps = (batch.places[:, :, None] - batch.places[:, None, :]).abs()  # (C, W, W)
    logits = (scale * cosines).masked_fill(gaps == 1, -1e4).flatten(0, 1)  # (C W, W)
    back = (scale * cosines.transpose(1, 2)).masked_fill(gaps == 1, -1e4).flatten(0, 1)
    target = torch.arange(windows).repeat(count)
    match = functional.cross_entropy(logits, target) + functional.cross_entropy(back, target)

    clean, clean_lead = _own_and_lead(cosines[:spoilt].detach())
    dirty, dirty_lead = _own_and_lead(
        damaged.view(spoilt, windows, -1) @ sounds[:spoilt].transpose(1, 2)
    )
    need = margin * batch.severity
    # Similarities need not fall below 0, that of unrelated windows.
    rank = functional.relu(dirty - functional.relu(clean - need)).mean()
    rank = rank + functional.relu(dirty_lead - functional.relu(clean_lead - need)).mean()
    level = torch.cat([own - lead for own, lead in (_own_and_lead(cosines), (dirty, dirty_lead))])

    frozen = still.view(count, -1, still.shape[1]) @ sounds.transpose(1, 2)  # (C, S, W)
    right = (logits.argmax(dim=1) == target).float().mean()
    return {
        "match": 0.5 * match,
        "rank": rank,
        "still": frozen.square().mean(),
        "level": level.square().mean(),
        "right": right.detach(),
    }


def _own_and_lead(cosines: Tensor) -> tuple[Tensor, Tensor]:
    """Means over windows, (C,): similarity to the own sound, and its lead over other sounds."""
    windows = cosines.shape[1]
    own = cosines.diagonal(dim1=1, dim2=2).mean(dim=1)
    others = (cosines.sum(dim=(1, 2)) - windows * own) / (windows * (windows - 1))
    return own, own - others


def scores(network: SyncNetwork, clip: MouthClip) -> tuple[core.Embeddings, core.Embeddings]:
    """Embeddings (N, 257) of a stored clip in its straight view, for validation."""
    stored, sound = clip.mouths(), clip.sound()
    count = core.windows(len(stored), len(sound))
    every = np.arange(len(stored))
    mouths = straight_view(len(stored)).of(stored, every, np.random.default_rng(0))
    return seen(network, mouths, count), heard(network, sound, count)


def validation(network: SyncNetwork, clips: Sequence[MouthClip]) -> dict[str, float]:
    """By data set: offset within a frame, LSE-C, and LSE-C minus that with the next clip's sound.

    "Next" skips the same clip with another detector.
    """
    network.eval()
    rows: list[tuple[str, dict[str, float]]] = []
    embedded = [(clip, *scores(network, clip)) for clip in clips]
    for place, (clip, picture, sound) in enumerate(embedded):
        following = embedded[place + 1 :] + embedded[:place]
        other = next((heard for one, _, heard in following if one.id != clip.id), sound)
        length = min(len(picture), len(other))
        truth = core.lse(picture, sound)
        wrong = core.lse(picture[:length], other[:length])
        figures = {
            "in_step": float(abs(truth.offset) <= 1),
            "lse_c": truth.lse_c,
            "above": float(truth.lse_c > wrong.lse_c),
        }
        rows.append((clip.dataset, figures))
    return means_by_dataset(rows)


def train(job: TrainJob[Settings]) -> Path:
    """Trains on the job's clips and writes `sync_small.safetensors` to its folder.

    With `job.resume`, a stopped training continues with the same curve. Raises BenchError if fewer
    than half of the clips can be used.
    """
    settings = job.settings
    if job.processes.count > 1:
        raise BenchError("--devices: the small scorer trains on one device; leave the option out")
    training.occupy(job.device, settings.threads)
    ready = {
        split: make_ready(
            clips,
            split=split,
            detectors=settings.faces,
            cache=cache_dir(),
            frames=frames,
            log=job.log,
        )
        for split, clips, frames in (
            ("train", job.train, settings.windows + core.WINDOW),
            ("val", job.val, core.WINDOW + 1),
        )
    }
    batches = Batches(
        ready["train"],
        settings.shape,
        steps=settings.steps,
        seed=job.seed,
        balance=settings.balance,
    )
    learner = Learner(settings, seed=job.seed)
    network = learner.averaged
    if settings.start is not None:  # a resumed checkpoint replaces it
        start = settings.start
        learner.start_from(start if isinstance(start, Path) else SHIPPED["sync_small"])
    training.run(
        training.Loop.of(settings, job),
        learner.states(),
        batches,
        learner.advance,
        validate=lambda _: validation(network, ready["val"]),
    )
    return save_halves(network, job.folder / WEIGHTS)
