"""Batches for the lip readers: clips in one of their views, at random speeds, and what is said.

Every batch is a function of the seed and the step alone, so that a resumed training sees the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from bench.ground.types import FPS
from bench.train.draws import Draw
from bench.train.ready_clips import ReadyClip
from metrics.reader.network import STEPS
from metrics.reader.settings import Settings
from metrics.reader.units import REST, SLOTS, Spoken

UNKNOWN = -100  # the label of what lies beyond a clip's end


@dataclass(frozen=True)
class ReaderClip(ReadyClip):
    """A clip made ready: what the eyes see of it in several views, and what is said when."""

    def seen(self, view: int = 0) -> NDArray[np.float32]:
        """(T, 256); view 0 is the straight one."""
        sights = self.array("seen")  # (V, T, 256) float16
        return np.asarray(sights[view % len(sights)], dtype=np.float32)

    def spoken(self) -> list[Spoken]:
        """The units with their times."""
        rows = np.asarray(self.array("spoken"))  # (U, 3)
        return [Spoken(int(unit), float(start), float(end)) for unit, start, end in rows]


@dataclass(frozen=True)
class Batch:
    """B clips of at most T frames.

    seen: (B, T, 256) float32. labels: (B, STEPS T), the class of each half frame, UNKNOWN
    beyond the end. units: (B, U), the classes in their order, 0 beyond. lengths: (B,) half frames.
    counts: (B,) units.
    """

    seen: Tensor
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
        longest = max(len(seen) for seen, _ in pairs)
        runs = [_runs(labels) for _, labels in pairs]
        most = max(map(len, runs))
        labelled = [_longer(labels, STEPS * longest, UNKNOWN) for _, labels in pairs]
        return Batch(
            seen=torch.from_numpy(np.stack([_longer(seen, longest, 0) for seen, _ in pairs])),
            labels=torch.from_numpy(np.stack(labelled)),
            units=torch.tensor([[*run, *[0] * (most - len(run))] for run in runs]),
            lengths=torch.tensor([len(labels) for _, labels in pairs]),
            counts=torch.tensor([len(run) for run in runs]),
        )

    def _one(self, random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """A clip as it is seen once: (T, 256), and labels (STEPS T,)."""
        settings = self.settings
        clip = self.draw.one(random)
        view = int(random.integers(settings.views))
        sights, spoken = clip.seen(view), clip.spoken()
        is_words = settings.units == "words" and len(spoken) == len(SLOTS)
        if is_words and random.random() < settings.exchanged:
            own = self._by_speaker[clip.dataset, clip.speaker]
            several = [own[int(k)] for k in random.integers(len(own), size=len(SLOTS))]
            sights, spoken = put_together(several, view)
        places = timeline(len(sights), settings.frames, random)
        sights = between(sights, places)
        sights[random.random(len(sights)) < settings.blinked] = 0.0
        return sights, labels_at(places, spoken)


def put_together(
    clips: Sequence[ReaderClip], view: int
) -> tuple[NDArray[np.float32], list[Spoken]]:
    """A sentence whose k-th word comes from the k-th clip, cut where words begin and end.

    The first word brings the silence before it, the last one that behind it.
    """
    parts: list[NDArray[np.float32]] = []
    spoken: list[Spoken] = []
    done = 0
    for place, clip in enumerate(clips):
        sights, words = clip.seen(view), clip.spoken()
        word = words[place] if place < len(words) else words[-1]
        first = 0 if place == 0 else round(word.start * FPS)
        last = len(sights) if place == len(clips) - 1 else round(word.end * FPS)
        last = min(max(last, first + 1), len(sights))
        moved = (done - first) / FPS
        spoken.append(replace(word, start=word.start + moved, end=word.end + moved))
        parts.append(sights[first:last])
        done += last - first
    return np.concatenate(parts), spoken


def timeline(frames: int, most: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Which place of a clip each frame shows, (T,), T <= most: slower or faster, and unevenly."""
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


def between(sights: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """What is seen at places between frames, (P, 256), on the straight line between them."""
    before = np.floor(places).astype(np.int64)
    after = np.minimum(before + 1, len(sights) - 1)
    share = (places - before).astype(np.float32)[:, None]
    return np.asarray(sights[before] * (1 - share) + sights[after] * share)


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


def _longer(rows: NDArray[Any], count: int, filled: float) -> NDArray[Any]:
    """The rows, and as many filled ones behind them as make up the count."""
    missing = np.full((count - len(rows), *rows.shape[1:]), filled, dtype=rows.dtype)
    return np.concatenate([rows, missing])
