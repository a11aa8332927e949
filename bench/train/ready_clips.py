"""Clips made ready for training, each in a folder of the cache.

What is kept of a clip is its training's own. It lies under the clip's digest and everything that
shaped it, so that a second training starts at once and a killed preparation goes on.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, Literal, TypeVar

from bench.contract.video import Video
from bench.data.conform import conform_clip, conform_version
from bench.data.manifest import clip_digest
from bench.errors import BenchError
from bench.features import faces
from bench.features.store import FeatureStore
from bench.machine.faults import raise_machine_fault
from bench.machine.worker_pool import WorkerPool
from bench.types import Clip, Sound, Track

MOST_MISSING = 0.2  # the share of frames without a face
LEAST_KEPT = 0.5  # the share of clips with which a training still starts
CHUNK = 4  # clips that a process takes at a time

Detector = Literal["given", "haar", "yunet"]
Ready = TypeVar("Ready")


@dataclass(frozen=True)
class Order:
    """A clip to make ready, its face found by `detector`, in this cache."""

    clip: Clip
    detector: Detector
    cache: Path

    def folder(self, kind: str, *, version: str) -> Path:
        """Where what is made of it is kept. kind, version: what is made, in which way."""
        conformed_by = conform_version(self.clip)
        shaped_by = f"{conformed_by}-{faces.FACES_VERSION}-{version}-{self.detector}"
        box = f"-{self.clip.box}" if self.detector == "given" else ""
        name = hashlib.sha256(f"{clip_digest(self.clip)}{box}".encode()).hexdigest()
        return self.cache / kind / shaped_by / name

    def opened(self) -> tuple[Video, Sound]:
        """The clip conformed, and its sound, (S,) int16; raises BenchError where it has none."""
        conformed = conform_clip(self.clip, cache=self.cache)
        features = faces.finding_faces(self.detector, store=FeatureStore(self.cache / "features"))
        video = Video(conformed.path, features=features, sha256=conformed.sha256, box=self.clip.box)
        sound = video.sound()
        if sound is None:
            raise BenchError("it has no sound")
        return video, sound

    @property
    def speaker(self) -> str:
        """The speaker's name within the data set."""
        return self.clip.speaker.rpartition("/")[2]

    @property
    def dataset(self) -> str:
        """The data set, which training configs write before the speaker's name."""
        return self.clip.speaker.rpartition("/")[0] or self.clip.language or "clips"


def track_of(video: Video) -> Track:
    """The video's face; raises BenchError where fewer than 80 % of the frames show it."""
    track = video.faces()
    if track.missing > MOST_MISSING:
        raise BenchError(f"it shows a face in less than {1 - MOST_MISSING:.0%} of its frames")
    return track


def all_ready(
    orders: Sequence[Order], make: Callable[[Order], Ready], *, split: str, log: logging.Logger
) -> list[Ready]:
    """What `make` gives for each order that can be used, by as many processes as processors.

    make: a function of a module, for other processes to call; it raises BenchError for a clip that
    cannot be used. The log counts the reasons. Raises BenchError with these counts if fewer than
    half of the clips remain.
    """
    ready: list[Ready] = []
    reasons: Counter[str] = Counter()
    for place, result in enumerate(_attempts(orders, make), start=1):
        if isinstance(result, _Made):
            ready.append(result.ready)
        else:
            reasons[result.reason] += 1
            order = result.order
            log.warning("dropped %s: %s (faces: %s)", order.clip.id, result.reason, order.detector)
        if place % 100 == 0:
            log.info("%s: made ready %d of %d clips", split, place, len(orders))
    counted = "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common())
    log.info("%s: %d clips; dropped %d %s", split, len(ready), len(orders) - len(ready), counted)
    if not ready or len(ready) < LEAST_KEPT * len(orders):
        raise BenchError(
            f"data: {len(ready)} of {len(orders)} clips of {split} can be used, and training "
            f"starts with half of them at least: {counted}. `bench doctor MANIFEST` says more."
        )
    return ready


@dataclass(frozen=True)
class _Made(Generic[Ready]):
    ready: Ready


@dataclass(frozen=True)
class _Dropped:
    order: Order
    reason: str


def _attempts(
    orders: Sequence[Order], make: Callable[[Order], Ready]
) -> Iterator[_Made[Ready] | _Dropped]:
    attempt = partial(_attempt, make)
    processes = min(os.cpu_count() or 1, math.ceil(len(orders) / CHUNK))
    if processes < 2:
        yield from map(attempt, orders)
        return
    with WorkerPool(processes) as pool:
        yield from pool.map(attempt, orders, chunksize=CHUNK)


def _attempt(make: Callable[[Order], Ready], order: Order) -> _Made[Ready] | _Dropped:
    import cv2

    cv2.setNumThreads(1)  # the processes share the processors
    try:
        return _Made(make(order))
    except BenchError as error:
        raise_machine_fault(error)  # every clip would be dropped, one after the other
        return _Dropped(order, str(error))
