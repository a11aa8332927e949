"""What of a clip the network is trained on: squares around the face, and where the points are."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.contract.video import Video
from bench.data.synth.corpus import points_of
from bench.features.landmark_points import SMALL, SMALL_OF_MESH
from bench.ground.errors import BenchError
from bench.ground.types import Clip, Track
from bench.train.ready_clips import Arrays, Detector, RawClip, ReadyClip, all_ready, track_of
from metrics.features.landmarks.crops import around

if TYPE_CHECKING:
    from metrics.features.landmarks.mesh import Mesh

FACES_VERSION = "1"  # raise it when what is stored changes
STORED = 176  # pixels of a stored square's side
STORED_SHARE = 2.0  # of the longer side of the face's box: the side of that square
EVERY = 3  # frames from one that is stored to the next
LEAST_FRAMES = 5


@dataclass(frozen=True)
class FaceClip(ReadyClip):
    """A clip made ready: every third frame's face."""

    def squares(self) -> NDArray[np.uint8]:
        """(K, 176, 176, 3) uint8 RGB."""
        return np.asarray(self.array("squares"))

    def points(self) -> NDArray[np.float32]:
        """(K, 46, 2) in pixels of the squares."""
        return np.asarray(self.array("points"))


def make_ready(
    clips: Sequence[Clip],
    *,
    split: str,
    detectors: Sequence[Detector],
    cache: Path,
    log: logging.Logger,
) -> list[FaceClip]:
    """The clips that can be trained on, once for each detector.

    Points of clips of the embedded corpora are the renderer's, those of others the mesh's. A clip
    is dropped if it cannot be read or shows a face in less than 80 % of its frames; the log counts
    the reasons. Raises BenchError with these counts if fewer than half remain.
    """
    raw = [
        RawClip(clip, detector, cache)
        for clip in clips
        for detector in detectors
        if detector != "given" or clip.box is not None
    ]
    return all_ready(raw, _ready, split=split, log=log)


def _ready(raw: RawClip) -> FaceClip:
    return raw.ready("faces_with_points", _arrays, version=FACES_VERSION, of=FaceClip)


def _arrays(raw: RawClip) -> Arrays:
    video, _ = raw.opened()
    frames, track = video.read(), track_of(video)
    index = np.arange(0, len(frames), EVERY)
    points, is_seen = labels(raw, video, track, index)
    index, points = index[is_seen], points[is_seen]
    if len(index) < LEAST_FRAMES:
        raise BenchError(f"the points are known in fewer than {LEAST_FRAMES} of its frames")
    squares = [around(track.boxes[i], STORED_SHARE) for i in index]
    stored = [square.cut(frames[i], STORED) for square, i in zip(squares, index, strict=True)]
    scale = STORED / np.array([square.side for square in squares])[:, None, None]
    middles = np.array([(square.x, square.y) for square in squares])[:, None]
    placed = (points - middles) * scale + STORED / 2
    return {"squares": np.stack(stored), "points": placed.astype(np.float32)}


def labels(
    raw: RawClip, video: Video, track: Track, index: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Points (K, 46, 2) of the frames `index` in pixels of the frame, and where they are known."""
    frames = video.read()
    try:
        known = points_of(raw.clip)
    except BenchError:
        return _by_mesh(frames[index], track.boxes[index])
    whole = np.concatenate(
        [known.mouth, known.eyes.reshape(-1, 12, 2), known.nose, known.jaw], axis=1
    )
    if whole.shape != (len(frames), SMALL.count, 2):
        raise BenchError(f"it has {len(frames)} frames, and was rendered with {len(whole)}")
    return whole[index], np.ones(len(index), dtype=np.bool_)


def _by_mesh(
    frames: NDArray[np.uint8], boxes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    from metrics.features.landmarks.mesh import LEAST_SCORE

    seen = _mesh().follow(frames, boxes, track=False)
    points = np.stack([one.points[list(SMALL_OF_MESH)] for one in seen])
    return points, np.array([one.score >= LEAST_SCORE for one in seen])


@functools.cache
def _mesh() -> Mesh:
    from bench.files import weights
    from metrics.features.landmarks.mesh import Mesh

    return Mesh(weights.find("face_mesh"))
