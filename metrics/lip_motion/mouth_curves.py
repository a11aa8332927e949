"""How a mouth moves: four curves from the landmarks, in eye distances, without the head's motion.

The head's roll and distance are taken out frame by frame. What changes more slowly than a syllable
(head pose, a smile, the drift of a detector) is taken out by subtracting a running mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import bench
from bench.features import landmark_points as points

Curves = NDArray[np.float64]  # (T, 4)
Seen = NDArray[np.bool_]  # (T,)

NAMES = ("lips", "opening", "lower lip", "upper lip")
SLOW = 8.0  # frames, the deviation of the running mean that is subtracted
LEAST_SCORE = 0.5  # below it a frame counts as showing no face

# The mouth's 20 points, in dlib's order: three neighbours in the middle of each edge.
_OUTER_TOP, _OUTER_BOTTOM = (2, 3, 4), (8, 9, 10)
_INNER_TOP, _INNER_BOTTOM = (13, 14, 15), (17, 18, 19)


def mouth_curves(arrays: bench.Arrays) -> tuple[Curves, Seen]:
    """The four curves of the feature `landmarks`, and the frames that show a face.

    lips: from the upper lip's outer edge to the lower's. opening: between the inner edges. lower
    lip, upper lip: their outer edges below the tip of the nose. All along the face's own vertical,
    in eye distances (the clip's median), positive downwards.
    """
    middles = points.eye_middles(arrays).astype(np.float64)  # (T, 2, 2)
    across = middles[:, 1] - middles[:, 0]
    distance = np.linalg.norm(across, axis=1)  # (T,)
    if not distance.all():
        raise bench.Undefined("the eyes lie on each other in some frame")
    down = np.stack([-across[:, 1], across[:, 0]], axis=1) / distance[:, None]  # (T, 2)
    size = float(np.median(distance))

    def height(where: NDArray[np.float32]) -> NDArray[np.float64]:
        """How far down the mean of some points is, (T,), in eye distances."""
        mean = where.astype(np.float64).mean(axis=1)
        return np.asarray((mean * down).sum(axis=1) / size)

    mouth = points.mouth(arrays)  # (T, 20, 2)
    nose = height(points.five_points(arrays)[:, 2:3])
    top, bottom = (height(mouth[:, list(edge)]) for edge in (_OUTER_TOP, _OUTER_BOTTOM))
    inner = [height(mouth[:, list(edge)]) for edge in (_INNER_TOP, _INNER_BOTTOM)]
    curves = np.stack([bottom - top, inner[1] - inner[0], bottom - nose, top - nose], axis=1)
    return curves, np.asarray(arrays["score"] >= LEAST_SCORE)


def quick_part(curves: Curves, seen: Seen) -> Curves:
    """The curves less their running mean over the frames that are seen; 0 in the others."""
    from scipy.ndimage import gaussian_filter1d

    weight = seen.astype(np.float64)[:, None]
    total = gaussian_filter1d(curves * weight, SLOW, axis=0, mode="constant")
    share = gaussian_filter1d(weight, SLOW, axis=0, mode="constant")
    return np.asarray((curves - total / np.maximum(share, 1e-6)) * weight)
