"""A recording as a portrait learns from it: faces cut out, cameras, mouths, speech.

Every face is cut out by a box that follows the head's pose; a box's pixels know their rays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import bench
from bench.features import landmark_points
from bench.features.head_pose import HeadPoses, head_poses, projected
from methods.radiance.speech import Windows, around, speech_windows

UNIT = 12.0  # cm of a head's coordinates in [-1, 1]
MIDDLE = (0.0, -1.5, 2.0)  # of these coordinates, cm from the head's origin
HALF_SIDE = 9.0  # cm of the box, from its middle: chin and brows lie within
MOUTH_MARGIN = 0.3  # of the lips' box, on each side
USUAL = 75.0  # the percentile of a clip's eye openings at which the lids count as open


@dataclass(frozen=True)
class Cameras:
    """N frames of a head. poses: (N, 4, 4) float32, camera to the head's coordinates.

    boxes: (N, 3) float32, x0 y0 side of the face's box, pixels. optics: (N, 3) float32, focal
    length and x y of the optical axis, pixels.
    """

    poses: NDArray[np.float32]
    boxes: NDArray[np.float32]
    optics: NDArray[np.float32]

    @classmethod
    def of(cls, heads: HeadPoses) -> Cameras:
        """The cameras of a clip."""
        poses = heads.poses.copy()
        poses[:, :3, 3] = (poses[:, :3, 3] - MIDDLE) / UNIT
        middle = projected(np.array([MIDDLE]), heads.poses, heads.focal, heads.centre)[:, 0]
        away = -(np.linalg.inv(heads.poses) @ np.array([*MIDDLE, 1.0]))[:, 2]
        half = HALF_SIDE * heads.focal / away
        boxes = np.column_stack([middle - half[:, None], 2 * half])
        optics = np.tile([heads.focal, *heads.centre], (len(poses), 1))
        return cls(*(np.asarray(each, dtype=np.float32) for each in (poses, boxes, optics)))

    def at(self, index: NDArray[np.int64]) -> Cameras:
        """Those of some frames."""
        return Cameras(self.poses[index], self.boxes[index], self.optics[index])


@dataclass(frozen=True)
class Recording:
    """Frames of a person that show the face, of one clip or of several.

    faces: (N, S, S, 3) uint8. mouths: (N, 4) float32, x0 y0 x1 y1 in pixels of the faces. opening:
    (N,) float32, of the inner lips in distances of the eyes. heard: (N, 8, 16, 29) float32. lids:
    (N,) float32 in [0, 1], how far they are shut. clip: (N,) int64, which clip a frame is from.
    """

    cameras: Cameras
    faces: NDArray[np.uint8]
    mouths: NDArray[np.float32]
    opening: NDArray[np.float32]
    heard: Windows
    lids: NDArray[np.float32]
    clip: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.faces)

    @classmethod
    def of(cls, clip: bench.Video, side: int) -> tuple[Recording, int]:
        """A clip, and how many of its frames show no face.

        side: pixels of the cut faces. Raises BenchError if the clip has no sound, or fewer than
        three frames with a face.
        """
        sound = clip.sound()
        if sound is None:
            raise bench.BenchError("it has no sound")
        try:
            arrays = clip.feature("landmarks")
        except bench.Undefined as absent:
            raise bench.BenchError(f"it has no landmarks: {absent}") from absent
        heads = head_poses(arrays)
        cameras, frames = Cameras.of(heads), clip.read()
        heard = speech_windows(_of_length(sound, len(frames)))
        shown = zip(heads.places, cameras.boxes, strict=True)
        cut = [cut_out(frames[place], box, side) for place, box in shown]
        lips = landmark_points.mouth(arrays)[heads.places]  # (N, 20, 2)
        made = cls(
            cameras,
            np.stack(cut),
            _mouth_boxes(lips, cameras.boxes, side),
            _opening(arrays)[heads.places],
            around(heard, heads.places),
            shut_lids(arrays)[heads.places],
            np.zeros(len(heads.places), dtype=np.int64),
        )
        return made, heads.missing

    @classmethod
    def joined(cls, parts: list[Recording]) -> Recording:
        """Several clips of one person."""
        cameras = Cameras(
            np.concatenate([each.cameras.poses for each in parts]),
            np.concatenate([each.cameras.boxes for each in parts]),
            np.concatenate([each.cameras.optics for each in parts]),
        )
        return cls(
            cameras,
            np.concatenate([each.faces for each in parts]),
            np.concatenate([each.mouths for each in parts]),
            np.concatenate([each.opening for each in parts]),
            np.concatenate([each.heard for each in parts]),
            np.concatenate([each.lids for each in parts]),
            np.repeat(np.arange(len(parts)), [len(each) for each in parts]),
        )


def cut_out(frame: bench.Frame, box: NDArray[np.float32], side: int) -> bench.Frame:
    """The box of a frame, (side, side, 3) uint8; what lies outside the frame repeats its edge."""
    import cv2

    x0, y0, length = (float(value) for value in box)
    scale = length / side
    shift = 0.5 * scale - 0.5  # pixels' middles are taken onto middles
    matrix = np.array([[scale, 0, x0 + shift], [0, scale, y0 + shift]])
    if scale > 1:  # else pixels would be skipped
        frame = cv2.GaussianBlur(frame, (0, 0), 0.3 * scale)  # type: ignore[assignment]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(frame, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.uint8,
    )


def shut_lids(arrays: bench.Arrays) -> NDArray[np.float32]:
    """How far the lids are shut in each frame, (T,) in [0, 1]; 0 where they are usually.

    By EAR, the eye aspect ratio (Soukupova and Cech 2016), relative to the clip's own.
    """
    lids = landmark_points.eyes(arrays).astype(np.float64)  # (T, 2, 6, 2)
    heights = np.linalg.norm(lids[:, :, (1, 2)] - lids[:, :, (5, 4)], axis=3).sum(axis=(1, 2))
    widths = np.linalg.norm(lids[:, :, 0] - lids[:, :, 3], axis=2).sum(axis=1)
    ratio = heights / np.maximum(widths, 1e-6)
    shut = 1.0 - ratio / max(float(np.percentile(ratio, USUAL)), 1e-6)
    return np.asarray(shut.clip(0, 1), dtype=np.float32)


def _of_length(sound: bench.Sound, frames: int) -> bench.Sound:
    """The sound of so many frames, with silence at its end if it is shorter."""
    wanted = frames * bench.SAMPLES_PER_FRAME
    return np.pad(sound[:wanted], (0, max(0, wanted - len(sound))))


def _mouth_boxes(
    lips: NDArray[np.float32], boxes: NDArray[np.float32], side: int
) -> NDArray[np.float32]:
    inside = (lips - boxes[:, None, :2]) * (side / boxes[:, None, 2:])
    low, high = inside.min(axis=1), inside.max(axis=1)
    margin = MOUTH_MARGIN * (high - low).max(axis=1, keepdims=True)
    grown = np.concatenate([low - margin, high + margin], axis=1).clip(0, side)
    return np.asarray(grown, dtype=np.float32)


def _opening(arrays: bench.Arrays) -> NDArray[np.float32]:
    lips = landmark_points.inner_lips(arrays)
    gap = np.linalg.norm(lips[:, 1] - lips[:, 0], axis=1)
    apart = np.maximum(landmark_points.eye_distance(arrays), 1.0)
    return np.asarray(gap / apart, dtype=np.float32)
