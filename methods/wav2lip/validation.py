"""A generator's results on held-out clips: figures to choose weights by, and strips to look at.

The reference is each clip's first frame, so that copying it gains nothing.
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
from bench.networks.audio import AudioKind, Features
from bench.networks.folding import folded
from bench.train.face_clips import FaceClip
from bench.train.held_out import evenly, evenly_by_dataset
from bench.train.mouth_figures import in_windows, mouth_figures, named, window_starts
from bench.train.strips import write_strip
from bench.train.sync_expert import Judge
from methods.wav2lip.generator import Generator
from methods.wav2lip.generator_training import hidden

WINDOWS = 4  # per clip
SHOWN = 6  # clips in a strip
COLUMNS = 12  # frames in a strip


@dataclass(frozen=True)
class Validation:
    """Held-out clips, chosen evenly over the data sets, and the kind of their speech features."""

    clips: tuple[FaceClip, ...]
    kind: AudioKind
    lead: int
    device: torch.device

    @classmethod
    def of(
        cls,
        clips: Sequence[FaceClip],
        kind: AudioKind,
        *,
        lead: int,
        count: int,
        device: torch.device,
    ) -> Validation:
        """`count` clips, spread over data sets as evenly as possible."""
        return cls(tuple(evenly_by_dataset(clips, count)), kind, lead, device)

    @torch.no_grad()
    def figures(self, generator: Generator, judge: Judge) -> dict[str, float]:
        """Means over the clips of `mouth_figures`, the other speech being the next clip's."""
        ready = folded(generator)
        rows: list[tuple[float, ...]] = []
        for place, clip in enumerate(self.clips):
            other = self.clips[(place + 1) % len(self.clips)]
            starts = window_starts(len(clip.faces()), WINDOWS)
            frames = in_windows(starts)
            target, reference = self._pictures(clip, frames)
            made = ready(self._heard(clip, frames), hidden(target, reference))
            wrong = ready(self._heard(other, frames), hidden(target, reference))
            rows.append(mouth_figures(made, wrong, target, judge=judge, clip=clip, starts=starts))
        return named(rows)

    @torch.no_grad()
    def strip(self, generator: Generator, path: Path) -> None:
        """Writes a picture: for some clips the reference, then true above generated frames."""
        ready = folded(generator)
        rows: list[NDArray[np.uint8]] = []
        for clip in evenly(self.clips, SHOWN):
            frames = np.linspace(0, len(clip.faces()) - 1, COLUMNS).astype(np.int64)
            target, reference = self._pictures(clip, frames)
            made = ready(self._heard(clip, frames), hidden(target, reference))
            first = reference[:1]
            for shown in (target, made):
                row = torch.cat([first, shown]).permute(0, 2, 3, 1)  # (1 + F, 96, 96, 3)
                rows.append((255.0 * row).round().to(torch.uint8).cpu().numpy())
        write_strip(path, rows)

    def _pictures(self, clip: FaceClip, frames: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Targets and references, (F, 3, 96, 96) in [0, 1]."""
        stored = clip.faces()
        chosen = torch.from_numpy(np.stack([stored[frames], stored[np.zeros_like(frames)]]))
        x = chosen.to(self.device).permute(0, 1, 4, 2, 3).float() / 255
        return x[0], x[1]

    def _heard(self, clip: FaceClip, frames: NDArray[np.int64]) -> Tensor:
        """Speech features at these frames of a clip, (F, 1, D, 16); short clips are repeated."""
        spectrum: Features = clip.features(self.kind)
        count = len(clip.faces())
        first = audio.first_columns(count, spectrum.shape[1], lead=self.lead)
        return torch.from_numpy(audio.windows(spectrum, first[frames % count])).to(self.device)
