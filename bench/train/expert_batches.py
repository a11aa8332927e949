"""Batches for a sync expert: windows of some clips, each to find its own sound in its clip.

Every batch is a function of the seed and the step alone, so that a resumed training sees the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from bench.networks import audio
from bench.networks.audio import AudioKind, Features
from bench.networks.face_crops import SIZE
from bench.networks.sync_expert import WINDOW
from bench.train.draws import Draw
from bench.train.face_clips import FaceClip


@dataclass(frozen=True)
class MatchingBatch:
    """C clips x W windows, for the sync expert.

    frames: (F, 48, 96, 3) uint8 RGB, lower halves; owners: (F,), whose they are, 0..C - 1. windows:
    (C, W) first frames of the windows among them. heard: (C, W, 1, D, 16) float32. places: (C, W),
    where in its clip each window lies.
    """

    frames: Tensor
    owners: Tensor
    windows: Tensor
    heard: Tensor
    places: Tensor


class MatchingBatches(Dataset[MatchingBatch]):
    """Windows of some clips, which are to find their own sounds among those of the clip."""

    def __init__(
        self,
        clips: Sequence[FaceClip],
        kind: AudioKind,
        *,
        batch: int,
        windows: int,
        steps: int,
        seed: int,
    ) -> None:
        least = windows + WINDOW - 1
        long = [clip for clip in clips if len(clip.faces()) >= least]
        self.draw = Draw(long, group=lambda clip: clip.dataset, power=0.5)
        self.kind: AudioKind = kind
        self.batch = batch
        self.windows = windows
        self.steps = steps
        self.seed = seed

    def __len__(self) -> int:
        """The number of steps."""
        return self.steps

    def __getitem__(self, step: int) -> MatchingBatch:
        """The batch of one step."""
        random = np.random.default_rng([self.seed, step])
        frames: list[NDArray[np.uint8]] = []
        heard: list[Features] = []
        windows = np.empty((self.batch, self.windows), np.int64)
        places = np.empty((self.batch, self.windows), np.int64)
        count = 0
        for row, number in enumerate(self.draw.several(self.batch, random)):
            clip = self.draw.clips[number]
            stored, spectrum = clip.faces(), clip.features(self.kind)
            own = np.sort(random.choice(len(stored) - WINDOW + 1, self.windows, replace=False))
            lower = np.array(stored[own[0] : own[-1] + WINDOW, SIZE // 2 :])
            frames.append(lower[:, :, ::-1] if random.random() < 0.5 else lower)
            places[row], windows[row] = own, count + own - own[0]
            count += len(lower)
            first = audio.first_columns(len(stored), spectrum.shape[1])
            heard.append(audio.windows(spectrum, first[own]))
        return MatchingBatch(
            frames=torch.from_numpy(np.concatenate(frames)),
            owners=torch.arange(self.batch).repeat_interleave(torch.tensor([*map(len, frames)])),
            windows=torch.from_numpy(windows),
            heard=torch.from_numpy(np.stack(heard)),
            places=torch.from_numpy(places),
        )
