"""Batches for the lip readers: clips in random views and at random speeds, with what is said when.

Every batch is a function of the seed and the step alone, so that a resumed training sees the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from bench.train.draws import Draw
from bench.train.ready_clips import ReadyClip
from bench.types import FPS
from metrics.lse.sync_small import augmentation
from metrics.reader.network import STEPS
from metrics.reader.settings import Settings
from metrics.reader.units import REST, SLOTS, Spoken

UNKNOWN = -100  # the label of what lies beyond a clip's end


@dataclass(frozen=True)
class ReaderClip(ReadyClip):
    """A clip made ready: the square around the mouth, and what is said when."""

    def mouths(self) -> NDArray[np.uint8]:
        """(T, 96, 96, 3) uint8 RGB."""
        return np.asarray(self.array("mouths"))

    def spoken(self) -> list[Spoken]:
        """The units with their times."""
        rows = np.asarray(self.array("spoken"))  # (U, 3)
        return [Spoken(int(unit), float(start), float(end)) for unit, start, end in rows]


@dataclass(frozen=True)
class Batch:
    """B clips of at most T frames.

    mouths: (B, T, 56, 64, 3) uint8 RGB. labels: (B, STEPS T), the class of each half frame, UNKNOWN
    beyond the end. units: (B, U), the classes in their order, 0 beyond. lengths: (B,) half frames.
    counts: (B,) units.
    """

    mouths: Tensor
    labels: Tensor
    units: Tensor
    lengths: Tensor
    counts: Tensor


class Batches(Dataset[Batch]):
    """Draws clips so that a speaker with many does not drown those with few."""

    def __init__(self, clips: Sequence[ReaderClip], settings: Settings, *, seed: int) -> None:
        self.draw = Draw(
            clips, group=lambda clip: (clip.dataset, clip.speaker), power=settings.balance
        )
        self.settings = settings
        self.seed = seed
        self._by_speaker: dict[tuple[str, str], list[ReaderClip]] = {}
        for clip in clips:
            self._by_speaker.setdefault((clip.dataset, clip.speaker), []).append(clip)

    def __len__(self) -> int:
        """The number of steps."""
        return self.settings.steps

    def __getitem__(self, step: int) -> Batch:
        """The batch of one step."""
        random = np.random.default_rng([self.seed, step])
        pairs = [self._one(random) for _ in range(self.settings.clips)]
        longest = max(len(mouths) for mouths, _ in pairs)
        runs = [_runs(labels) for _, labels in pairs]
        most = max(map(len, runs))
        return Batch(
            mouths=torch.from_numpy(np.stack([_longer(m, longest) for m, _ in pairs])),
            labels=torch.from_numpy(
                np.stack(
                    [
                        np.pad(
                            labels, (0, STEPS * longest - len(labels)), constant_values=UNKNOWN
                        )
                        for _, labels in pairs
                    ]
                )
            ),
            units=torch.tensor([[*run, *[0] * (most - len(run))] for run in runs]),
            lengths=torch.tensor([len(labels) for _, labels in pairs]),
            counts=torch.tensor([len(run) for run in runs]),
        )

    def _one(self, random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """A clip as it is seen once: mouths (T, 56, 64, 3), and labels (STEPS T,)."""
        clip = self.draw.one(random)
        stored, spoken = clip.mouths(), clip.spoken()
        is_words = self.settings.units == "words" and len(spoken) == len(SLOTS)
        if is_words and random.random() < self.settings.exchanged:
            own = self._by_speaker[clip.dataset, clip.speaker]
            stored, spoken = put_together([own[int(k)] for k in random.integers(len(own), size=6)])
        places = timeline(len(stored), self.settings.frames, random)
        view = augmentation.view(len(places), random)
        index = np.clip(np.rint(places), 0, len(stored) - 1).astype(np.int64)
        return view.of(stored, index, random), labels_at(places, spoken)


def put_together(clips: Sequence[ReaderClip]) -> tuple[NDArray[np.uint8], list[Spoken]]:
    """A sentence whose k-th word comes from the k-th clip, cut where words begin and end.

    The first word brings the silence before it, the last one that behind it.
    """
    stored: list[NDArray[np.uint8]] = []
    spoken: list[Spoken] = []
    done = 0
    for place, clip in enumerate(clips):
        mouths, words = clip.mouths(), clip.spoken()
        word = words[place] if place < len(words) else words[-1]
        first = 0 if place == 0 else round(word.start * FPS)
        last = len(mouths) if place == len(clips) - 1 else round(word.end * FPS)
        last = min(max(last, first + 1), len(mouths))
        moved = (done - first) / FPS
        spoken.append(replace(word, start=word.start + moved, end=word.end + moved))
        stored.append(mouths[first:last])
        done += last - first
    return np.concatenate(stored), spoken


def timeline(frames: int, most: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Which place of a clip each frame shows, (T,), T <= most: slower or faster, and unevenly so."""
    pace = np.exp(random.uniform(-0.2, 0.2))
    count = 2 * frames + 8
    waves = np.sin(
        2 * np.pi * (random.random(2)[:, None] + np.arange(count) * random.uniform(0.01, 0.06))
    )
    speed = pace * np.exp(random.uniform(0.0, 0.12, 2) @ waves)  # (count,)
    places = np.cumsum(speed) - speed[0]
    places = places[places <= frames - 1]
    if len(places) > most:
        first = int(random.integers(len(places) - most + 1))
        places = places[first : first + most]
    return np.asarray(places)


def labels_at(places: NDArray[np.float64], spoken: Sequence[Spoken]) -> NDArray[np.int64]:
    """The class of each half frame at these places of a clip, (STEPS T,)."""
    within = (np.arange(STEPS) + 0.5) / STEPS
    times = ((places[:, None] + within) / FPS).ravel()  # (STEPS T,)
    starts = np.array([one.start for one in spoken])
    ends = np.array([one.end for one in spoken])
    units = np.array([one.unit for one in spoken], dtype=np.int64)
    if not len(units):
        return np.full(len(times), REST, dtype=np.int64)
    number = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, None)
    is_said = (times >= starts[number]) & (times < ends[number])
    return np.where(is_said, units[number], REST)


def _runs(labels: NDArray[np.int64]) -> list[int]:
    """The labels' runs without the rests."""
    if not len(labels):
        return []
    begins = np.concatenate([[True], labels[1:] != labels[:-1]])
    return [int(label) for label in labels[begins] if label != REST]


def _longer(mouths: NDArray[np.uint8], frames: int) -> NDArray[np.uint8]:
    """The mouths, the last one repeated to so many frames."""
    return mouths[np.minimum(np.arange(frames), len(mouths) - 1)]
