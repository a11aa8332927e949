"""Faces as networks of our own know them: a still's shape, and differences to it in few numbers.

Each coefficient is divided by its deviation on the training clips, and shapes are given to VG-net
as differences to the mean face, in the size of a mouth's movements: left as they are, movements
are a tenth of a shape's values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.networks.similarity import Points
from methods.atvg.landmarks import (
    SCALE,
    Basis,
    Scheme,
    Shapes,
    fitted_basis,
    mean_shape,
    normalised,
)
from methods.atvg.settings import Moving

STILLS = 4  # of each clip, whose differences to its frames the components are fitted to
EVERY = 10  # frames of the mean face


@dataclass(frozen=True)
class Coding:
    """How faces become numbers, and numbers shapes.

    mean: (P, 2), the mean face, centred, of unit norm. basis: of differences to a still.
    deviations: (K,), of the basis' coefficients. gain: of shapes, as VG-net gets them.
    """

    scheme: Scheme
    mean: NDArray[np.float64]
    basis: Basis
    deviations: NDArray[np.float64]
    gain: float

    def shapes(self, faces: Points) -> Shapes:
        """Faces (T, P, 2) in pixels without position, size and turn, (T, 2 P)."""
        return normalised(faces, self.mean, self.scheme)

    def known(self, still: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """What AT-net gets of the still's shape (..., 2 P): (..., K)."""
        apart = still - SCALE * self.mean.reshape(-1)
        return np.asarray((apart @ self.basis.components) / self.deviations)

    def differences(
        self, shapes: NDArray[np.floating[Any]], still: NDArray[np.floating[Any]]
    ) -> NDArray[np.float64]:
        """What AT-net is to say: shapes (..., 2 P) against the still's (2 P,), (..., K)."""
        return np.asarray(self.basis.coefficients(shapes - still) / self.deviations)

    def moved(
        self, still: NDArray[np.floating[Any]], differences: NDArray[np.floating[Any]]
    ) -> NDArray[np.float64]:
        """The still's shape (2 P,) moved by differences (..., K): shapes (..., 2 P)."""
        return np.asarray(still + self.basis.shapes(differences * self.deviations))

    def shown(self, shapes: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Shapes (..., 2 P) as VG-net gets them."""
        apart = self.gain * (shapes - SCALE * self.mean.reshape(-1))
        return np.asarray(apart, dtype=np.float32)


def fitted_coding(clips: Sequence[Points], scheme: Scheme, *, moving: Moving, seed: int) -> Coding:
    """The coding of training clips, each (T, P, 2) in pixels.

    moving: with "mouth", no other point moves. seed: draws the stills.
    """
    mean = mean_shape(np.concatenate([points[::EVERY] for points in clips]), scheme)
    random = np.random.default_rng(seed)
    found: list[Shapes] = []
    for points in clips:
        shapes = normalised(points, mean, scheme)
        stills = random.integers(len(shapes), size=STILLS)
        found.append((shapes[None] - shapes[stills][:, None]).reshape(-1, shapes.shape[1]))
    differences = np.concatenate(found)
    mouth = np.array([[2 * point, 2 * point + 1] for point in scheme.mouth]).ravel()
    if moving == "mouth":
        only = np.zeros_like(differences)
        only[:, mouth] = differences[:, mouth]
        differences = only
    basis = fitted_basis(differences, scheme)
    deviations = basis.coefficients(differences).std(axis=0)
    return Coding(scheme, mean, basis, deviations, 1.0 / float(differences[:, mouth].std()))


def opening(shapes: Shapes, scheme: Scheme) -> NDArray[np.float64]:
    """The mouth aspect ratio of shapes (..., 2 P), (...): the opening's height by its width."""
    points = shapes.reshape(*shapes.shape[:-1], -1, 2)[..., list(scheme.mouth), :]
    inner = points[..., 12:, :]  # right corner, three above, left corner, three below
    heights = np.linalg.norm(inner[..., [1, 2, 3], :] - inner[..., [7, 6, 5], :], axis=-1)
    width = np.linalg.norm(inner[..., 0, :] - inner[..., 4, :], axis=-1)
    return np.asarray(heights.mean(axis=-1) / np.maximum(width, 1e-9))
