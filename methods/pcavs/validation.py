"""Results of PC-AVS in small on held-out clips: figures to choose weights by, strips to look at.

The still is each clip's first frame, and the pose is that of each frame, as the method has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.networks.folding import folded
from bench.train.held_out import evenly, evenly_by_dataset
from bench.train.mouth_figures import in_windows, mouth_figures, named, window_starts
from bench.train.strips import write_strip
from bench.train.sync_expert import Judge
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
        """Means over the clips of `mouth_figures` in the tracked face's cut (`clips.viewed`).

        The other speech is the next clip's. face: mean absolute difference of the aligned picture.
        """
        ready = folded(networks)
        apart: list[float] = []
        rows: list[tuple[float, ...]] = []
        for place, clip in enumerate(self.clips):
            other = self.clips[(place + 1) % len(self.clips)]
            starts = window_starts(len(clip.pictures()), WINDOWS)
            frames = in_windows(starts)
            target = self._pictures(clip, frames)
            pictures = [self._made(ready, clip, frames, heard) for heard in (clip, other)]
            views = torch.from_numpy(clip.views()[frames]).to(self.device)
            true, made, wrong = (viewed(x, views) for x in (target, *pictures))
            apart.append(float((pictures[0] - target).abs().mean()))
            rows.append(
                mouth_figures(made, wrong, true, judge=judge, clip=clip.tracked, starts=starts)
            )
        return {"val face": float(np.mean(apart)), **named(rows)}

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
