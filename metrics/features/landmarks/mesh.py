"""MediaPipe's face landmarker run by OpenCV alone: 478 points and 52 blendshapes.

Source: google-ai-edge/mediapipe @ 3b85afc; the weights `face_mesh` of `bench weights`.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.features.landmark_points import MESH
from bench.ground.errors import BenchError
from bench.ground.types import Frame, Frames
from metrics.features.landmarks.crops import Square, around, placed

SIDE = 256  # pixels that the network sees
FIRST = 1.6  # the first square, in longer sides of a face box
NEXT = 1.5  # every further one, in longer sides of the box around the points
LEAST_SCORE = 0.5  # below it the face is looked for anew
RIGHT_CORNER, LEFT_CORNER = 33, 263  # of the eyes, which the square is turned by
BLENDSHAPES = 52

# The points that the blendshapes are computed from: kLandmarksSubsetIdxs of
# mediapipe/tasks/cc/vision/face_landmarker/face_blendshapes_graph.cc.
SUBSET: Final = (
    *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63),
    *(65, 66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133),
    *(136, 144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163),
    *(168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270),
    *(276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317),
    *(318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379),
    *(380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454),
    *(466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477),
)


@dataclass(frozen=True)
class Seen:
    """The points of one frame (478, 2) in its pixels, and how sure the network is, in [0, 1]."""

    points: NDArray[np.float32]
    score: float


class Mesh:
    """The networks, ready to use. Not to be shared between threads."""

    def __init__(self, task: Path) -> None:
        """task: the verified file of the weights `face_mesh`, a zip of TFLite networks."""
        import cv2

        try:
            with zipfile.ZipFile(task) as archive:
                files = [
                    np.frombuffer(archive.read(name), dtype=np.uint8)
                    for name in ("face_landmarks_detector.tflite", "face_blendshapes.tflite")
                ]
            self._points, self._blendshapes = (cv2.dnn.readNetFromTFLite(file) for file in files)
        except (OSError, KeyError, zipfile.BadZipFile, cv2.error, AttributeError) as error:
            raise BenchError(
                f"{task}: cannot be read by OpenCV {cv2.__version__} "
                f"({str(error).splitlines()[0][:120]}); 4.12 or newer is needed"
            ) from error

    def look(self, frame: Frame, square: Square) -> Seen:
        """The points of the face in a square of a frame (H, W, 3) uint8 RGB."""
        seen = square.cut(frame, SIDE).astype(np.float32) * (1.0 / 255.0)
        self._points.setInput(np.ascontiguousarray(seen.transpose(2, 0, 1)[None]))
        found, logit = self._points.forward(["Identity", "Identity_1"])
        points = np.asarray(found, dtype=np.float32).reshape(MESH.count, 3)[:, :2]
        score = 1.0 / (1.0 + np.exp(-float(np.ravel(logit)[0])))
        return Seen(placed(points, square.to_frame(SIDE)).astype(np.float32), score)

    def blendshapes(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """The 52 blendshapes in [0, 1] of a frame's points (478, 2) in its pixels."""
        chosen = np.ascontiguousarray(points[list(SUBSET)][None], dtype=np.float32)
        self._blendshapes.setInput(chosen)
        return np.ravel(self._blendshapes.forward()).astype(np.float32)

    def twice(self, frame: Frame, box: NDArray[np.float32]) -> Seen:
        """The points from a face box x0 y0 x1 y1, found once roughly and once more from there."""
        first = self.look(frame, around(box, FIRST))
        if first.score < LEAST_SCORE:
            return first
        again = self.look(frame, square_around(first.points))
        return again if again.score >= LEAST_SCORE else first

    def follow(self, frames: Frames, boxes: NDArray[np.float32], *, track: bool) -> list[Seen]:
        """The points of every frame (T, H, W, 3), each from its box (T, 4) or the frame before.

        track: the last frame's points say where to look, and the box only where they fail; else
        each frame is looked at twice from its own box.
        """
        found: list[Seen] = []
        last: Seen | None = None
        for frame, box in zip(frames, boxes, strict=True):
            seen = None
            if track and last is not None:
                seen = self.look(frame, square_around(last.points))
            if seen is None or seen.score < LEAST_SCORE:
                seen = self.twice(frame, box)
            last = seen if seen.score >= LEAST_SCORE else None
            found.append(seen)
        return found


def square_around(points: NDArray[np.float32]) -> Square:
    """The square around a frame's points, turned so that the outer corners of the eyes are level.

    As MediaPipe has it: centred on the upright box around the points, and of its longer side.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    across, down = (float(value) for value in points[LEFT_CORNER] - points[RIGHT_CORNER])
    x, y = (float(value) for value in (low + high) / 2)
    side = NEXT * max(float((high - low).max()), 1.0)
    return Square(x, y, side, float(np.arctan2(down, across)))
