"""Batches for the training of the published networks of PC-AVS: items of frames in a row.

Every batch depends only on the seed and the step, so that a resumed training gets the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bench.ground.errors import BenchError
from bench.train.draws import Draw
from methods.pcavs import mel
from methods.pcavs.clips import CroppedClip
from methods.pcavs.pictures import seen


@dataclass(frozen=True)
class Items:
    """D items of F frames in a row; those of one clip follow each other and share no frame.

    targets: (D, F, 3, 224, 224) RGB in [-1, 1]. stills: (D, 3, 224, 224), the first frame of each
    item's clip. heard: (D, F, 1, 80, 20), in [0, 1]. speakers: (D,), 0..N - 1.
    """

    targets: Tensor
    stills: Tensor
    heard: Tensor
    speakers: Tensor

    def to(self, device: torch.device) -> Items:
        """The same on a device."""
        parts = (self.targets, self.stills, self.heard, self.speakers)
        return Items(*(part.to(device) for part in parts))


class ItemBatches(Dataset[Items]):
    """`windows` items of each of `batch` clips, at drawn places, for each step.

    Clips of fewer than windows x frames frames are left out; raises BenchError if all are. If fewer
    than `batch` are left, each step has all of them.
    """

    def __init__(
        self,
        clips: Sequence[CroppedClip],
        *,
        batch: int,
        windows: int,
        frames: int,
        steps: int,
        seed: int,
    ) -> None:
        names = sorted({_name(clip) for clip in clips})
        self.speakers = {name: number for number, name in enumerate(names)}
        self.clips = [clip for clip in clips if len(clip.pictures()) >= windows * frames]
        if not self.clips:
            raise BenchError(
                f"data: no clip has {windows * frames} frames or more, which {windows} windows of "
                f"{frames} frames need; set fewer of them in settings.published"
            )
        self.draw = Draw(self.clips, group=lambda clip: clip.dataset, power=0.5)
        self.batch, self.windows, self.frames = batch, windows, frames
        self.steps, self.seed = steps, seed

    def __len__(self) -> int:
        """The number of steps."""
        return self.steps

    def __getitem__(self, step: int) -> Items:
        """The items of one step."""
        random = np.random.default_rng([self.seed, step])
        targets, stills, heard, speakers = [], [], [], []
        for number in self.draw.several(min(self.batch, len(self.clips)), random):
            clip = self.clips[int(number)]
            pictures, sound = clip.pictures(), clip.mel()
            rows = len(pictures) // self.frames
            begin = int(random.integers(len(pictures) - rows * self.frames + 1))
            for row in sorted(random.choice(rows, self.windows, replace=False)):
                shown = begin + int(row) * self.frames + np.arange(self.frames)
                targets.append(seen(pictures[shown]))
                stills.append(seen(pictures[:1])[0])
                heard.append(mel.windows(sound, shown))
                speakers.append(self.speakers[_name(clip)])
        return Items(
            targets=torch.from_numpy(np.stack(targets)),
            stills=torch.from_numpy(np.stack(stills)),
            heard=torch.from_numpy(np.stack(heard)),
            speakers=torch.tensor(speakers),
        )


def _name(clip: CroppedClip) -> str:
    return f"{clip.dataset}/{clip.speaker}"
