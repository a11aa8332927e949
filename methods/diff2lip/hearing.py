"""The speech encoder learns what the sync expert hears, before the network learns to draw.

A step of it costs a tenth of one of the network, which at first hears nothing through its silent
layers. Source: defined here; the loss is van den Oord, Li, Vinyals 2018 (InfoNCE).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.networks import audio
from bench.train import loop as training
from bench.train.draws import Draw
from bench.train.face_clips import FaceClip
from bench.train.sync_expert import Judge
from methods.diff2lip.networks import Denoiser

CLIPS, WINDOWS = 6, 8  # of one batch
RATE = 2e-3
SCALE = 20.0  # of cosines


def learn_to_hear(
    network: Denoiser,
    clips: Sequence[FaceClip],
    judge: Judge,
    *,
    lead: int,
    steps: int,
    seed: int,
    device: torch.device,
) -> float:
    """Trains the network's speech encoder; returns how often a window finds its own, last steps.

    Each window's map, averaged, has to find the expert's embedding of the same 0.2 s among those of
    its batch. clips: those of the judge, in its order. lead: of a frame's window.
    """
    network.to(device).train()
    random = np.random.default_rng([seed, 1])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        ear = nn.Linear(network.audio_encoder.channels, judge.sounds[0].shape[1]).to(device)
    pool = network.audio_encoder_to_style[:3]
    weights = [*network.audio_encoder.parameters(), *pool.parameters(), *ear.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=RATE)
    draw = Draw(clips, group=lambda clip: clip.dataset, power=0.5)
    right: list[float] = []
    for step in range(steps):
        mel, wanted = _batch(clips, judge, draw, random, lead=lead)
        heard = ear(pool(network.audio_encoder(mel.to(device))).flatten(1))
        logits = SCALE * functional.normalize(heard, dim=1) @ wanted.to(device).T
        target = torch.arange(len(logits), device=device)
        loss = functional.cross_entropy(logits, target)
        optimiser.param_groups[0]["lr"] = training.one_cycle(step, steps=steps, peak=RATE)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        right.append(float((logits.argmax(dim=1) == target).float().mean()))
    network.zero_grad()
    return float(np.mean(right[-20:]))


def _batch(
    clips: Sequence[FaceClip],
    judge: Judge,
    draw: Draw[FaceClip],
    random: np.random.Generator,
    *,
    lead: int,
) -> tuple[Tensor, Tensor]:
    """Mel windows (B, 80, 16), and what the expert hears in the same columns, (B, C)."""
    mels: list[Tensor] = []
    wanted: list[Tensor] = []
    for number in draw.several(CLIPS, random):
        spectrum, sounds = clips[number].features("mel"), judge.sounds[number]
        frames = random.integers(lead, len(sounds) + lead, WINDOWS)
        first = audio.first_columns(len(sounds) + lead, spectrum.shape[1], lead=lead)
        mels.append(torch.from_numpy(audio.windows(spectrum, first[frames])[:, 0]))
        wanted.append(sounds[torch.from_numpy(frames - lead)])
    return torch.cat(mels), torch.cat(wanted)
