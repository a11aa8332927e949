"""A generator's results on held-out clips: figures to choose weights by, and strips to look at.

The reference is each clip's first frame, so that copying it gains nothing.
"""

from __future__ import annotations

import math
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
from bench.networks.sync_expert import WINDOW, mouth_windows, sync_loss
from bench.train import pixel_losses
from bench.train.face_clips import FaceClip
from bench.train.held_out import evenly, evenly_by_dataset
from bench.train.strips import write_strip
from bench.train.sync_expert import Judge, sound_embeddings
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
        """Means over the clips.

        mouth: mean absolute difference of the mouth's pixels. gain: speech gain, the mouth's PSNR
        with its own speech minus that with the next clip's, dB. sharpness: relative to the true
        mouth's. sync, shape: the expert's losses. choice: the figure that chooses the weights.
        """
        ready = folded(generator)
        rows: list[tuple[float, ...]] = []
        for place, clip in enumerate(self.clips):
            other = self.clips[(place + 1) % len(self.clips)]
            starts = _starts(len(clip.faces()))
            frames = np.concatenate([start + np.arange(WINDOW) for start in starts])
            target, reference = self._pictures(clip, frames)
            made = ready(self._heard(clip, frames), hidden(target, reference))
            wrong = ready(self._heard(other, frames), hidden(target, reference))
            seen, true = (judge.see(_mouths(x)) for x in (made, target))
            sounds = sound_embeddings(judge.expert, clip, self.kind, self.device)
            sync = sync_loss(seen, [sounds] * len(starts), starts, judge.scale)
            sharp = pixel_losses.sharpness(made).mean() / pixel_losses.sharpness(target).mean()
            rows.append(
                (
                    float((made - target)[_MOUTH].abs().mean()),
                    _psnr(made, target) - _psnr(wrong, target),
                    float(sharp),
                    float(sync),
                    float(1.0 - (seen * true).sum(dim=1).mean()),
                )
            )
        mouth, gain, sharp, sync, shape = np.mean(rows, axis=0).tolist()
        return {
            "val mouth": mouth,
            "val gain": gain,
            "val sharpness": sharp,
            "val sync": sync,
            "val shape": shape,
            "val choice": 10.0 * mouth + shape + 0.1 * abs(math.log(max(sharp, 1e-3))),
        }

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


_MOUTH = (slice(None), slice(None), *pixel_losses.MOUTH)


def _mouths(faces: Tensor) -> Tensor:
    """The expert's input, (F / 5, 15, 48, 96), for consecutive windows, (F, 3, 96, 96)."""
    return mouth_windows(faces.view(-1, WINDOW, *faces.shape[1:]).transpose(1, 2))


def _psnr(made: Tensor, target: Tensor) -> float:
    """The PSNR of the mouth's pixels, dB."""
    return float(-10.0 * (made - target)[_MOUTH].square().mean().clamp(min=1e-8).log10())


def _starts(frames: int) -> list[int]:
    """First frames of windows spread over a clip."""
    return [int(start) for start in np.linspace(WINDOW, frames - WINDOW, WINDOWS)]
