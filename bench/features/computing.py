"""The features of a run: their options and keys, and how their arrays are computed.

`Video.feature` calls this. A feature that several metrics read is computed once, for the first.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from bench.config.names import closest
from bench.contract.identity import identity_of
from bench.contract.plugins import Feature, Options
from bench.contract.registry import MEDIA
from bench.contract.video import Arrays, Video
from bench.features.store import FeatureStore
from bench.files.digests import digest
from bench.ground.errors import BenchError
from bench.machine.faults import raise_machine_fault


@dataclass(frozen=True)
class ChosenFeature:
    """A feature with its settings; `key` covers everything in it that changes its arrays.

    protocol: its name in protocols of metrics. reads_boxes: whether the arrays also depend on the
    manifest's face box. reads_sound: whether they also depend on the sound; if not, videos that
    differ only in their sound share them.
    """

    plugin: type[Feature]
    options: Options
    origin: str
    protocol: str
    key: str
    reads_boxes: bool
    reads_sound: bool

    def make(self) -> Feature:
        """A fresh instance, not yet loaded."""
        return self.plugin(self.options)


def chosen(
    feature: Feature,
    others: Mapping[str, ChosenFeature],
    *,
    origin: str = "",
    file: Path | None = None,
    helpers: tuple[Path, ...] = (),
    reads_boxes: bool = False,
) -> ChosenFeature:
    """A feature with its key. others: at least those that it reads. file, helpers: its code.

    reads_boxes: whether it reads `Video.box` itself; if not, it may do so through other features.
    """
    read = {name: others[name] for name in sorted(feature.reads - MEDIA)}
    identity = identity_of(feature, file=file, helpers=helpers)
    if read:
        identity["features"] = {name: one.key for name, one in read.items()}
    protocol = feature.protocol
    for name, one in read.items():
        protocol = protocol.replace(f"{{{name}}}", one.protocol)
    return ChosenFeature(
        type(feature),
        feature.options,
        origin,
        protocol,
        digest(identity),
        reads_boxes or any(one.reads_boxes for one in read.values()),
        "sound" in feature.reads or any(one.reads_sound for one in read.values()),
    )


def needed(reads: Collection[str], known: Mapping[str, type[Feature]]) -> list[str]:
    """The features in `reads` and those that they read in turn; each comes after what it reads.

    Raises BenchError for an unknown feature, and for features that read each other in a circle.
    """
    order: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " reads ".join((*path[path.index(name) :], name))
            raise BenchError(f"features read each other in a circle: {circle}")
        if name in order or name in MEDIA:
            return
        if name not in known:
            there = closest(name, [*known, *MEDIA])
            raise BenchError(f"there is no feature '{name}' to read. {there}")
        for other in sorted(known[name].reads):
            visit(other, (*path, name))
        order.append(name)

    for name in sorted(reads):
        visit(name, ())
    return order


class Features:
    """Computes the chosen features of videos; a `Video` is opened with it.

    store: keeps the features of videos that have a digest; None keeps them only in the video. Each
    plugin is loaded on first use and used by one thread at a time.
    """

    def __init__(
        self,
        features: Mapping[str, ChosenFeature],
        *,
        store: FeatureStore | None = None,
        device: str = "cpu",
    ) -> None:
        self._users = {name: _User(one, device) for name, one in features.items()}
        self._store = store

    @property
    def protocols(self) -> dict[str, str]:
        """The features' names in protocols, by the features' own names."""
        return {name: user.chosen.protocol for name, user in self._users.items()}

    def __call__(self, video: Video, name: str) -> Arrays:
        """The arrays of a feature of a video; raises Undefined, with the reason, if it has none."""
        if name not in self._users:
            raise BenchError(
                f"the feature '{name}' is not among those of this run; name it in the plugin's "
                "`reads`, so that it enters the keys of the results"
            )
        user = self._users[name]
        if self._store is None or not video.sha256:
            return user.compute(video)
        box = video.box if user.chosen.reads_boxes else None
        seen = video.sha256
        if not user.chosen.reads_sound and video.path is not None:
            seen = _frames_digest(video.path, seen)
        key = digest([seen, user.chosen.key, box])
        return self._store.get(name, key, lambda: user.compute(video))


@lru_cache(maxsize=16)  # videos; of one, every feature asks
def _frames_digest(path: Path, sha256: str) -> str:  # noqa: ARG001 (of other content, other frames)
    from bench import media

    return media.frames_digest(path)


class _User:
    """One feature's plugin, loaded on first use; a failed load is not tried again."""

    def __init__(self, chosen: ChosenFeature, device: str) -> None:
        self.chosen = chosen
        self._device = device
        self._lock = threading.RLock()
        self._loaded: Feature | Exception | None = None

    def compute(self, video: Video) -> Arrays:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            if isinstance(self._loaded, Exception):
                raise self._loaded
            return checked(self.chosen.plugin, self._loaded.compute(video))

    def _load(self) -> Feature | Exception:
        try:
            plugin = self.chosen.make()
            plugin.load(self._device)
        except Exception as error:
            raise_machine_fault(error)
            return error
        return plugin


def checked(feature: type[Feature], arrays: Arrays) -> Arrays:
    """The arrays as they are kept. Raises BenchError if they break the declaration."""
    if not isinstance(arrays, Mapping) or set(arrays) != set(feature.arrays):
        found = sorted(arrays) if isinstance(arrays, Mapping) else repr(arrays)[:80]
        raise BenchError(
            f"feature {feature.name} gave {found}, but declares {sorted(feature.arrays)}."
        )
    kept = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in kept.items():
        if array.dtype.hasobject:
            raise BenchError(
                f"feature {feature.name}: {name} holds Python objects ({array.dtype}), which are "
                "not kept; give an array of numbers, or of texts of fixed length."
            )
    return kept
