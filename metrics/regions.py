"""The part of the frame that a full-reference metric compares: face, mouth or whole frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.contract.jobs import Sample
from bench.contract.video import Video
from bench.ground.errors import BenchError, Undefined
from bench.ground.types import Frame, Frames, Track

Region: TypeAlias = Literal["face", "frame", "mouth"]


def region_pairs(sample: Sample, region: Region) -> Iterator[tuple[Frame, Frame]]:
    """Pairs of the same region of each frame of reference and video, (h, w, 3) uint8 views.

    The reference's face decides the region in both, so that a method cannot influence it.
    Raises BenchError if there is no reference or the shapes differ, Undefined without a face.
    """
    truth, made = _same_shape(sample)
    if region == "frame":
        return zip(truth, made, strict=True)
    track = _truth_track(sample, len(truth))
    boxes = whole_boxes(track.boxes if region == "face" else track.mouths, truth.shape[1:3])
    return (
        (truth[i, top:bottom, left:right], made[i, top:bottom, left:right])
        for i, (left, top, right, bottom) in enumerate(boxes.tolist())
    )


def faces_with_mouths(sample: Sample) -> Iterator[tuple[Frame, Frame, NDArray[np.float64]]]:
    """Pairs of faces of each frame of reference and video, with the box of the mouth.

    The faces are (h, w, 3) uint8 views; the mouth is x0 y0 x1 y1 in shares of their width and
    height, clipped to them. Raises as `region_pairs` does.
    """
    truth, made = _same_shape(sample)
    track = _truth_track(sample, len(truth))
    boxes = whole_boxes(track.boxes, truth.shape[1:3])
    for i, (left, top, right, bottom) in enumerate(boxes.tolist()):
        if left >= right or top >= bottom:
            raise Undefined("the region lies outside the frame")
        corner, size = np.array([left, top]), np.array([right - left, bottom - top])
        corners = ((track.mouths[i].reshape(2, 2) - corner) / size).clip(0.0, 1.0)
        if (corners[0] >= corners[1]).any():
            raise Undefined("the mouth lies outside the face's box")
        faces = truth[i, top:bottom, left:right], made[i, top:bottom, left:right]
        yield *faces, corners.reshape(4).astype(np.float64)


def compared(sample: Sample) -> tuple[Frames, Frames, Track]:
    """The frames of truth and video, of one shape, and the truth's face track.

    Raises as `region_pairs` does.
    """
    truth, made = _same_shape(sample)
    return truth, made, _truth_track(sample, len(truth))


def _truth_track(sample: Sample, frames: int) -> Track:
    track = _reference(sample).faces()
    if len(track.boxes) != frames:
        raise BenchError(
            f"case {sample.case.id}: {frames} frames in the truth, {len(track.boxes)} in its"
            " face track; clear the cache of features and run again"
        )
    return track


def whole_boxes(boxes: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.int64]:
    """Boxes x0 y0 x1 y1 of whole pixels, clipped to a frame of size (height, width), (T, 4).

    Left and top are rounded down, right and bottom up, so that no part of the box is lost. A box
    outside the frame becomes empty.
    """
    height, width = size
    outer = np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1)
    clipped = np.clip(outer, 0, [width, height, width, height])
    return np.asarray(clipped, dtype=np.int64)


def _reference(sample: Sample) -> Video:
    if sample.reference is None:
        raise BenchError(
            f"case {sample.case.id}: no reference to compare with; full-reference metrics need"
            " a case of kind reconstruct or probe"
        )
    return sample.reference


def _same_shape(sample: Sample) -> tuple[Frames, Frames]:
    truth, made = _reference(sample).read(), sample.video.read()
    check_shapes(truth, made, f"case {sample.case.id}: ")
    return truth, made


def check_shapes(truth: Frames, made: Frames, where: str = "") -> None:
    """Raises BenchError unless both are (T, H, W, 3) uint8 of one shape, Undefined if T is 0."""
    if truth.shape != made.shape:
        raise BenchError(
            f"{where}the video is {made.shape}, its reference {truth.shape} (frames, height, width,"
            " channels); conform the video to its reference first, nothing is cut or resized here"
        )
    if truth.ndim != 4 or truth.shape[3] != 3 or truth.dtype != np.uint8 or made.dtype != np.uint8:
        raise BenchError(
            f"{where}expected (T, H, W, 3) uint8 RGB, got {truth.shape} {truth.dtype}/{made.dtype}"
        )
    if len(truth) == 0:
        raise Undefined(f"{where}no frames")
