"""What the official demo does that the paper does not say: three steps, each to be asked for.

1. The landmarks of the still face are one constant, whoever it is (`constant_example`).
2. The coefficients are more than doubled (`strengthened`).
3. Each picture is stretched to its own darkest and brightest value (`stretched`), so that contrast
   flickers.

Source: lelechen63/ATVGnet @ 02d8f8f, demo.py, atnet_test.py; scipy.misc.imsave of SciPy 1.1.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import bench
from bench.networks.similarity import Points
from methods.atvg.landmarks import SCALE, Basis

POINTS = 68
COMPONENTS = 6
MOUTH = 48  # the first of the mouth's points
OPENING = (1, -0.06)  # component, and how much of it counts as an open mouth
DEMO = (1.0, 2.2, 2.4, 2.6, 2.8, 3.0)  # demo.py; the first coefficient stays
ATNET_TEST = (1.0, 2.4, 2.8, 3.2, 3.6, 4.0)
FILES = {"lrw": ("U_lrw1.npy", "mean_lrw1.npy"), "grid": ("U_grid.npy", "mean_grid.npy")}


@dataclass(frozen=True)
class Basics:
    """The arrays that the official networks were trained with, from the repository's `basics`.

    basis: the six components of faces, of shapes times 5. mean_image: (68, 2), the shape that faces
    are laid onto. mean_norm: (136,), the mean shape of the networks. parts: (100, 136), components
    of the normalisation, orthonormal rows.
    """

    basis: Basis
    mean_image: NDArray[np.float64]
    mean_norm: NDArray[np.float64]
    parts: NDArray[np.float64]

    @property
    def digest(self) -> str:
        """The SHA-256 of all numbers."""
        running = hashlib.sha256()
        basis = (self.basis.mean, self.basis.components)
        for array in (*basis, self.mean_image, self.mean_norm, self.parts):
            running.update(np.ascontiguousarray(array).tobytes())
        return running.hexdigest()


def read_basics(folder: Path, trained_on: Literal["lrw", "grid"] = "lrw") -> Basics:
    """The arrays in the folder `basics` of a checkout; no pickle in them is executed.

    Raises BenchError that names the file if one is missing, unreadable or of another shape.
    """
    components, mean = FILES[trained_on]
    wide = 2 * POINTS
    first = _array(folder / components, rows=wide)
    if first.shape[1] < COMPONENTS:
        raise bench.BenchError(f"{folder / components}: {first.shape[1]} columns, needs 6 or more")
    return Basics(
        Basis(_array(folder / mean, size=wide).reshape(-1), first[:, :COMPONENTS]),
        _array(folder / "mean_shape_img.npy", size=wide).reshape(POINTS, 2),
        _array(folder / "mean_shape_norm.npy", size=wide).reshape(-1),
        _array(folder / "S.npy", size=100 * wide).reshape(100, wide),
    )


def _array(path: Path, *, size: int = 0, rows: int = 0) -> NDArray[np.float64]:
    if not path.is_file():
        raise bench.BenchError(
            f"{path}: no such file; give the folder `basics` of a checkout of lelechen63/ATVGnet"
        )
    try:
        found = np.load(path, allow_pickle=False)
        array = np.asarray(found, dtype=np.float64)
    except (ValueError, OSError, EOFError, TypeError) as error:
        raise bench.BenchError(f"{path}: cannot be read as an array ({error})") from error
    fits = array.size == size if size else array.ndim == 2 and len(array) == rows
    if not fits:
        wanted = f"{size} numbers" if size else f"{rows} rows"
        raise bench.BenchError(f"{path}: expected {wanted}, found the shape {array.shape}")
    return array


def official_shapes(faces: Points, basics: Basics) -> NDArray[np.float64]:
    """The official normalisation of one sequence, (T, 136): `normLmarks`.

    faces: (T, 68, 2). A frame becomes the mean shape, plus its difference to the last frame, with
    the mouth closed by a constant. So the last frame, and a single picture, is that constant.
    """
    from scipy.spatial import procrustes

    laid = np.stack([procrustes(basics.mean_image, face)[1].reshape(-1) for face in faces])
    component, share = OPENING
    opened = np.zeros(2 * POINTS)
    opened[2 * MOUTH :] = share * basics.parts[component, 2 * MOUTH :]
    kept = (laid - laid[-1]) @ basics.parts.T - basics.parts @ opened
    return np.asarray(basics.mean_norm + kept @ basics.parts)


def constant_example(basics: Basics) -> NDArray[np.float64]:
    """The coefficients that the demo gives to every still face, (6,)."""
    anyone = basics.mean_image[None]
    return np.asarray(basics.basis.coefficients(SCALE * official_shapes(anyone, basics))[0])


def strengthened(
    coefficients: NDArray[np.floating[Any]], factors: tuple[float, ...] = DEMO
) -> NDArray[np.float64]:
    """Coefficients (..., K) times the factors, K of them."""
    return np.asarray(coefficients * np.array(factors))


def stretched(picture: NDArray[np.floating[Any]]) -> bench.Frame:
    """A picture (H, W, 3), any range, as levels with its least value 0 and its greatest 255."""
    low, high = float(picture.min()), float(picture.max())
    levels = (picture - low) * (255.0 / ((high - low) or 1.0))
    return np.asarray(levels.clip(0.0, 255.0) + 0.5).astype(np.uint8)


def levels(picture: NDArray[np.floating[Any]]) -> bench.Frame:
    """A picture (H, W, 3) in [-1, 1] as levels, rounded: what the network painted."""
    return np.asarray(np.rint((picture + 1.0) * 127.5).clip(0.0, 255.0)).astype(np.uint8)
