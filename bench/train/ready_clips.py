"""Clips preprocessed for training, each in a folder of the cache.

Each kind of training keeps its own arrays. The folder's name is a digest of the clip and of
everything that affects the result, so a second training starts at once and a killed one continues.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import math
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from bench.contract.local_module import import_local
from bench.contract.registry import load_registry
from bench.contract.video import Video
from bench.data.conform import conform_clip, conform_version
from bench.data.manifest import clip_digest
from bench.features import faces
from bench.features.computing import ChosenFeature, Features, chosen
from bench.features.store import FeatureStore
from bench.files.digests import file_sha256
from bench.files.intact import is_intact
from bench.files.one_move import in_one_move
from bench.files.paths import cache_dir
from bench.ground.cores import cores
from bench.ground.errors import BenchError
from bench.ground.types import Clip, Sound, Track
from bench.machine.faults import raise_machine_fault
from bench.machine.worker_pool import WorkerPool

MOST_MISSING = 0.2  # largest allowed share of frames without a face
LEAST_KEPT = 0.5  # smallest share of usable clips with which a training starts
DIGESTS = "sha256.json"  # digests of a folder's other files
CHUNK = 4  # clips that a process takes at a time

Detector = Literal["given", "haar", "yunet"]
Landmarks = Literal["small", "mesh"]
Arrays: TypeAlias = Mapping[str, NDArray[Any]]
Ready = TypeVar("Ready")
Kept = TypeVar("Kept", bound="ReadyClip")


@dataclass(frozen=True)
class RawClip:
    """A clip to preprocess; `detector` finds its face, and the result goes into `cache`.

    landmarks: the model of the feature `landmarks`, for trainings that read it.
    """

    clip: Clip
    detector: Detector
    cache: Path = field(default_factory=cache_dir)
    landmarks: Landmarks | None = None

    def folder(self, kind: str, *, version: str) -> Path:
        """The folder of the result. kind, version: the kind of result, and its code's version."""
        conformed_by = conform_version(self.clip)
        shaped_by = f"{conformed_by}-{faces.FACES_VERSION}-{version}-{self.detector}"
        if self.landmarks is not None:
            feature = _read(self.detector, self.landmarks)["landmarks"]
            shaped_by += f"-{self.landmarks}-{feature.key[:16]}"
        box = f"-{self.clip.box}" if self.detector == "given" else ""
        name = hashlib.sha256(f"{clip_digest(self.clip)}{box}".encode()).hexdigest()
        return self.cache / kind / shaped_by / name

    def ready(
        self,
        kind: str,
        make: Callable[[RawClip], Arrays],
        *,
        version: str,
        of: Callable[[str, str, str, Path], Kept] | None = None,
    ) -> Kept:
        """The result of `make` for this clip, from the cache if it is there.

        kind, version: as in `folder`. of: the class of the result, if not ReadyClip itself. Damaged
        results are computed again. Raises BenchError, as `make` does, if the clip cannot be used.
        """
        folder = self.folder(kind, version=version)
        if folder.is_dir() and not _is_whole(folder):
            shutil.rmtree(folder, ignore_errors=True)
        if not folder.is_dir():
            arrays = make(self)
            with in_one_move(folder) as part:  # so a kill leaves no incomplete result
                part.mkdir()
                for name, array in arrays.items():
                    np.save(part / f"{name}.npy", array)
                digests = {path.name: file_sha256(path) for path in sorted(part.iterdir())}
                (part / DIGESTS).write_text(json.dumps(digests), encoding="utf-8")
        made = (of or ReadyClip)(self.clip.id, self.speaker, self.dataset, folder)
        return cast("Kept", made)

    def opened(self) -> tuple[Video, Sound]:
        """The conformed clip and its sound, (S,) int16; raises BenchError if it has none.

        The video knows its faces and, if this clip has a model of them, `feature("landmarks")`.
        """
        conformed = conform_clip(self.clip, cache=self.cache)
        read = _read(self.detector, self.landmarks)
        features = Features(read, store=FeatureStore(self.cache / "features"))
        video = Video(conformed.path, features=features, sha256=conformed.sha256, box=self.clip.box)
        sound = video.sound()
        if sound is None:
            raise BenchError("it has no sound")
        return video, sound

    @property
    def protocols(self) -> dict[str, str]:
        """How the features that the video knows are computed, by name."""
        read = _read(self.detector, self.landmarks)
        return {name: feature.protocol for name, feature in read.items()}

    @property
    def speaker(self) -> str:
        """The speaker's name within the data set."""
        return self.clip.speaker.rpartition("/")[2]

    @property
    def dataset(self) -> str:
        """The data set's name, which precedes the speaker's name in training."""
        return self.clip.speaker.rpartition("/")[0] or self.clip.language or "clips"


@cache
def _read(detector: Detector, landmarks: Landmarks | None) -> Mapping[str, ChosenFeature]:
    """The features that a clip's video knows."""
    read = {"faces": faces.chosen_faces(detector, "largest")}
    if landmarks is not None:
        plugin = load_registry().features["landmarks"].plugin
        feature = plugin(plugin.Options.model_validate({"model": landmarks}))
        read["landmarks"] = chosen(feature, read)
    return read


@dataclass(frozen=True)
class ReadyClip:
    """A preprocessed clip: arrays in a folder, by name."""

    id: str
    speaker: str
    dataset: str
    folder: Path

    def array(self, name: str) -> Any:
        """One of its arrays, read-only and memory-mapped, so that only the used part is read."""
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")


def _is_whole(folder: Path) -> bool:
    """Whether all files match their digests; old folders without digests are accepted."""
    file = folder / DIGESTS
    if not file.is_file():
        return True
    try:
        digests = json.loads(file.read_text(encoding="utf-8"))
        return all(is_intact(folder / name, digest) for name, digest in digests.items())
    except (OSError, ValueError, AttributeError):
        return False


def track_of(video: Video) -> Track:
    """The video's face track; raises BenchError if fewer than 80 % of the frames show a face."""
    track = video.faces()
    if track.missing > MOST_MISSING:
        raise BenchError(f"it shows a face in less than {1 - MOST_MISSING:.0%} of its frames")
    return track


def all_ready(
    clips: Sequence[RawClip], make: Callable[[RawClip], Ready], *, split: str, log: logging.Logger
) -> list[Ready]:
    """The results of `make` for all usable clips, computed by one process per CPU.

    make: a module's function, which other processes can import; it raises BenchError for a clip
    that cannot be used. The log counts the reasons. Raises BenchError with these counts if fewer
    than half of the clips remain.
    """
    ready: list[Ready] = []
    reasons: Counter[str] = Counter()
    for place, result in enumerate(_attempts(clips, make), start=1):
        if isinstance(result, _Made):
            ready.append(result.ready)
        else:
            reasons[result.reason] += 1
            raw = result.raw
            log.warning("dropped %s: %s (faces: %s)", raw.clip.id, result.reason, raw.detector)
        if place % 100 == 0:
            log.info("%s: made ready %d of %d clips", split, place, len(clips))
    counted = "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common())
    log.info("%s: %d clips; dropped %d %s", split, len(ready), len(clips) - len(ready), counted)
    if not ready or len(ready) < LEAST_KEPT * len(clips):
        raise BenchError(
            f"data: {len(ready)} of {len(clips)} clips of {split} can be used, but training needs "
            f"at least half of them: {counted}. `bench doctor MANIFEST` says more."
        )
    return ready


@dataclass(frozen=True)
class _Made(Generic[Ready]):
    ready: Ready


@dataclass(frozen=True)
class _Dropped:
    raw: RawClip
    reason: str


def _attempts(
    clips: Sequence[RawClip], make: Callable[[RawClip], Ready]
) -> Iterator[_Made[Ready] | _Dropped]:
    attempt = partial(_attempt, make)
    processes = min(len(cores()), math.ceil(len(clips) / CHUNK))
    if processes < 2:
        yield from map(attempt, clips)
        return
    with WorkerPool(processes, prepare=_import_file, arguments=_local_module(make)) as pool:
        yield from pool.map(attempt, clips, chunksize=CHUNK)


def _local_module(make: Callable[..., object]) -> tuple[str, str | None]:
    """Name and file of the module that defines `make`."""
    while isinstance(make, partial):
        make = make.func
    return make.__module__, getattr(sys.modules[make.__module__], "__file__", None)


def _import_file(name: str, file: str | None) -> None:
    """Imports a local plugin from its file, under its name, which `import` cannot find."""
    if file is None or importlib.util.find_spec(name.partition(".")[0]) is not None:
        return
    import_local(name, Path(file))


def _attempt(make: Callable[[RawClip], Ready], raw: RawClip) -> _Made[Ready] | _Dropped:
    import cv2

    cv2.setNumThreads(1)  # one thread per process
    try:
        return _Made(make(raw))
    except BenchError as error:
        raise_machine_fault(error)  # else every clip would be dropped
        return _Dropped(raw, str(error))
