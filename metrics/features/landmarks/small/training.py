"""Trains the small landmark network; `bench train configs/train/landmarks.yaml` runs it.

Recipe: the error of the heat maps' means, which is what the points are; the cross-entropy of the
maps with narrow hills, which teaches fast; the error of the openings of lips and lids, which
metrics look at; and whether there is a face at all.
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
from bench.train.best_weights import BestWeights
from bench.train.held_out import evenly_by_dataset, means_by_dataset
from bench.train.ready_clips import RawClip
from bench.train.trainable import TrainJob
from metrics.features.landmarks.small.augmentation import plain
from metrics.features.landmarks.small.batches import SCALE, Batch, Batches
from metrics.features.landmarks.small.finder import read_network
from metrics.features.landmarks.small.network import (
    CELL,
    MAP,
    SIDE,
    LandmarkNetwork,
    places,
    standardised,
)
from metrics.features.landmarks.small.ready_faces import FaceClip, make_ready
from metrics.features.landmarks.small.settings import Settings

WEIGHTS = "landmarks_small.safetensors"
HILL = 0.7  # cells, the deviation of a hill in the wanted heat maps
MOUTH = 20  # the first points
MOUTH_WEIGHT = 2.0
# Pairs of points whose distance is an opening: inner lips, lids of the right and the left eye.
GAPS = ((13, 19), (14, 18), (15, 17), (21, 25), (22, 24), (27, 31), (28, 30))


class Learner:
    """The network under training, its running average, and the optimiser."""

    def __init__(self, settings: Settings, *, seed: int, device: str) -> None:
        torch.manual_seed(seed)
        self.settings = settings
        self.device = device
        self.network = settings.laid_out(LandmarkNetwork()).to(device)
        self._see = settings.compiled(self.network)
        self.average = running_average(self.network, decay=settings.average)
        self.best = BestWeights()
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=0.0, weight_decay=settings.weight_decay
        )

    def advance(self, step: int, batch: Batch) -> dict[str, float]:
        """One step of training; returns its losses."""
        settings = self.settings
        rate = training.one_cycle(step, steps=settings.steps, peak=settings.learning_rate, warm=0.1)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        squares = standardised(batch.squares.to(self.device))
        with settings.autocast(self.device):
            maps, logits = self._see(squares)
        points = batch.points.to(self.device)
        found = losses(maps.float(), logits.float(), points)
        loss = found["error"] + settings.gaps * found["gaps"] + settings.maps * found["maps"]
        loss = loss + found["face"]
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        return {name: float(value.detach()) for name, value in found.items()}

    def start_from(self, weights: Path) -> None:
        """Takes the weights of an earlier training; raises BenchError if they do not fit."""
        state = read_network(weights).state_dict()
        for network in (self.network, self.averaged):
            network.load_state_dict(state)

    @property
    def averaged(self) -> LandmarkNetwork:
        """The network with its averaged weights."""
        return cast("LandmarkNetwork", self.average.module)

    def states(self) -> training.States:
        """Everything that the next step depends on."""
        return training.States(
            network=self.network, average=self.average, optimiser=self.optimiser, best=self.best
        )


def losses(maps: Tensor, logits: Tensor, points: Tensor) -> dict[str, Tensor]:
    """The four terms.

    error: the mean distance of the points, in pixels, those of the mouth counted twice. gaps: the
    mean error of the openings, in pixels. maps: the cross-entropy of the heat maps with hills
    around the points. face: that of the logits, faces first. A point outside the square counts
    nowhere.
    """
    count = len(points)
    inside = ((points >= 0) & (points <= SIDE)).all(dim=2).float()  # (B, P)
    weight = inside.clone()
    weight[:, :MOUTH] *= MOUTH_WEIGHT
    seen = places(maps[:count])
    distance = (seen - points).abs().sum(dim=2)  # (B, P)
    upper, lower = (torch.tensor(side) for side in zip(*GAPS, strict=True))
    gap = (seen[:, lower] - seen[:, upper]) - (points[:, lower] - points[:, upper])
    shares = functional.log_softmax(maps[:count].flatten(2), dim=2)
    crossed = -(hills(points).flatten(2) * shares).sum(dim=2)  # (B, P)
    wanted = (torch.arange(len(logits), device=logits.device) < count).float()
    return {
        "error": (distance * weight).sum() / weight.sum().clamp_(min=1.0),
        "gaps": gap.abs().sum(dim=2).mean(),
        "maps": (crossed * inside).sum() / inside.sum().clamp_(min=1.0),
        "face": functional.binary_cross_entropy_with_logits(logits, wanted),
    }


def hills(points: Tensor) -> Tensor:
    """The wanted heat maps (B, P, 32, 32), each of sum 1, of points (B, P, 2) in pixels."""
    cells = (torch.arange(MAP, device=points.device, dtype=torch.float32) + 0.5) * CELL
    away = (cells - points[..., None]) / (HILL * CELL)  # (B, P, 2, 32)
    steep = torch.exp(-0.5 * away.square().clamp(max=80.0))
    steep = steep / steep.sum(dim=3, keepdim=True).clamp(min=1e-6)
    return steep[:, :, 1, :, None] * steep[:, :, 0, None, :]


def validation(network: LandmarkNetwork, clips: Sequence[FaceClip]) -> dict[str, float]:
    """By data set: errors of all points and of the mouth, in shares of the eye distance."""
    network.eval()
    rows = []
    for clip in clips:
        pairs = [
            plain(square, points, scale=SCALE)
            for square, points in zip(clip.squares(), clip.points(), strict=True)
        ]
        squares, wanted = (np.stack(side) for side in zip(*pairs, strict=True))
        with torch.inference_mode():
            maps, logits = network(standardised(torch.from_numpy(squares)))
            seen = places(maps).numpy()
        eyes = wanted[:, 20:32].reshape(-1, 2, 6, 2).mean(axis=2)
        distance = np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=1)
        off = np.linalg.norm(seen - wanted, axis=2) / distance[:, None]
        figures = {
            "error": float(off.mean()),
            "mouth": float(off[:, :MOUTH].mean()),
            "seen": float((logits >= 0).float().mean()),
        }
        rows.append((clip.dataset, figures))
    return means_by_dataset(rows)


def train(job: TrainJob[Settings]) -> Path:
    """Trains on the job's clips and writes `landmarks_small.safetensors` in its folder.

    A stopped training goes on with `job.resume` and writes the same curve. Raises BenchError where
    fewer than half of the clips can be used, and where the mesh's weights are missing, which label
    clips that are not rendered.
    """
    settings = job.settings
    if job.processes.count > 1:
        raise BenchError("--devices: the network is small and trains on one; leave the option out")
    training.occupy(job.device, settings.threads)
    looked_at = evenly_by_dataset(
        [RawClip(clip, settings.faces[0]) for clip in job.val], settings.val_clips
    )
    ready = {
        split: make_ready(
            clips, split=split, detectors=settings.faces, cache=cache_dir(), log=job.log
        )
        for split, clips in (("train", job.train), ("val", [raw.clip for raw in looked_at]))
    }
    learner = Learner(settings, seed=job.seed, device=job.device)
    if settings.start is not None:  # a checkpoint, where one is resumed, takes its place
        learner.start_from(settings.start)

    def validate(_step: int) -> dict[str, float]:
        figures = validation(learner.averaged, ready["val"])
        wrong = [value for name, value in figures.items() if not name.endswith("seen")]
        learner.best.saw(learner.averaged, float(np.mean(wrong)))
        return figures

    training.run(
        training.Loop.of(settings, job),
        learner.states(),
        Batches(ready["train"], settings, seed=job.seed),
        learner.advance,
        validate=validate,
    )
    return save_halves(learner.best.of(learner.averaged), job.folder / WEIGHTS)
