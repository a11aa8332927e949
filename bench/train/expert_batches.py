"""Batches for a sync expert: windows of some clips; each has to find its own sound in its clip.

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
from bench.networks.face_crops import SIZE
from bench.networks.sync_expert import WINDOW
from bench.train.draws import Draw
from bench.train.face_bank import FaceBank
from bench.train.face_clips import FaceClip


@dataclass(frozen=True)
class MatchingBatch:
    """C clips x W windows, for the sync expert.

    frames: (F, 48, 96, 3) uint8 RGB, lower halves. owners: (F,), each frame's clip, 0..C - 1.
    windows: (C, W), each window's first frame, as an index into `frames`. heard: (C, W, 1, D, 16)
    float32. places: (C, W), each window's first frame in its clip.
    """

    frames: Tensor
    owners: Tensor
    windows: Tensor
    heard: Tensor
    places: Tensor


@dataclass(frozen=True)
class _Drawn:
    """Windows of one clip, by their first frames, (W,), rising."""

    clip: int
    starts: NDArray[np.int64]
    is_mirrored: bool

    @property
    def frames(self) -> NDArray[np.int64]:
        """All frames from the start of the first window to the end of the last."""
        return np.arange(self.starts[0], self.starts[-1] + WINDOW)


class MatchingBatches(Dataset[MatchingBatch]):
    """Windows of some clips, which have to find their own sounds among those of the clip.

    If the clips are a FaceBank, batches are built on its device.
    """

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
        long = [number for number, clip in enumerate(clips) if len(clip.faces()) >= least]
        self.clips = clips
        self.draw = Draw(long, group=lambda number: clips[number].dataset, power=0.5)
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
        drawn = list(self._drawn(step))
        lengths = [len(each.frames) for each in drawn]
        before = np.cumsum([0, *lengths[:-1]])
        places = np.stack([each.starts for each in drawn])
        if isinstance(self.clips, FaceBank):
            frames, heard = _taken(self.clips, drawn)
        else:
            frames, heard = self._read(drawn)
        return MatchingBatch(
            frames=frames,
            owners=torch.arange(len(drawn)).repeat_interleave(torch.tensor(lengths)),
            windows=torch.from_numpy(before[:, None] + places - places[:, :1]),
            heard=heard.view(self.batch, self.windows, *heard.shape[1:]),
            places=torch.from_numpy(places),
        )

    def _drawn(self, step: int) -> Iterator[_Drawn]:
        random = np.random.default_rng([self.seed, step])
        for number in self.draw.several(self.batch, random):
            clip = self.draw.clips[number]
            count = len(self.clips[clip].faces()) - WINDOW + 1
            starts = np.sort(random.choice(count, self.windows, replace=False))
            yield _Drawn(clip, starts, bool(random.random() < 0.5))

    def _read(self, drawn: Sequence[_Drawn]) -> tuple[Tensor, Tensor]:
        frames: list[NDArray[np.uint8]] = []
        heard: list[Features] = []
        for each in drawn:
            clip = self.clips[each.clip]
            stored, spectrum = clip.faces(), clip.features(self.kind)
            lower = np.array(stored[each.frames[0] : each.frames[-1] + 1, SIZE // 2 :])
            frames.append(lower[:, :, ::-1] if each.is_mirrored else lower)
            first = audio.first_columns(len(stored), spectrum.shape[1])
            heard.append(audio.windows(spectrum, first[each.starts]))
        return torch.from_numpy(np.concatenate(frames)), torch.from_numpy(np.concatenate(heard))


def _taken(bank: FaceBank, drawn: Sequence[_Drawn]) -> tuple[Tensor, Tensor]:
    clips = [each.clip for each in drawn]
    faces = bank.faces(clips, [each.frames for each in drawn], [each.is_mirrored for each in drawn])
    columns = [bank.first_columns(each.clip)[each.starts] for each in drawn]
    return faces[:, SIZE // 2 :], bank.windows(clips, columns)
