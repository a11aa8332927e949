"""Clips of `val`: chosen evenly over the data sets; figures are averaged by data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np


class HasDataset(Protocol):
    """A clip that knows its data set."""

    @property
    def dataset(self) -> str:
        """The name of the data set."""
        ...


Chosen = TypeVar("Chosen")
Known = TypeVar("Known", bound=HasDataset)


def means_by_dataset(rows: Iterable[tuple[str, Mapping[str, float]]]) -> dict[str, float]:
    """By `<data set> <figure>`, the mean over the data set's clips.

    rows: for each clip its data set and its figures; all clips have the same figures.
    """
    found: dict[str, list[Mapping[str, float]]] = {}
    for name, figures in rows:
        found.setdefault(name, []).append(figures)
    return {
        f"{name} {figure}": float(np.mean([row[figure] for row in own], dtype=np.float64))
        for name, own in sorted(found.items())
        for figure in own[0]
    }


def evenly_by_dataset(clips: Sequence[Known], count: int) -> list[Known]:
    """About `count` clips, equally many of each data set, evenly spaced within it."""
    found: dict[str, list[Known]] = {}
    for clip in clips:
        found.setdefault(clip.dataset, []).append(clip)
    share = max(1, count // len(found))
    return [clip for own in found.values() for clip in evenly(own, share)]


def evenly(clips: Sequence[Chosen], count: int) -> list[Chosen]:
    """`count` of the clips, evenly spaced."""
    places = np.linspace(0, len(clips) - 1, min(count, len(clips))).round().astype(int)
    return [clips[place] for place in places]
