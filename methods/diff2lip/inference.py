"""Sampling: faces and speech in, talking faces out.

Source: soumik-kanad/diff2lip @ 0655a45, generate.py (one noise picture, seed 7, for all frames).
Faster, with the same pictures: each frame's speech is encoded once, not at every step.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from bench.ground.types import Frames
from bench.networks.audio import Features
from bench.networks.folding import laid_out
from methods.diff2lip.checkpoints import Diffused, LoadedDenoiser
from methods.diff2lip.diffusion import Schedule, Steps, sampled
from methods.diff2lip.networks import Denoiser
from methods.diff2lip.pictures import condition, lower, seen

Precision: TypeAlias = Literal["float32", "bfloat16"]

SEED = 7  # of the noise, as in scripts/inference.sh


def one_noise(network: Denoiser, seed: int = SEED) -> Tensor:
    """The noise picture of all frames, (1, 3, rows, side), on the CPU."""
    size = network.size
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, size.rows, size.side, generator=draw)


def steps_of(diffused: Diffused, count: int) -> Steps:
    """`count` of the times.

    A network that predicts the noise cannot begin where there is nothing but noise; one that
    predicts the picture can, and then the first step hears rather than copies.
    """
    schedule = Schedule.of(diffused.noising)
    return schedule.steps(count, is_trailing=diffused.predicts == "x0")


def drawn_halves(
    network: Denoiser,
    diffused: Diffused,
    targets: Tensor,
    references: Tensor,
    mel: Tensor,
    *,
    steps: Steps,
    noise: Tensor,
    precision: Precision = "float32",
) -> Tensor:
    """Lower halves that fit the speech, (B, 3, side - hidden, side) in [0, 1].

    targets, references: faces (B, 3, side, side) in [0, 1]; the targets' hidden rows are not used.
    mel: (B, 80, 16). noise: (1, 3, rows, side), the same for all.
    """
    size = network.size
    start = noise.to(targets).expand(len(targets), -1, -1, -1)
    known = condition(seen(targets, size), size, diffused.filling, start)
    shown = seen(references, size)
    is_half = precision == "bfloat16"
    with torch.autocast(targets.device.type, torch.bfloat16, enabled=is_half):
        style = network.hear(mel)

        def look(x: Tensor, times: Tensor) -> Tensor:
            found: Tensor = network(x, times, known, shown, style)
            return found.float()

        pictures = sampled(look, start, steps, predicts=diffused.predicts)
    return lower(pictures, size).clamp(0.0, 1.0)


class Talker:
    """A network prepared for one device; the same input gives the same pictures."""

    def __init__(
        self,
        loaded: LoadedDenoiser,
        *,
        device: str,
        steps: int,
        precision: Precision = "float32",
    ) -> None:
        self.network = laid_out(loaded.network.eval().requires_grad_(False).to(device))
        self.diffused = loaded.diffused
        self.side = loaded.network.size.side
        self.device = device
        self.precision: Precision = precision
        self.steps = steps_of(loaded.diffused, steps)
        self.noise = one_noise(loaded.network)

    @torch.inference_mode()
    def faces(self, targets: Frames, references: Frames, heard: Features) -> Frames:
        """The talking faces, (B, side, side, 3) uint8 RGB; upper halves are the targets'.

        targets, references: (B, side, side, 3) uint8 RGB. heard: (B, 1, 80, 16) float32,
        `audio.windows` at this network's lead.
        """
        halves = drawn_halves(
            self.network,
            self.diffused,
            self._tensor(targets),
            self._tensor(references),
            torch.from_numpy(heard[:, 0]).to(self.device),
            steps=self.steps,
            noise=self.noise,
            precision=self.precision,
        )
        levels = (255.0 * halves).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        hidden = self.network.size.hidden
        return np.concatenate([targets[:, :hidden], levels], axis=1)

    def _tensor(self, faces: Frames) -> Tensor:
        found = torch.from_numpy(faces).to(self.device).permute(0, 3, 1, 2).float() / 255
        return found.contiguous(memory_format=torch.channels_last)
