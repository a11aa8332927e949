"""All clips in a device's memory, for batches that are built there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.networks import audio
from bench.networks.audio import COLUMNS, AudioKind
from bench.train.face_clips import FaceClip


class FaceBank(Sequence[FaceClip]):
    """Clips whose faces, uint8, and speech features are on the device.

    A batch names frames and columns by their indices; a step transfers only these.
    """

    def __init__(self, clips: Sequence[FaceClip], kind: AudioKind, device: torch.device) -> None:
        self._clips = list(clips)
        self.device = device
        self.kind: AudioKind = kind
        lengths = [len(clip.faces()) for clip in self._clips]
        self._first = np.cumsum([0, *lengths])
        faces = [torch.from_numpy(np.array(clip.faces())).to(device) for clip in self._clips]
        self._faces = torch.cat(faces)  # (N, 96, 96, 3)
        heard = [torch.from_numpy(clip.features(kind).T.copy()).to(device) for clip in self._clips]
        self._first_column = np.cumsum([0, *map(len, heard)])
        self._heard = torch.cat(heard)  # (M, D)

    def __len__(self) -> int:
        """How many clips."""
        return len(self._clips)

    @overload
    def __getitem__(self, place: int) -> FaceClip: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[FaceClip]: ...

    def __getitem__(self, place: int | slice) -> FaceClip | Sequence[FaceClip]:
        """A clip, or several."""
        return self._clips[place]

    def faces(
        self, clips: Sequence[int], frames: Sequence[NDArray[np.int64]], mirrored: Sequence[bool]
    ) -> Tensor:
        """Frames of some clips, concatenated, (F, 96, 96, 3) uint8 RGB.

        mirrored: for each clip, whether to flip it horizontally.
        """
        numbers = np.concatenate(
            [self._first[clip] + own for clip, own in zip(clips, frames, strict=True)]
        )
        flags = np.repeat(np.array(mirrored), [len(own) for own in frames])
        chosen = self._faces[self._moved(numbers)]
        return torch.where(self._moved(flags)[:, None, None, None], chosen.flip(2), chosen)

    def first_columns(self, clip: int, *, lead: int = 0) -> NDArray[np.int64]:
        """The first column that each frame of a clip hears, as in `audio.first_columns`."""
        frames = int(self._first[clip + 1] - self._first[clip])
        columns = int(self._first_column[clip + 1] - self._first_column[clip])
        return audio.first_columns(frames, columns, lead=lead)

    def windows(self, clips: Sequence[int], columns: Sequence[NDArray[np.int64]]) -> Tensor:
        """The speech features from these columns of these clips on, (B, 1, D, 16) float32."""
        numbers = np.concatenate(
            [self._first_column[clip] + own for clip, own in zip(clips, columns, strict=True)]
        )
        heard = self._heard[self._moved(numbers[:, None] + np.arange(COLUMNS))]  # (B, 16, D)
        return heard.transpose(1, 2)[:, None].contiguous()

    def _moved(self, numbers: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(numbers).to(self.device, non_blocking=True)
