"""The networks that recognise faces, and what each is told of where the face lies."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.contract.video import Video
from bench.files import weights
from bench.files.intact import sha256_here
from bench.ground.errors import BenchError
from bench.ground.types import Frame

Numbers = NDArray[Any]
LEAST_SCORE = 0.5  # of the landmarks of a frame, below which its face counts as not seen

# Of the package face_recognition_models: the file, and its SHA-256.
DLIB_POINTS = (
    "shape_predictor_68_face_landmarks.dat",
    "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
)
DLIB_NETWORK = (
    "dlib_face_recognition_resnet_model_v1.dat",
    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)
DLIB_INSTALL = 'pip install "talking-face-bench[dlib]"'


class Recogniser(Protocol):
    """Embeds faces. Raises BenchError, when made, where its weights are not here."""

    def places(self, video: Video) -> tuple[Numbers, NDArray[np.bool_]]:
        """Where the face lies in each frame, (T, ...), and in which frames it is seen, (T,)."""

    def embed(self, frame: Frame, place: Numbers) -> Numbers:
        """The embedding of one face, (D,)."""


class SfaceRecogniser:
    """SFace through `cv2.FaceRecognizerSF`; a place is five points, (5, 2)."""

    def __init__(self) -> None:
        import cv2

        self._network = cv2.FaceRecognizerSF.create(str(weights.find("sface")), "")

    def places(self, video: Video) -> tuple[Numbers, NDArray[np.bool_]]:
        """Right eye, left eye, nose, right and left corner of the mouth."""
        from bench.features.landmark_points import five_points

        arrays = video.feature("landmarks")
        return five_points(arrays), arrays["score"] >= LEAST_SCORE

    def embed(self, frame: Frame, place: Numbers) -> Numbers:
        """128 numbers."""
        import cv2

        # A row as YuNet gives it: box, five points, score; only the points are read.
        row = np.concatenate([np.zeros(4), place.reshape(-1), [1.0]]).astype(np.float32)
        aligned = self._network.alignCrop(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), row[None])
        return np.array(self._network.feature(aligned)).reshape(-1)  # its own memory is used again


class DlibRecogniser:
    """dlib's ResNet; a place is a square, x0 y0 x1 y1, as dlib's own detector would give it."""

    def __init__(self) -> None:
        try:
            import dlib
        except ImportError as error:
            raise BenchError(
                f"identity with network: dlib needs the package dlib ({error}); {DLIB_INSTALL}"
            ) from error
        self._dlib = dlib
        self._points = dlib.shape_predictor(str(_dlib_file(*DLIB_POINTS)))
        self._network = dlib.face_recognition_model_v1(str(_dlib_file(*DLIB_NETWORK)))

    def places(self, video: Video) -> tuple[Numbers, NDArray[np.bool_]]:
        """The squares in which dlib's points are looked for."""
        track = video.faces()
        return dlib_squares(track.boxes), track.found

    def embed(self, frame: Frame, place: Numbers) -> Numbers:
        """128 numbers."""
        pixels = np.ascontiguousarray(frame)
        points = self._points(pixels, self._dlib.rectangle(*map(int, place)))
        return np.array(self._network.compute_face_descriptor(pixels, points))


def dlib_squares(boxes: NDArray[np.float32]) -> NDArray[np.int64]:
    """Squares of the face boxes' middles and mean sides, (T, 4) whole pixels, x0 y0 x1 y1."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).mean(axis=1, keepdims=True) / 2
    squares = np.concatenate([middle - half, middle + half], axis=1)
    return np.asarray(np.rint(squares), dtype=np.int64)


def _dlib_file(name: str, sha256: str) -> Path:
    """A file of dlib's weights, compared with its digest.

    The package that holds it is not imported: it needs another one that is gone.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    for folder in folders:
        path = Path(folder) / "models" / name
        if not path.is_file():
            continue
        found = sha256_here(path)
        if found != sha256:
            raise BenchError(f"{path}: SHA-256 {found} instead of {sha256}; {DLIB_INSTALL}")
        return path
    raise BenchError(
        f"identity with network: dlib needs {name} of the package face_recognition_models, which "
        f"is not here; {DLIB_INSTALL}"
    )
