"""Batches for the training of PC-AVS in small, built from stored clips in a second process.

Every batch depends only on the seed and the step, so that a resumed training gets the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from bench.networks.sync_expert import WINDOW
from bench.train.draws import Draw
from methods.pcavs import mel
from methods.pcavs.clips import AlignedClip


@dataclass(frozen=True)
class FaceBatch:
    """F frames of D clips: B windows of five frames, then single frames of other clips.

    targets: (F, 96, 96, 3) uint8 RGB. stills: (D, 96, 96, 3) uint8, who is to be seen. heard: (F,
    1, 80, 20) float32. views: (F, 2, 3) float32, of the pictures that are not mirrored. owners:
    (F,), each frame's clip, 0..D - 1. is_mirrored: (D,) bool. clips, starts: (B,), each window's
    clip and its first frame there.
    """

    targets: Tensor
    stills: Tensor
    heard: Tensor
    views: Tensor
    owners: Tensor
    is_mirrored: Tensor
    clips: Tensor
    starts: Tensor


@dataclass(frozen=True)
class _Drawn:
    """Consecutive frames of one clip, and its still."""

    clip: int
    frames: NDArray[np.int64]
    still: int
    is_mirrored: bool


class FaceBatches(Dataset[FaceBatch]):
    """Frames of some clips, each with a still from elsewhere in its clip.

    batch: clips with a window of five frames. singles: further clips with one frame each.
    """

    def __init__(
        self, clips: Sequence[AlignedClip], *, batch: int, singles: int, steps: int, seed: int
    ) -> None:
        self.clips = clips
        self.draw = Draw(clips, group=lambda clip: clip.dataset, power=0.5)
        self.batch = batch
        self.singles = singles
        self.steps = steps
        self.seed = seed

    def __len__(self) -> int:
        """The number of steps."""
        return self.steps

    def __getitem__(self, step: int) -> FaceBatch:
        """The batch of one step."""
        drawn = list(self._drawn(step))
        windows = drawn[: self.batch]
        targets, stills, heard, views = [], [], [], []
        for each in drawn:
            clip = self.clips[each.clip]
            pictures = clip.pictures()
            columns = slice(None, None, -1 if each.is_mirrored else 1)
            targets.append(pictures[each.frames[0] : each.frames[-1] + 1, :, columns])
            stills.append(pictures[each.still, :, columns])
            heard.append(mel.windows(clip.mel(), each.frames))
            views.append(clip.views()[each.frames])
        counts = torch.tensor([len(each.frames) for each in drawn])
        return FaceBatch(
            targets=torch.from_numpy(np.concatenate(targets)),
            stills=torch.from_numpy(np.stack(stills)),
            heard=torch.from_numpy(np.concatenate(heard)),
            views=torch.from_numpy(np.concatenate(views)),
            owners=torch.arange(len(drawn)).repeat_interleave(counts),
            is_mirrored=torch.tensor([each.is_mirrored for each in drawn]),
            clips=torch.tensor([each.clip for each in windows]),
            starts=torch.tensor([int(each.frames[0]) for each in windows]),
        )

    def _drawn(self, step: int) -> Iterator[_Drawn]:
        random = np.random.default_rng([self.seed, step])
        for row, number in enumerate(self.draw.several(self.batch + self.singles, random)):
            frames = len(self.clips[number].pictures())
            start = int(random.integers(frames - WINDOW + 1))
            count = WINDOW if row < self.batch else 1
            yield _Drawn(
                int(number),
                start + np.arange(count),
                still_frame(frames, start, random),
                bool(random.random() < 0.5),
            )


def still_frame(frames: int, start: int, random: np.random.Generator) -> int:
    """The frame that says who it is: half of the time the first, else any outside the window."""
    if random.random() < 0.5:
        return 0
    outside = [n for n in range(frames) if not start <= n < start + WINDOW]
    return int(random.choice(outside))
