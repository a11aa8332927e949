"""Batches of clips in a row, each with a still of the same clip; they depend on seed and step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.train.draws import Draw
from methods.atvg.clips import AlignedClip
from methods.atvg.coding import Coding


@dataclass(frozen=True)
class Coded:
    """Clips and their shapes, which are computed once. shapes: of each clip, (T, 2 P)."""

    clips: Sequence[AlignedClip]
    shapes: Sequence[NDArray[np.float64]]
    coding: Coding

    @classmethod
    def of(cls, clips: Sequence[AlignedClip], coding: Coding) -> Coded:
        """The clips by this coding."""
        return cls(clips, [coding.shapes(clip.points()) for clip in clips], coding)


@dataclass(frozen=True)
class Drawn:
    """T frames in a row of one clip, and a still from anywhere in it."""

    clip: int
    frames: slice
    still: int


class Draws:
    """Which frames a step takes: data sets by the square root of their sizes."""

    def __init__(self, coded: Coded, *, batch: int, frames: int, steps: int, seed: int) -> None:
        self.coded = coded
        self.batch = batch
        self.frames = frames
        self.steps = steps
        self.seed = seed
        self._draw = Draw(coded.clips, group=lambda clip: clip.dataset, power=0.5)

    def __len__(self) -> int:
        """The number of steps."""
        return self.steps

    def drawn(self, step: int) -> list[Drawn]:
        """The batch of one step."""
        random = np.random.default_rng([self.seed, step])
        return [self._one(int(clip), random) for clip in self._draw.several(self.batch, random)]

    def _one(self, clip: int, random: np.random.Generator) -> Drawn:
        length = len(self.coded.shapes[clip])
        start = int(random.integers(max(length - self.frames, 0) + 1))
        return Drawn(clip, slice(start, start + self.frames), int(random.integers(length)))


@dataclass(frozen=True)
class SpeechBatch:
    """known: (B, K), of the still. heard: (B, T, 28, 12). wanted: (B, T, K), differences."""

    known: Tensor
    heard: Tensor
    wanted: Tensor


class SpeechBatches(Draws):
    """For AT-net."""

    def __getitem__(self, step: int) -> SpeechBatch:
        """The batch of one step."""
        coding, all_shapes = self.coded.coding, self.coded.shapes
        known, heard, wanted = [], [], []
        for each in self.drawn(step):
            shapes = all_shapes[each.clip]
            known.append(coding.known(shapes[each.still]))
            heard.append(self.coded.clips[each.clip].heard()[each.frames])
            wanted.append(coding.differences(shapes[each.frames], shapes[each.still]))
        return SpeechBatch(_tensor(known), _tensor(heard), _tensor(wanted))


@dataclass(frozen=True)
class PictureBatch:
    """stills: (B, S, S, 3) uint8 RGB; pictures: (B, T, S, S, 3). known: (B, 2 P), the stills'
    shapes as VG-net gets them; shapes: (B, T, 2 P), moved by the true differences, (B, T, K).
    """

    stills: Tensor
    pictures: Tensor
    known: Tensor
    shapes: Tensor
    differences: Tensor


class PictureBatches(Draws):
    """For VG-net and the reader of landmarks."""

    def __getitem__(self, step: int) -> PictureBatch:
        """The batch of one step."""
        return picture_batch(self.coded, self.drawn(step))


def picture_batch(coded: Coded, drawn: Sequence[Drawn]) -> PictureBatch:
    """The pictures and shapes of drawn frames."""
    coding = coded.coding
    stills, pictures, known, shown, wanted = [], [], [], [], []
    for each in drawn:
        stored, shapes = coded.clips[each.clip].pictures(), coded.shapes[each.clip]
        still = shapes[each.still]
        differences = coding.differences(shapes[each.frames], still)
        stills.append(stored[each.still])
        pictures.append(stored[each.frames])
        known.append(coding.shown(still))
        shown.append(coding.shown(coding.moved(still, differences)))
        wanted.append(differences)
    return PictureBatch(
        torch.from_numpy(np.stack(stills)),
        torch.from_numpy(np.stack(pictures)),
        _tensor(known),
        _tensor(shown),
        _tensor(wanted),
    )


def _tensor(rows: Sequence[NDArray[Any]]) -> Tensor:
    return torch.from_numpy(np.stack(rows).astype(np.float32))
