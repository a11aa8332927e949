"""Batches for the family's trainings, made from stored clips in a second process.

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
from bench.networks.sync_expert import WINDOW
from bench.train.draws import Draw
from bench.train.face_clips import FaceClip


@dataclass(frozen=True)
class TalkingBatch:
    """F frames for the generator: B windows of five, then single frames of other clips.

    targets, references: (F, 96, 96, 3) uint8 RGB. heard: (F, 1, D, 16) float32. owners: (F,), which
    of the B + S draws a frame belongs to. clips, starts: (B,), of each window its clip, and the
    frame of the clip that it begins with.
    """

    targets: Tensor
    references: Tensor
    heard: Tensor
    owners: Tensor
    clips: Tensor
    starts: Tensor


class TalkingBatches(Dataset[TalkingBatch]):
    """Windows of some clips, with reference frames from elsewhere in the same clip.

    singles: how many further clips give a single frame each. The frames of a window are much alike;
    what pixels teach, more faces teach better.
    """

    def __init__(
        self,
        clips: Sequence[FaceClip],
        kind: AudioKind,
        *,
        batch: int,
        singles: int,
        lead: int,
        steps: int,
        seed: int,
    ) -> None:
        self.draw = Draw(clips, group=lambda clip: clip.dataset, power=0.5)
        self.kind: AudioKind = kind
        self.batch = batch
        self.singles = singles
        self.lead = lead
        self.steps = steps
        self.seed = seed

    def __len__(self) -> int:
        """The number of steps."""
        return self.steps

    def __getitem__(self, step: int) -> TalkingBatch:
        """The batch of one step."""
        random = np.random.default_rng([self.seed, step])
        numbers = self.draw.several(self.batch + self.singles, random)
        targets: list[NDArray[np.uint8]] = []
        references: list[NDArray[np.uint8]] = []
        heard: list[Features] = []
        starts: list[int] = []
        for row, number in enumerate(numbers):
            clip = self.draw.clips[number]
            stored, spectrum = clip.faces(), clip.features(self.kind)
            start = int(random.integers(len(stored) - WINDOW + 1))
            count = WINDOW if row < self.batch else 1
            reference = reference_window(len(stored), start, random)[:count]
            # Half of them mirrored; columns of pixels.
            direction = slice(None, None, -1 if random.random() < 0.5 else 1)
            targets.append(stored[start : start + count, :, direction])
            references.append(stored[reference][:, :, direction])
            first = audio.first_columns(len(stored), spectrum.shape[1], lead=self.lead)
            heard.append(audio.windows(spectrum, first[start : start + count]))
            starts.append(start)
        lengths = torch.tensor([len(target) for target in targets])
        return TalkingBatch(
            targets=torch.from_numpy(np.concatenate(targets)),
            references=torch.from_numpy(np.concatenate(references)),
            heard=torch.from_numpy(np.concatenate(heard)),
            owners=torch.arange(len(targets)).repeat_interleave(lengths),
            clips=torch.from_numpy(numbers[: self.batch]),
            starts=torch.tensor(starts[: self.batch]),
        )


def reference_window(frames: int, start: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Frames that serve as reference for the window from `start`, (5,), none of them in it.

    Half of the time five in a row, as Wav2Lip trains; else one frame five times, as `reference:
    first` generates. A clip too short for that gives what lies farthest away.
    """
    free = [first for first in range(frames - WINDOW + 1) if abs(first - start) >= WINDOW]
    first = int(random.choice(free)) if free else (0 if start > frames // 2 else frames - WINDOW)
    index = first + np.arange(WINDOW)
    return index if random.random() < 0.5 else np.full(WINDOW, random.choice(index))
