"""Batches for the scorer: windows of stored clips in random views, damaged copies, still faces.

Every batch depends only on the seed and the step, so that a resumed training gets the same ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from bench.train.draws import Draw
from bench.train.looks import skin_of
from bench.train.ready_clips import ReadyClip
from metrics.lse.sync_small import augmentation, recording
from metrics.lse.sync_small.disguise import Disguise, disguise
from metrics.lse.sync_small.network import (
    COLUMNS_PER_FRAME,
    WINDOW,
    sound_windows,
    standardised_cepstra,
)
from metrics.lse.sync_small.settings import Shape


@dataclass(frozen=True)
class MouthClip(ReadyClip):
    """A preprocessed clip: the square around the mouth, the sound and its spectrum."""

    def mouths(self) -> NDArray[np.uint8]:
        """(T, 96, 96, 3) uint8 RGB."""
        return np.asarray(self.array("mouths"))

    def sound(self) -> NDArray[np.int16]:
        """(S,) int16 at 16 kHz."""
        return np.array(self.array("sound"))

    def log_power(self) -> NDArray[np.float32]:
        """(M, 257) float32."""
        return np.asarray(self.array("log_power"), dtype=np.float32)


@dataclass(frozen=True)
class Batch:
    """C clips x W windows, D of the clips a second time, damaged, and S frozen windows per clip.

    frames: (F, 56, 64, 3) uint8 RGB. windows: (C W + D W + C S,), each window's first frame: seen,
    then damaged, then still ones. sound: (C W, 13, 20). places: (C, W), the windows' positions in
    their clips. severity: (D,), how badly the first D clips are damaged.
    """

    frames: Tensor
    windows: Tensor
    sound: Tensor
    places: Tensor
    severity: Tensor


class Batches(Dataset[Batch]):
    """Draws clips so that a speaker with many clips does not dominate."""

    def __init__(
        self,
        clips: Sequence[MouthClip],
        shape: Shape,
        *,
        steps: int,
        seed: int,
        balance: float,
    ) -> None:
        """balance: a speaker's probability is the number of clips to this power; 0: all equal.

        With `shape.person_clips`, each person that is made of a speaker counts as a speaker.
        """
        self._persons = persons_of(clips, shape.person_clips)
        seen: Counter[tuple[str, str]] = Counter()
        person: dict[MouthClip, int] = {}
        for clip in clips:
            who = clip.dataset, clip.speaker
            person[clip] = seen[who] % self._persons[who]
            seen[who] += 1
        self.draw = Draw(
            clips, group=lambda clip: (clip.dataset, clip.speaker, person[clip]), power=balance
        )
        self.shape = shape
        self.seed = seed
        self.steps = steps

    def __len__(self) -> int:
        """The number of steps."""
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        """The batch of one step."""
        random = np.random.default_rng([self.seed, step])
        # Its own deviates, so that batches without these settings are what they were.
        further = np.random.default_rng([self.seed, step, 1])
        shape = self.shape
        pictures = _Pictures()
        sounds: list[Tensor] = []
        places: list[NDArray[np.int64]] = []
        severity: list[float] = []
        for number in range(shape.clips):
            clip, other = self.draw.one(random), self.draw.one(random)
            stored, logarithm = clip.mouths(), clip.log_power()
            shown = np.arange(len(stored))
            if shape.recordings:
                fastest = (len(stored) - 1) / (shape.windows + WINDOW)
                speed = recording.speed(further, fastest=fastest)
                shown, logarithm = speed.frames(len(stored)), speed.columns(logarithm)
            worn = self._disguise(clip, further)
            if worn is not None:
                logarithm = worn.heard(logarithm)
            if shape.recordings:
                logarithm = recording.stored_sound(logarithm, further)
            cepstra = augmentation.heard(logarithm, random, babble=other.log_power())
            first, index = _segment(len(shown), shape.segment, random)
            index = shown[index]
            if worn is not None or shape.recordings:
                stored, index = stored[index], np.arange(len(index))
            if worn is not None:
                stored = worn.look.worn(stored, skin_of(stored))
            if shape.recordings:
                stored = recording.stored_pictures(stored, further)
            own = np.sort(random.choice(len(index) - WINDOW + 1, shape.windows, replace=False))
            view = augmentation.view(len(index), random)
            pictures.add("seen", view.of(stored, index, random), own)
            sounds.append(sound_windows(standardised_cepstra(cepstra), first + own))
            places.append(own)
            if number < shape.damaged:
                mouths, how_badly = augmentation.damaged(stored, index, view, random)
                pictures.add("spoilt", mouths, own)
                severity.append(how_badly)
            chosen = random.choice(own, shape.still, replace=False)
            frames = (chosen[:, None] + np.arange(WINDOW)).reshape(-1)  # (S x 5,)
            energy = _loudness(cepstra, first + frames)
            mouths = augmentation.still_mouths(stored, energy, view, random)
            pictures.add("still", mouths, np.arange(shape.still) * WINDOW)
        return Batch(
            frames=torch.from_numpy(np.concatenate(pictures.frames)),
            windows=torch.from_numpy(np.concatenate(pictures.windows())),
            sound=torch.cat(sounds),
            places=torch.from_numpy(np.stack(places)),
            severity=torch.tensor(severity),
        )

    def _disguise(self, clip: MouthClip, random: np.random.Generator) -> Disguise | None:
        """The person as whom this clip's speaker appears now; None: as himself."""
        person = int(random.integers(self._persons[clip.dataset, clip.speaker]))
        name = crc32(f"{clip.dataset}/{clip.speaker}".encode())
        return _disguised(self.seed, name, person) if person else None


def persons_of(clips: Sequence[MouthClip], person_clips: int | None) -> dict[tuple[str, str], int]:
    """How many persons each speaker (data set, name) counts as: one for each `person_clips` clips.

    At least one, and only one if it is None.
    """
    counted = Counter((clip.dataset, clip.speaker) for clip in clips)
    return {who: max(1, n // person_clips) if person_clips else 1 for who, n in counted.items()}


@lru_cache(maxsize=512)
def _disguised(*seed: int) -> Disguise:
    return disguise(seed)


def _segment(
    frames: int, wanted: int, random: np.random.Generator
) -> tuple[int, NDArray[np.int64]]:
    """The first frame and all frame indices of a random segment, or of the whole clip."""
    length = min(frames, wanted)
    first = int(random.integers(frames - length + 1))
    return first, first + np.arange(length)


def _loudness(cepstra: NDArray[np.float32], frames: NDArray[np.int64]) -> NDArray[np.float32]:
    """The energy at the given frames, from 0 (6 nepers under the loudest) to 1."""
    columns = np.minimum(COLUMNS_PER_FRAME * frames, cepstra.shape[1] - 1)
    loudest = np.percentile(cepstra[0], 95)
    return np.asarray((1.0 + (cepstra[0, columns] - loudest) / 6.0).clip(0, 1), dtype=np.float32)


class _Pictures:
    """Collects frames, and the first frames of the windows of each kind."""

    def __init__(self) -> None:
        self.frames: list[NDArray[np.uint8]] = []
        self._count = 0
        self._starts: dict[str, list[NDArray[np.int64]]] = {"seen": [], "spoilt": [], "still": []}

    def add(self, kind: str, mouths: NDArray[np.uint8], starts: NDArray[np.int64]) -> None:
        self.frames.append(mouths)
        self._starts[kind].append(self._count + starts)
        self._count += len(mouths)

    def windows(self) -> list[NDArray[np.int64]]:
        return [starts for kind in self._starts.values() for starts in kind]
