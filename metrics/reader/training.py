"""Trains the lip readers: what is said in each half frame, and in which order.

Run it with `bench train configs/train/reader_visemes.yaml` or `reader_words.yaml`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.files.paths import cache_dir
from bench.ground.errors import BenchError
from bench.networks.checkpoints import load_weights, save_described
from bench.train import loop as training
from bench.train.averages import running_average
from bench.train.face_clips import face_clip
from bench.train.held_out import means_by_dataset
from bench.train.ready_clips import Arrays, RawClip, all_ready
from bench.train.trainable import TrainJob
from metrics.error_rates import errors
from metrics.lse import sync_small
from metrics.reader.batches import UNKNOWN, Batch, Batches, ReaderClip
from metrics.reader.mouths import view
from metrics.reader.network import ReaderNetwork, seen
from metrics.reader.reading import read
from metrics.reader.settings import Settings, UnitKind
from metrics.reader.units import classes, collapsed, spoken_in

READY_VERSION = "1"  # raise it when what is stored of a clip changes


class Learner:
    """The network under training, its running average, and the optimiser."""

    def __init__(self, settings: Settings, *, seed: int) -> None:
        torch.manual_seed(seed)
        self.settings = settings
        self.seed = seed
        network = ReaderNetwork(len(classes(settings.units)), dropout=settings.dropout)
        if settings.start is not None:  # a checkpoint, where one is resumed, takes its place
            load_weights(network, settings.start)
        self.network = network
        self.average = running_average(self.network, decay=settings.average)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=0.0, weight_decay=settings.weight_decay
        )

    def advance(self, step: int, batch: Batch) -> dict[str, float]:
        """One step of training; returns its losses."""
        settings = self.settings
        rate = training.one_cycle(step, steps=settings.steps, peak=settings.learning_rate)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(self.seed * settings.steps + step)  # of what dropout leaves out
        self.network.train()
        with settings.autocast("cpu"):
            answers = self.network(batch.seen)
        losses = reading_losses(answers, batch, smoothing=settings.smoothing)
        loss = losses["label"] + settings.sequence_weight * losses["sequence"]
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        return {name: float(value.detach()) for name, value in losses.items()}

    @property
    def averaged(self) -> ReaderNetwork:
        """The network with its averaged weights."""
        return cast("ReaderNetwork", self.average.module)

    def states(self) -> training.States:
        """Everything that the next step depends on."""
        return training.States(network=self.network, average=self.average, optimiser=self.optimiser)


def reading_losses(answers: Tensor, batch: Batch, *, smoothing: float) -> dict[str, Tensor]:
    """Two terms, and a figure to look at.

    label: cross-entropy of each half frame. sequence: connectionist temporal classification (Graves
    et al. 2006), nats for each unit; a rest is its blank. right: the share of half frames whose
    likeliest class is theirs, rests aside.
    """
    flat, labels = answers.flatten(0, 1), batch.labels.flatten()
    label = functional.cross_entropy(flat, labels, ignore_index=UNKNOWN, label_smoothing=smoothing)
    sequence = functional.ctc_loss(
        answers.transpose(0, 1),
        batch.units,
        batch.lengths,
        batch.counts,
        blank=0,
        reduction="mean",
        zero_infinity=True,
    )
    speaking = labels > 0
    right = (flat.detach().argmax(dim=1) == labels)[speaking].float().mean()
    return {"label": label, "sequence": sequence, "right": right}


def validation(
    network: ReaderNetwork, clips: Sequence[ReaderClip], kind: UnitKind
) -> dict[str, float]:
    """By data set: the mean error rate of clips in their straight view."""
    network.eval()
    rows: list[tuple[str, dict[str, float]]] = []
    for clip in clips:
        with torch.inference_mode():
            answers = network(torch.from_numpy(clip.seen())[None])[0].numpy()
        spoken = collapsed([one.unit for one in clip.spoken()])
        rows.append((clip.dataset, {"error": errors(read(answers, kind), spoken).rate}))
    return means_by_dataset(rows)


def train(job: TrainJob[Settings]) -> Path:
    """Trains on the job's clips and writes `reader_<units>.safetensors` in its folder.

    A stopped training goes on with `job.resume` and writes the same curve. Raises BenchError where
    fewer than half of the clips can be used: those whose words or phonemes have known times.
    """
    settings = job.settings
    if job.processes.count > 1:
        raise BenchError("--devices: the reader is small and trains on one; leave the option out")
    training.occupy(job.device, settings.threads)
    ready = {
        split: all_ready(
            [
                RawClip(clip, detector, cache_dir())
                for clip in clips
                for detector in settings.faces
                if detector != "given" or clip.box is not None
            ],
            partial(_ready, kind=settings.units, views=settings.views),
            split=split,
            log=job.log,
        )
        for split, clips in (("train", job.train), ("val", job.val))
    }
    learner = Learner(settings, seed=job.seed)
    training.run(
        training.Loop.of(settings, job),
        learner.states(),
        Batches(ready["train"], settings, seed=job.seed),
        learner.advance,
        validate=lambda _: validation(learner.averaged, ready["val"], settings.units),
    )
    path = job.folder / f"reader_{settings.units}.safetensors"
    described = {"network": "reader", "units": settings.units, "eyes": sync_small.digest()}
    save_described(learner.averaged, path, described)
    return path


def _ready(raw: RawClip, kind: UnitKind, views: int) -> ReaderClip:
    torch.set_num_threads(1)  # the processes share the processors
    version = f"{READY_VERSION}-{sync_small.digest()[:8]}-{views}"
    arrays = partial(_arrays, kind=kind, views=views)
    return raw.ready(f"reader_{kind}", arrays, version=version, of=ReaderClip)


def _arrays(raw: RawClip, kind: UnitKind, views: int) -> Arrays:
    spoken = spoken_in(raw.clip, kind)
    faces = face_clip(raw).faces()
    sights = []
    for number in range(views):
        random = np.random.default_rng([number, *raw.clip.id.encode()])
        sights.append(seen(view(faces, random if number else None)).astype(np.float16))
    return {
        "seen": np.stack(sights),
        "spoken": np.array([(one.unit, one.start, one.end) for one in spoken], dtype=np.float64),
    }
