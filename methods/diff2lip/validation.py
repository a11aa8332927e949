"""A network's results on held-out clips: figures to choose weights by, and strips to look at.

The reference is each clip's first frame, so that copying it gains nothing, and the noise is that of
all frames that are ever made.
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
from bench.networks.face_crops import SIZE
from bench.networks.sync_expert import WINDOW, mouth_windows, sync_loss
from bench.train.face_clips import FaceClip
from bench.train.held_out import evenly, evenly_by_dataset
from bench.train.pixel_losses import MOUTH, sharpness
from bench.train.strips import write_strip
from bench.train.sync_expert import Judge, sound_embeddings
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
        """Means over the clips.

        mouth: mean absolute difference of the mouth's pixels. gain: speech gain, the mouth's PSNR
        with its own speech minus that with the next clip's, dB. sharpness: relative to the true
        mouth's. sync, shape: the expert's losses, if there is one. choice: the figure that chooses
        the weights; without an expert, the gain stands for the shape.
        """
        rows: list[dict[str, float]] = []
        for place, clip in enumerate(self.clips):
            other = self.clips[(place + 1) % len(self.clips)]
            starts = _starts(len(clip.faces()))
            frames = np.concatenate([start + np.arange(WINDOW) for start in starts])
            target, made = self._made(network, clip, clip, frames)
            _, wrong = self._made(network, clip, other, frames)
            row = {
                "val mouth": float((made - target)[_MOUTH].abs().mean()),
                "val gain": _psnr(made, target) - _psnr(wrong, target),
                "val sharpness": float(
                    sharpness(made).mean() / sharpness(target).mean().clamp(min=1e-6)
                ),
            }
            if judge is not None:
                looked, true = (judge.see(_mouths(x)) for x in (made, target))
                sounds = sound_embeddings(judge.expert, clip, "mel", self.device)
                sync = sync_loss(looked, [sounds] * len(starts), starts, judge.scale)
                row["val sync"] = float(sync)
                row["val shape"] = float(1.0 - (looked * true).sum(dim=1).mean())
            rows.append(row)
        means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        unlike = means.get("val shape", -0.3 * means["val gain"])
        soft = abs(math.log(max(means["val sharpness"], 1e-3)))
        return {**means, "val choice": 10.0 * means["val mouth"] + unlike + 0.1 * soft}

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


_MOUTH = (slice(None), slice(None), *MOUTH)


def _mouths(faces: Tensor) -> Tensor:
    """The expert's input, (F / 5, 15, 48, 96), for consecutive windows, (F, 3, 96, 96)."""
    return mouth_windows(faces.view(-1, WINDOW, *faces.shape[1:]).transpose(1, 2))


def _psnr(made: Tensor, target: Tensor) -> float:
    """The PSNR of the mouth's pixels, dB."""
    return float(-10.0 * (made - target)[_MOUTH].square().mean().clamp(min=1e-8).log10())


def _starts(frames: int) -> list[int]:
    """First frames of windows spread over a clip."""
    return [int(start) for start in np.linspace(WINDOW, frames - WINDOW, WINDOWS)]
