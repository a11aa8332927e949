"""A network's results on held-out clips: figures to choose weights by, and strips to look at.

The reference is each clip's first frame, so that copying it gains nothing, and the noise is that of
all frames that are ever made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.networks import audio
from bench.networks.face_crops import SIZE
from bench.train.face_clips import FaceClip
from bench.train.held_out import evenly, evenly_by_dataset
from bench.train.mouth_figures import in_windows, mouth_figures, named, window_starts
from bench.train.strips import write_strip
from bench.train.sync_expert import Judge
from methods.diff2lip.checkpoints import Diffused
from methods.diff2lip.inference import Precision, drawn_halves, one_noise, steps_of
from methods.diff2lip.networks import Denoiser
from methods.diff2lip.pictures import resized

WINDOWS = 2  # per clip
SHOWN = 4  # clips in a strip
COLUMNS = 10  # frames in a strip


@dataclass(frozen=True)
class Validation:
    """Held-out clips, and how faces are made of them. sampling: DDIM steps."""

    clips: tuple[FaceClip, ...]
    diffused: Diffused
    sampling: int
    precision: Precision
    device: torch.device

    @classmethod
    def of(
        cls,
        clips: Sequence[FaceClip],
        diffused: Diffused,
        *,
        sampling: int,
        count: int,
        precision: Precision,
        device: torch.device,
    ) -> Validation:
        """`count` clips, spread over data sets as evenly as possible."""
        chosen = tuple(evenly_by_dataset(clips, count))
        return cls(chosen, diffused, sampling, precision, device)

    @torch.no_grad()
    def figures(self, network: Denoiser, judge: Judge | None) -> dict[str, float]:
        """Means over the clips of `mouth_figures`, the other speech being the next clip's."""
        rows: list[tuple[float, ...]] = []
        for place, clip in enumerate(self.clips):
            other = self.clips[(place + 1) % len(self.clips)]
            starts = window_starts(len(clip.faces()), WINDOWS)
            frames = in_windows(starts)
            target, made = self._made(network, clip, clip, frames)
            _, wrong = self._made(network, clip, other, frames)
            rows.append(mouth_figures(made, wrong, target, judge=judge, clip=clip, starts=starts))
        return named(rows)

    @torch.no_grad()
    def strip(self, network: Denoiser, path: Path) -> None:
        """Writes a picture: for some clips the reference, then true above made frames."""
        rows: list[NDArray[np.uint8]] = []
        for clip in evenly(self.clips, SHOWN):
            frames = np.linspace(0, len(clip.faces()) - 1, COLUMNS).astype(np.int64)
            target, made = self._made(network, clip, clip, frames)
            first = self._faces(clip, np.zeros(1, dtype=np.int64))
            for shown in (target, made):
                row = torch.cat([first, shown]).permute(0, 2, 3, 1)  # (1 + F, 96, 96, 3)
                rows.append((255.0 * row).round().to(torch.uint8).cpu().numpy())
        write_strip(path, rows)

    def _made(
        self, network: Denoiser, clip: FaceClip, speech: FaceClip, frames: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """True faces, and those made by another clip's or its own speech, (F, 3, 96, 96)."""
        network.eval()
        size, true = network.size, self._faces(clip, frames)
        target = resized(true, size.side)
        halves = drawn_halves(
            network,
            self.diffused,
            target,
            resized(self._faces(clip, np.zeros_like(frames)), size.side),
            self._heard(speech, frames),
            steps=steps_of(self.diffused, self.sampling),
            noise=one_noise(network),
            precision=self.precision,
        )
        made = torch.cat([target[:, :, : size.hidden], halves], dim=2)
        return true, resized(made, SIZE)

    def _faces(self, clip: FaceClip, frames: NDArray[np.int64]) -> Tensor:
        chosen = torch.from_numpy(clip.faces()[frames]).to(self.device)
        return chosen.permute(0, 3, 1, 2).float() / 255

    def _heard(self, clip: FaceClip, frames: NDArray[np.int64]) -> Tensor:
        """The mel windows of these frames, (F, 80, 16); short clips are repeated."""
        spectrum, count = clip.features("mel"), len(clip.faces())
        first = audio.first_columns(count, spectrum.shape[1], lead=self.diffused.lead)
        heard = audio.windows(spectrum, first[frames % count])
        return torch.from_numpy(heard[:, 0]).to(self.device)
