"""Similarities: turns, scales and shifts that take points onto others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.ground.errors import BenchError

Points = NDArray[np.floating[Any]]  # (..., P, 2) x y
Transform = NDArray[np.float64]  # (2, 3), as cv2.warpAffine takes it


def similarity(source: Points, target: Points) -> Transform:
    """The similarity that takes `source` nearest to `target` in the least-squares sense, (2, 3).

    source, target: (P, 2), P >= 2; no mirroring. Raises BenchError if all source points are one.
    """
    from_ = source[:, 0] + 1j * source[:, 1]  # turning and scaling is one complex product
    to = target[:, 0] + 1j * target[:, 1]
    centred = from_ - from_.mean()
    spread = float((abs(centred) ** 2).sum())
    if spread == 0.0:
        raise BenchError("all points of the face lie at one place; no face can be aligned")
    turn = complex((centred.conj() * (to - to.mean())).sum() / spread)
    shift = complex(to.mean() - turn * from_.mean())
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def applied(transform: Transform, points: Points) -> NDArray[np.float64]:
    """The points (..., P, 2) after the transform."""
    return np.asarray(points @ transform[:, :2].T + transform[:, 2])


def inverse(transform: Transform) -> Transform:
    """The transform that undoes it."""
    back = np.linalg.inv(transform[:, :2])
    return np.concatenate([back, -(back @ transform[:, 2:])], axis=1)
