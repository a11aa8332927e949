"""The speech encoder learns to hear before the network learns to draw, by one of two teachers.

A step of it costs a tenth of one of the network, which at first hears nothing through its silent
layers. Source: defined here; the expert's loss is van den Oord, Li, Vinyals 2018 (InfoNCE).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.networks import audio
from bench.train import loop as training
from bench.train.draws import Draw
from bench.train.face_clips import FaceClip
from bench.train.pixel_losses import MOUTH
from bench.train.sync_expert import Judge
from methods.diff2lip.networks import Denoiser

CLIPS, WINDOWS = 6, 8  # of one batch
RATE = 2e-3
SCALE = 20.0  # of cosines
COARSE = 4  # pixels of a mouth that become one


class Teacher(Protocol):
    """What the window of each frame is to be heard as.

    told: for each clip, (N, C), of the frames from `first` on.
    """

    told: Sequence[Tensor]
    first: int

    def loss(self, heard: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
        """How far what was heard is from what was wanted, both (B, C), and how much is right."""
        ...


class ByExpert:
    """Each window has to find the expert's embedding of its 0.2 s among those of its batch."""

    def __init__(self, judge: Judge, lead: int) -> None:
        self.told: Sequence[Tensor] = judge.sounds
        self.first = lead

    def loss(self, heard: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
        """Cross-entropy, and the share of windows that find their own."""
        logits = SCALE * functional.normalize(heard, dim=1) @ wanted.T
        own = torch.arange(len(logits), device=logits.device)
        right = (logits.detach().argmax(dim=1) == own).float().mean()
        return functional.cross_entropy(logits, own), float(right)


class ByMouths:
    """Each window has to tell how the frame's mouth differs from the clip's mean mouth."""

    first = 0

    def __init__(self, clips: Sequence[FaceClip]) -> None:
        found = [_coarse_mouths(clip) for clip in clips]
        deviation = torch.cat(found).std().clamp(min=1e-3)
        self.told: Sequence[Tensor] = [each / deviation for each in found]

    def loss(self, heard: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
        """The mean squared error, and the share of the variance that is told."""
        error = (heard - wanted).square().mean()
        return error, 1.0 - float(error.detach() / wanted.square().mean().clamp(min=1e-6))


def learn_to_hear(
    network: Denoiser,
    clips: Sequence[FaceClip],
    teacher: Teacher,
    *,
    lead: int,
    steps: int,
    seed: int,
    device: torch.device,
) -> float:
    """Trains the network's speech encoder; returns how much of it is right in the last steps.

    What the encoder's map, averaged, says of a window is compared with what the teacher says.
    clips: those of the teacher, in its order. lead: of a frame's window.
    """
    network.to(device).train()
    random = np.random.default_rng([seed, 1])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        ear = nn.Linear(network.audio_encoder.channels, teacher.told[0].shape[1]).to(device)
    pool = network.audio_encoder_to_style[:3]
    weights = [*network.audio_encoder.parameters(), *pool.parameters(), *ear.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=RATE)
    draw = Draw(clips, group=lambda clip: clip.dataset, power=0.5)
    right: list[float] = []
    for step in range(steps):
        mel, wanted = _batch(clips, teacher, draw, random, lead=lead)
        heard = ear(pool(network.audio_encoder(mel.to(device))).flatten(1))
        loss, share = teacher.loss(heard, wanted.to(device))
        optimiser.param_groups[0]["lr"] = training.one_cycle(step, steps=steps, peak=RATE)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        right.append(share)
    network.zero_grad()
    return float(np.mean(right[-20:]))


def _batch(
    clips: Sequence[FaceClip],
    teacher: Teacher,
    draw: Draw[FaceClip],
    random: np.random.Generator,
    *,
    lead: int,
) -> tuple[Tensor, Tensor]:
    """Mel windows (B, 80, 16), and what the teacher says of them, (B, C)."""
    mels: list[Tensor] = []
    wanted: list[Tensor] = []
    for number in draw.several(CLIPS, random):
        spectrum, told = clips[number].features("mel"), teacher.told[number]
        frames = teacher.first + random.integers(len(told), size=WINDOWS)
        count = len(told) + teacher.first
        columns = audio.first_columns(count, spectrum.shape[1], lead=lead)[frames]
        mels.append(torch.from_numpy(audio.windows(spectrum, columns)[:, 0]))
        wanted.append(told[torch.from_numpy(frames - teacher.first)])
    return torch.cat(mels), torch.cat(wanted)


def _coarse_mouths(clip: FaceClip) -> Tensor:
    """The mouths of a clip in grey less their mean, (T, 140): 10 rows of 14."""
    mouths = torch.from_numpy(clip.faces()[:, MOUTH[0], MOUTH[1]].mean(axis=3, dtype=np.float32))
    coarse = functional.avg_pool2d(mouths[:, None] / 255, COARSE).flatten(1)
    return coarse - coarse.mean(dim=0)
