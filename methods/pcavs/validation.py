"""Results of PC-AVS in small on held-out clips: figures to choose weights by, strips to look at.

The still is each clip's first frame, and the pose is that of each frame, as the method has them.
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

from bench.networks.folding import folded
from bench.networks.sync_expert import WINDOW, mouth_windows, sync_loss
from bench.train import pixel_losses
from bench.train.held_out import evenly, evenly_by_dataset
from bench.train.strips import write_strip
from bench.train.sync_expert import Judge, sound_embeddings
from methods.pcavs import mel
from methods.pcavs.clips import AlignedClip, viewed
from methods.pcavs.small import SmallNetworks

WINDOWS = 4  # per clip
SHOWN = 6  # clips in a strip
COLUMNS = 12  # frames in a strip


@dataclass(frozen=True)
class Validation:
    """Held-out clips, chosen evenly over the data sets."""

    clips: tuple[AlignedClip, ...]
    device: torch.device

    @classmethod
    def of(cls, clips: Sequence[AlignedClip], *, count: int, device: torch.device) -> Validation:
        """`count` clips, spread over data sets as evenly as possible."""
        return cls(tuple(evenly_by_dataset(clips, count)), device)

    @torch.no_grad()
    def figures(self, networks: SmallNetworks, judge: Judge) -> dict[str, float]:
        """Means over the clips, all in the tracked face's cut (`clips.viewed`).

        face: mean absolute difference of the aligned picture. mouth: that of the mouth's pixels.
        gain: speech gain, the mouth's PSNR with its own speech minus that with the next clip's, dB.
        sharpness: relative to the true mouth's. sync, shape: the expert's losses. choice: the
        figure that chooses the weights.
        """
        ready = folded(networks)
        rows: list[tuple[float, ...]] = []
        for place, clip in enumerate(self.clips):
            other = self.clips[(place + 1) % len(self.clips)]
            starts = _starts(len(clip.pictures()))
            frames = np.concatenate([start + np.arange(WINDOW) for start in starts])
            target = self._pictures(clip, frames)
            pictures = [self._made(ready, clip, frames, heard) for heard in (clip, other)]
            views = torch.from_numpy(clip.views()[frames]).to(self.device)
            true, made, wrong = (viewed(x, views) for x in (target, *pictures))
            seen, wanted = (judge.see(_mouths(x)) for x in (made, true))
            sounds = sound_embeddings(judge.expert, clip.tracked, "mel", self.device)
            sync = sync_loss(seen, [sounds] * len(starts), starts, judge.scale)
            sharp = pixel_losses.sharpness(made).mean() / pixel_losses.sharpness(true).mean()
            rows.append(
                (
                    float((pictures[0] - target).abs().mean()),
                    float((made - true)[_MOUTH].abs().mean()),
                    _psnr(made, true) - _psnr(wrong, true),
                    float(sharp),
                    float(sync),
                    float(1.0 - (seen * wanted).sum(dim=1).mean()),
                )
            )
        face, mouth, gain, sharp, sync, shape = np.mean(rows, axis=0).tolist()
        return {
            "val face": face,
            "val mouth": mouth,
            "val gain": gain,
            "val sharpness": sharp,
            "val sync": sync,
            "val shape": shape,
            "val choice": 10.0 * mouth + shape + 0.1 * abs(math.log(max(sharp, 1e-3))),
        }

    @torch.no_grad()
    def strip(self, networks: SmallNetworks, path: Path) -> None:
        """Writes a picture: for some clips the still, then true above generated frames."""
        ready = folded(networks)
        rows: list[NDArray[np.uint8]] = []
        for clip in evenly(self.clips, SHOWN):
            frames = np.linspace(0, len(clip.pictures()) - 1, COLUMNS).astype(np.int64)
            target = self._pictures(clip, frames)
            first = self._pictures(clip, np.zeros(1, np.int64))
            for shown in (target, self._made(ready, clip, frames, clip)):
                row = torch.cat([first, shown]).permute(0, 2, 3, 1)  # (1 + F, 96, 96, 3)
                rows.append((255.0 * row).round().to(torch.uint8).cpu().numpy())
        write_strip(path, rows)

    def _made(
        self,
        networks: SmallNetworks,
        clip: AlignedClip,
        frames: NDArray[np.int64],
        heard: AlignedClip,
    ) -> Tensor:
        """Generated pictures, (F, 3, 96, 96) in [0, 1]; speech that is too short begins again."""
        who = networks.who(2.0 * self._pictures(clip, np.zeros(1, np.int64)) - 1.0)
        windows = mel.windows(heard.mel(), frames % len(heard.pictures()))
        poses = 2.0 * self._pictures(clip, frames) - 1.0
        made = networks.pictures(who, torch.from_numpy(windows).to(self.device), poses)
        return 0.5 * made + 0.5

    def _pictures(self, clip: AlignedClip, frames: NDArray[np.int64]) -> Tensor:
        """(F, 3, 96, 96) in [0, 1]."""
        chosen = torch.from_numpy(clip.pictures()[frames]).to(self.device)
        return chosen.permute(0, 3, 1, 2).float() / 255


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
