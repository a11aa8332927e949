"""Batches for trainings of talking faces, built from stored clips in a second process.

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

from bench.networks import audio
from bench.networks.audio import AudioKind, Features
from bench.networks.sync_expert import WINDOW
from bench.train.draws import Draw
from bench.train.face_bank import FaceBank
from bench.train.face_clips import FaceClip


@dataclass(frozen=True)
class TalkingBatch:
    """F frames for the generator: B windows of five, then single frames of other clips.

    targets, references: (F, 96, 96, 3) uint8 RGB. heard: (F, 1, D, 16) float32. owners: (F,), to
    which of the B + S draws a frame belongs. clips, starts: (B,), each window's clip, and its first
    frame in that clip.
    """

    targets: Tensor
    references: Tensor
    heard: Tensor
    owners: Tensor
    clips: Tensor
    starts: Tensor


@dataclass(frozen=True)
class _Drawn:
    """Consecutive frames of one clip, and a reference frame for each."""

    clip: int
    frames: NDArray[np.int64]
    reference: NDArray[np.int64]
    is_mirrored: bool


class TalkingBatches(Dataset[TalkingBatch]):
    """Windows of some clips, with reference frames from elsewhere in the same clip.

    singles: how many further clips contribute a single frame each: the frames of a window look
    alike, so more faces help the pixel losses more. If the clips are a FaceBank, batches are built
    on its device.
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
        self.clips = clips
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
        drawn = list(self._drawn(step))
        if isinstance(self.clips, FaceBank):
            targets, references, heard = _taken(self.clips, drawn, lead=self.lead)
        else:
            targets, references, heard = self._read(drawn)
        windows = drawn[: self.batch]
        return TalkingBatch(
            targets=targets,
            references=references,
            heard=heard,
            owners=torch.arange(len(drawn)).repeat_interleave(
                torch.tensor([len(each.frames) for each in drawn])
            ),
            clips=torch.tensor([each.clip for each in windows]),
            starts=torch.tensor([int(each.frames[0]) for each in windows]),
        )

    def _drawn(self, step: int) -> Iterator[_Drawn]:
        random = np.random.default_rng([self.seed, step])
        for row, number in enumerate(self.draw.several(self.batch + self.singles, random)):
            frames = len(self.clips[number].faces())
            start = int(random.integers(frames - WINDOW + 1))
            count = WINDOW if row < self.batch else 1
            reference = reference_window(frames, start, random)[:count]
            is_mirrored = bool(random.random() < 0.5)
            yield _Drawn(int(number), start + np.arange(count), reference, is_mirrored)

    def _read(self, drawn: Sequence[_Drawn]) -> tuple[Tensor, Tensor, Tensor]:
        targets: list[NDArray[np.uint8]] = []
        references: list[NDArray[np.uint8]] = []
        heard: list[Features] = []
        for each in drawn:
            clip = self.clips[each.clip]
            stored, spectrum = clip.faces(), clip.features(self.kind)
            direction = slice(None, None, -1 if each.is_mirrored else 1)  # columns of pixels
            targets.append(stored[each.frames[0] : each.frames[-1] + 1, :, direction])
            references.append(stored[each.reference][:, :, direction])
            first = audio.first_columns(len(stored), spectrum.shape[1], lead=self.lead)
            heard.append(audio.windows(spectrum, first[each.frames]))
        return (
            torch.from_numpy(np.concatenate(targets)),
            torch.from_numpy(np.concatenate(references)),
            torch.from_numpy(np.concatenate(heard)),
        )


def some_of_each(owners: Tensor, windows: int, count: int) -> Tensor:
    """Indices (R,) of the first `count` frames of each window and of all single frames.

    owners: (F,), as in `TalkingBatch`. A window's frames look alike, so that few show most.
    """
    frame = torch.arange(len(owners))
    is_single = frame >= WINDOW * windows
    return frame[(frame % WINDOW < count) | is_single]


def _taken(bank: FaceBank, drawn: Sequence[_Drawn], *, lead: int) -> tuple[Tensor, Tensor, Tensor]:
    clips = [each.clip for each in drawn]
    mirrored = [each.is_mirrored for each in drawn]
    columns = [bank.first_columns(each.clip, lead=lead)[each.frames] for each in drawn]
    return (
        bank.faces(clips, [each.frames for each in drawn], mirrored),
        bank.faces(clips, [each.reference for each in drawn], mirrored),
        bank.windows(clips, columns),
    )


def reference_window(frames: int, start: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Reference frames for the window from `start`, (5,), outside the window.

    With probability 1/2 five in a row, as in Wav2Lip's training; else one frame five times, as with
    `reference: first`. If the clip is too short, the frames farthest from the window.
    """
    free = [first for first in range(frames - WINDOW + 1) if abs(first - start) >= WINDOW]
    first = int(random.choice(free)) if free else (0 if start > frames // 2 else frames - WINDOW)
    index = first + np.arange(WINDOW)
    return index if random.random() < 0.5 else np.full(WINDOW, random.choice(index))
