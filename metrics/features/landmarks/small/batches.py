"""Batches for the landmark network: stored faces in random views, and squares without a face.

Every batch is a function of the seed and the step alone, so that a resumed training sees the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bench.train.draws import Draw
from metrics.features.landmarks.small import augmentation
from metrics.features.landmarks.small.network import SHARE, SIDE
from metrics.features.landmarks.small.ready_faces import STORED, STORED_SHARE, FaceClip
from metrics.features.landmarks.small.settings import Settings

SCALE = (SIDE / SHARE) / (STORED / STORED_SHARE)  # pixels of the network's square to one stored

# Which point becomes which in a mirror, in the order of points.SMALL.
MIRROR = np.array(
    [
        *(6, 5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7),
        *(16, 15, 14, 13, 12, 19, 18, 17),
        *(29, 28, 27, 26, 31, 30),
        *(23, 22, 21, 20, 25, 24),
        *(32, 33, 34, 36, 35),
        *(45, 44, 43, 42, 41, 40, 39, 38, 37),
    ]
)


@dataclass(frozen=True)
class Batch:
    """B faces, and N squares without one behind them.

    squares: (B + N, 128, 128, 3) uint8 RGB. points: (B, 46, 2) in their pixels.
    """

    squares: Tensor
    points: Tensor


class Batches(Dataset[Batch]):
    """Draws faces so that a speaker with many clips does not drown those with few."""

    def __init__(self, clips: Sequence[FaceClip], settings: Settings, *, seed: int) -> None:
        self.draw = Draw(
            clips, group=lambda clip: (clip.dataset, clip.speaker), power=settings.balance
        )
        self.settings = settings
        self.seed = seed

    def __len__(self) -> int:
        """The number of steps."""
        return self.settings.steps

    def __getitem__(self, step: int) -> Batch:
        """The batch of one step."""
        random = np.random.default_rng([self.seed, step])
        squares, points = [], []
        for _ in range(self.settings.batch):
            clip = self.draw.one(random)
            stored, known = clip.squares(), clip.points()
            frame = int(random.integers(len(stored)))
            square, placed = augmentation.seen(
                stored[frame],
                known[frame],
                random,
                scale=SCALE,
                bearded=self.settings.bearded,
            )
            if random.random() < 0.5:
                square, placed = augmentation.mirrored(square, placed, MIRROR)
            squares.append(square)
            points.append(placed)
        for _ in range(self.settings.nothing):
            stored = self.draw.one(random).squares()
            squares.append(augmentation.nothing(stored[int(random.integers(len(stored)))], random))
        return Batch(
            squares=torch.from_numpy(np.stack(squares)), points=torch.from_numpy(np.stack(points))
        )
