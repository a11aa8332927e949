"""Landmarks as the networks see them: taken out of position and size, and as few coefficients.

Sources: Chen et al., CVPR 2019; lelechen63/ATVGnet @ 02d8f8f, demo.py (`normLmarks`). There, a face
is the mean shape plus its difference to the *last frame of its own sequence*, so a single picture
gives one constant, whoever is in it. Here a person's shape is kept, and the coefficients stand for
the difference to the frame that is shown (`Basis`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bench
from bench.networks.similarity import Points, applied, similarity

Shapes = NDArray[np.float64]  # (T, 2 P): x y of the first point, x y of the second, ...

SCALE = 5.0  # a shape of unit norm times this has values up to about 0.9, as in the repository
COMPONENTS = (6, 8)  # 8 where 6 hold too little of the mouth
ENOUGH = 0.95  # of the mouth's variance


@dataclass(frozen=True)
class Scheme:
    """Which points a model of the feature `landmarks` gives this method, and what they are.

    taken: their indices in the feature's points; None: all. rigid: those (of the taken) that speech
    does not move: nose and eyes. mouth: 20. right_eye, left_eye: 6 each. nose_tip: one.
    """

    name: str
    count: int
    taken: tuple[int, ...] | None
    rigid: tuple[int, ...]
    mouth: tuple[int, ...]
    right_eye: tuple[int, ...]
    left_eye: tuple[int, ...]
    nose_tip: int

    def of(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """The points (T, P, 2) of this scheme; BenchError for landmarks of another model."""
        if str(arrays["model"]) != self.name:
            raise bench.BenchError(
                f"the networks know landmarks of the model {self.name!r}, found those of "
                f"{str(arrays['model'])!r}; points of two models are not the same places of a face"
            )
        points = np.asarray(arrays["points"], dtype=np.float64)
        return points if self.taken is None else points[:, list(self.taken)]


# MediaPipe's mesh, as the 68 points that the published networks take. Against dlib's points: eyes
# 2 to 3 % of the eyes' distance away, mouth 3 to 4, nose 3 to 5, brows and jaw 6 to 10.
MESH = Scheme(
    name="mesh",
    count=68,
    taken=(
        *(127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356),
        *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
        *(168, 6, 195, 4, 98, 97, 2, 326, 327),
        *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
        *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
        *(78, 82, 13, 312, 308, 317, 14, 87),
    ),
    rigid=tuple(range(27, 48)),
    mouth=tuple(range(48, 68)),
    right_eye=tuple(range(36, 42)),
    left_eye=tuple(range(42, 48)),
    nose_tip=30,
)

# This project's small network: mouth, right eye, left eye, nose, jaw.
SMALL = Scheme(
    name="small",
    count=46,
    taken=None,
    rigid=tuple(range(20, 37)),
    mouth=tuple(range(20)),
    right_eye=tuple(range(20, 26)),
    left_eye=tuple(range(26, 32)),
    nose_tip=33,
)

SCHEMES = {scheme.name: scheme for scheme in (MESH, SMALL)}


def mean_shape(faces: Points, scheme: Scheme) -> NDArray[np.float64]:
    """The mean of faces (N, P, 2), centred and of unit norm, (P, 2).

    Each face is first laid onto the first one by its rigid points.
    """
    rigid = list(scheme.rigid)
    laid = [applied(similarity(face[rigid], faces[0][rigid]), face) for face in faces]
    mean = np.mean(laid, axis=0)
    mean -= mean.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


def normalised(faces: Points, mean: NDArray[np.float64], scheme: Scheme) -> Shapes:
    """Faces without their position, size and turn, (T, 2 P), values within about 0.9.

    faces: (T, P, 2) pixels. mean: `mean_shape`. Each is laid onto the mean by its rigid points
    alone, so a mouth that opens moves nothing else, and whose face it is stays.
    """
    rigid = list(scheme.rigid)
    laid = [applied(similarity(face[rigid], mean[rigid]), face) for face in faces]
    return SCALE * np.stack(laid).reshape(len(faces), -1)


@dataclass(frozen=True)
class Basis:
    """Shapes as few coefficients: shape = mean + components @ coefficients.

    mean: (2 P,). components: (2 P, K), orthonormal columns.
    """

    mean: NDArray[np.float64]
    components: NDArray[np.float64]

    def coefficients(self, shapes: Shapes) -> NDArray[np.float64]:
        """(..., 2 P) to (..., K)."""
        return np.asarray((shapes - self.mean) @ self.components)

    def shapes(self, coefficients: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(..., K) to (..., 2 P)."""
        return np.asarray(coefficients @ self.components.T + self.mean)


def fitted_basis(differences: Shapes, scheme: Scheme) -> Basis:
    """The principal components of differences between shapes of one clip, (N, 2 P).

    Six, or eight where six hold less than 95 % of the variance of the mouth's points.
    """
    mean = differences.mean(axis=0)
    centred = differences - mean
    _, _, rows = np.linalg.svd(centred, full_matrices=False)
    few, more = (Basis(mean, rows[:count].T) for count in COMPONENTS)
    return few if mouth_held(few, differences, scheme) >= ENOUGH else more


def mouth_held(basis: Basis, differences: Shapes, scheme: Scheme) -> float:
    """The share of the variance of the mouth's points that the basis holds, up to 1."""
    left = differences - basis.shapes(basis.coefficients(differences))
    mouth = np.array([[2 * point, 2 * point + 1] for point in scheme.mouth]).ravel()
    whole = float(differences[:, mouth].var(axis=0).sum())
    return 1.0 - float((left[:, mouth] ** 2).mean(axis=0).sum()) / whole if whole else 1.0
