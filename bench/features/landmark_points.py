"""Which point of a face is which: the one place that knows the order of each model's points.

Arrays are those of the feature `landmarks`, or of one of the orders in LAYOUTS. Right and left are
the person's own: the right eye is the one on the left of the frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.ground.errors import BenchError

Points: TypeAlias = NDArray[np.float32]  # (T, P, 2) x y in pixels


@dataclass(frozen=True)
class Layout:
    """The indices of one model's points.

    mouth: 20, in the order of dlib's 48 to 67: 12 around the lips, clockwise from the right corner,
    then 8 around the opening. lips: middle of the upper and of the lower inner edge, right and left
    corner of the opening. right_eye, left_eye: 6 each, clockwise from the corner on the left of the
    frame: two of the upper lid, the other corner, two of the lower lid. irises: right and left.
    jaw: from the right ear over the chin to the left ear.
    """

    count: int
    mouth: tuple[int, ...]
    lips: tuple[int, int, int, int]
    right_eye: tuple[int, ...]
    left_eye: tuple[int, ...]
    irises: tuple[int, ...]
    nose_tip: int
    jaw: tuple[int, ...]


# google-ai-edge/mediapipe's face mesh with irises.
MESH = Layout(
    count=478,
    mouth=(
        *(61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91),
        *(78, 81, 13, 311, 308, 402, 14, 178),
    ),
    lips=(13, 14, 78, 308),
    right_eye=(33, 160, 158, 133, 153, 144),
    left_eye=(362, 385, 387, 263, 373, 380),
    irises=(468, 473),
    nose_tip=1,
    jaw=(234, 132, 172, 150, 152, 379, 397, 361, 454),
)

# The small network's own: mouth, right eye, left eye, nose (root, tip, base, right and left wing),
# jaw.
SMALL = Layout(
    count=46,
    mouth=tuple(range(20)),
    lips=(14, 18, 12, 16),
    right_eye=tuple(range(20, 26)),
    left_eye=tuple(range(26, 32)),
    irises=(),
    nose_tip=33,
    jaw=tuple(range(37, 46)),
)
NOSE_OF_MESH = (168, 1, 2, 64, 294)  # the small network's nose, in the mesh
SMALL_OF_MESH = (*MESH.mouth, *MESH.right_eye, *MESH.left_eye, *NOSE_OF_MESH, *MESH.jaw)

# iBUG's 68 points, as dlib gives them.
IBUG = Layout(
    count=68,
    mouth=tuple(range(48, 68)),
    lips=(62, 66, 60, 64),
    right_eye=tuple(range(36, 42)),
    left_eye=tuple(range(42, 48)),
    irises=(),
    nose_tip=30,
    jaw=tuple(range(17)),
)

LAYOUTS = {"mesh": MESH, "small": SMALL, "ibug": IBUG}


def layout(arrays: Mapping[str, NDArray[Any]]) -> Layout:
    """The order of the points that the feature `landmarks` gave."""
    return LAYOUTS[str(arrays["model"])]


def mouth(arrays: Mapping[str, NDArray[Any]]) -> Points:
    """The mouth, (T, 20, 2): 12 points around the lips, 8 around the opening."""
    return _taken(arrays, layout(arrays).mouth)


def inner_lips(arrays: Mapping[str, NDArray[Any]]) -> Points:
    """Upper and lower inner edge, right and left corner of the opening, (T, 4, 2)."""
    return _taken(arrays, layout(arrays).lips)


def eyes(arrays: Mapping[str, NDArray[Any]]) -> Points:
    """The lids of the right and the left eye, (T, 2, 6, 2)."""
    order = layout(arrays)
    both = _taken(arrays, (*order.right_eye, *order.left_eye))
    return both.reshape(len(both), 2, 6, 2)


def irises(arrays: Mapping[str, NDArray[Any]]) -> Points:
    """The middles of the right and the left iris, (T, 2, 2); BenchError where there are none."""
    order = layout(arrays)
    if not order.irises:
        raise BenchError(
            f"landmarks of model {arrays['model']} have no irises; use `landmarks: mesh`"
        )
    return _taken(arrays, order.irises)


def eye_middles(arrays: Mapping[str, NDArray[Any]]) -> Points:
    """The middles of the right and the left eye, (T, 2, 2): of the lids, so no gaze moves them."""
    return np.asarray(eyes(arrays).mean(axis=2))


def eye_distance(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """The distance between the middles of the eyes in each frame, (T,) pixels."""
    middles = eye_middles(arrays)
    return np.asarray(np.linalg.norm(middles[:, 1] - middles[:, 0], axis=1))


def five_points(arrays: Mapping[str, NDArray[Any]]) -> Points:
    """Right eye, left eye, tip of the nose, right and left corner of the mouth, (T, 5, 2)."""
    order = layout(arrays)
    others = _taken(arrays, (order.nose_tip, order.mouth[0], order.mouth[6]))
    return np.concatenate([eye_middles(arrays), others], axis=1)


def _taken(arrays: Mapping[str, NDArray[Any]], indices: tuple[int, ...]) -> Points:
    return np.asarray(arrays["points"][:, list(indices)])
