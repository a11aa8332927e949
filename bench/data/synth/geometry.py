"""Where a rendered face has its mouth, eyes, nose and jaw: the renderer's own geometry, exact.

Points come from the curves that the painters draw, and go the way that the painted head goes: bent
by jaw and lips (nose and jaw; mouth and eyes are drawn on the bent head), then moved with the pose.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.data.synth.eyes import lid_edges
from bench.data.synth.identity import Look
from bench.data.synth.motion import Pose
from bench.data.synth.mouth import displacement, lip_edges
from bench.data.synth.portrait import MOUTH_Y, radius, relief
from bench.data.synth.surface import CENTRE, UNIT, Array
from bench.data.synth.visemes import Shape

NECK = 1.2  # below the eyes, where a head turns, in half face widths

# Where along a lip or a lid a point lies, in shares of half its width, so that the points are where
# MediaPipe's mesh has those of the same name (measured on frontal GRID frames).
_OUTER_ABOVE, _OUTER_BELOW = (-0.75, -0.30, 0.0, 0.30, 0.75), (0.78, 0.33, 0.0, -0.33, -0.78)
_INNER_ABOVE, _INNER_BELOW = (-0.5, 0.0, 0.5), (0.5, 0.0, -0.5)
_LID_ABOVE, _LID_BELOW = (0.53, -0.19), (-0.31, 0.40)  # from the temple, and back; 1 is the temple
_STEPS = 10  # until a place has settled; the fields are smooth
_JAW_Y = (0.285, 0.72, 1.145, 1.38)  # heights on the face's outline, before its own length


@dataclass(frozen=True)
class Placement:
    """Where a clip's head is: the pixel between the eyes, and pixels per half face width."""

    x: float
    y: float
    scale: float


@dataclass(frozen=True)
class FacePoints:
    """A clip's points in pixels of the frame, float32 x y; right and left are the person's own.

    mouth: (T, 20, 2): 12 around the lips, clockwise from the right corner, 8 around the opening.
    eyes: (T, 2, 6, 2): right and left, clockwise from the corner on the left of the frame. nose:
    (T, 5, 2): root, tip, base, right and left wing. jaw: (T, 9, 2): from the right ear over the
    chin to the left ear.
    """

    mouth: NDArray[np.float32]
    eyes: NDArray[np.float32]
    nose: NDArray[np.float32]
    jaw: NDArray[np.float32]


def face_points(
    look: Look, shapes: Sequence[Shape], poses: Sequence[Pose], place: Placement
) -> FacePoints:
    """The points of a clip as `Renderer.frames` draws it."""
    mouth_y = MOUTH_Y * look.face_length
    depth = _relief(look)
    resting = np.concatenate([_nose(look), _jaw(look)])  # (14, 2)
    found = []
    for shape, pose in zip(shapes, poses, strict=True):
        skin = _bent(look, mouth_y, resting, shape, pose)
        on_head = np.concatenate([_mouth(look, mouth_y, shape), _eyes(look, pose), skin])
        found.append(_in_frame(on_head, pose, place, depth))
    points = np.asarray(found, dtype=np.float32).reshape(-1, 46, 2)
    return FacePoints(
        mouth=points[:, :20],
        eyes=points[:, 20:32].reshape(-1, 2, 6, 2),
        nose=points[:, 32:37],
        jaw=points[:, 37:],
    )


@functools.lru_cache(maxsize=64)
def _relief(look: Look) -> Array:
    return relief(look)


def _mouth(look: Look, mouth_y: float, shape: Shape) -> Array:
    """(20, 2) in face units from between the eyes."""
    half = lip_edges(look, np.zeros(1, np.float32), shape).half_width
    # of `lip_edges`: where the opening ends
    inner = half * (0.96 - 0.30 * shape.round)
    outer_x = np.array([-1.0, *_OUTER_ABOVE, 1.0, *_OUTER_BELOW]) * half
    inner_x = np.array([-1.0, *_INNER_ABOVE, 1.0, *_INNER_BELOW]) * inner
    around = lip_edges(look, outer_x.astype(np.float32), shape)
    opening = lip_edges(look, inner_x.astype(np.float32), shape)
    x = np.concatenate([outer_x, inner_x])
    y = np.concatenate(
        [
            around.upper_outer[:7],
            around.lower_outer[7:],
            opening.upper_inner[:5],
            opening.lower_inner[5:],
        ]
    )
    return np.stack([x, y + mouth_y + look.mouth_tilt * x / 0.35], axis=1)


def _eyes(look: Look, pose: Pose) -> Array:
    """(12, 2) in face units from between the eyes."""
    right = _eye(look, (1.0, *_LID_ABOVE, -1.0, *_LID_BELOW), pose, side=-1.0)
    left = _eye(look, (-1.0, *_LID_ABOVE[::-1], 1.0, *_LID_BELOW[::-1]), pose, side=1.0)
    return np.concatenate([right, left])


def _eye(look: Look, places: tuple[float, ...], pose: Pose, *, side: float) -> Array:
    """A corner, two points of the upper lid, the other corner, two of the lower lid, (6, 2)."""
    s = np.array(places)
    lids = lid_edges(look, s, gaze_y=pose.gaze[1], blink=pose.blink, wide=max(pose.brow, 0.0))
    upper, lower = lids[3], lids[4]
    x = side * (look.eye_distance + s * look.eye_width)
    return np.stack([x, np.concatenate([upper[:4], lower[4:]])], axis=1)


def _nose(look: Look) -> Array:
    """(5, 2) at rest: root, tip, base, right and left wing."""
    tip, wing = look.nose_length - 0.11, look.nose_length - 0.075
    return np.array(
        [
            (0.0, -0.05),
            (0.0, tip),
            (0.0, look.nose_length + 0.02),
            (-look.nose_width, wing),
            (look.nose_width, wing),
        ]
    )


def _jaw(look: Look) -> Array:
    """(9, 2) at rest, on the face's outline."""
    angle = np.linspace(0.25, 1.0, 400) * np.pi  # from above the ear to the chin
    across, down = np.sin(angle), -np.cos(angle)
    _, length = radius(look, across.astype(np.float32), (down + 0.15).astype(np.float32))
    x, y = across * length, down * length + 0.15
    heights = np.array(_JAW_Y) * look.face_length
    places = np.interp(heights, y, x)
    chin = [(0.0, float(y[-1]))]
    right = list(zip(-places, heights, strict=True))
    left = list(zip(places[::-1], heights[::-1], strict=True))
    return np.array(right + chin + left)


def _bent(look: Look, mouth_y: float, points: Array, shape: Shape, pose: Pose) -> Array:
    """Where jaw, lips and brows push points of the skin: the inverse of `Renderer._bent`.

    The renderer reads the skin of a place p at p - field(p); here the p is asked for.
    """
    reached = points
    for _ in range(_STEPS):
        fields = displacement(look, mouth_y, reached[:, 0], reached[:, 1])
        field = (
            fields["jaw"] * shape.jaw
            + fields["spread"] * (shape.spread - 1.1 * shape.round)
            + fields["brow"] * pose.brow
        )
        reached = reached + 0.7 * (points + field - reached)
    return reached


def _in_frame(points: Array, pose: Pose, place: Placement, depth: Array) -> Array:
    """Points in face units (P, 2) as pixels of the frame: the inverse of `Renderer._moved`."""
    painted = points * UNIT + CENTRE  # in the head's texture
    # As in `_bent`: the renderer reads the texture at place - parallax(place).
    reached = painted.copy()
    for _ in range(_STEPS):
        near = cv2.remap(
            depth,
            reached[:, 0].astype(np.float32),
            reached[:, 1].astype(np.float32),
            cv2.INTER_LINEAR,
        )[:, 0]
        middle = near - 0.45
        reached[:, 0] = (
            painted[:, 0]
            + UNIT * pose.yaw * middle
            - (reached[:, 0] - CENTRE[0]) * 0.5 * pose.yaw**2
        )
        reached[:, 1] = painted[:, 1] + UNIT * pose.pitch * middle
    across = reached[:, 0] - CENTRE[0]
    down = reached[:, 1] - CENTRE[1] - NECK * UNIT
    scale = place.scale * pose.scale / UNIT
    cos, sin = np.cos(pose.roll) * scale, np.sin(pose.roll) * scale
    x = place.x + pose.x * place.scale + cos * across - sin * down
    y = place.y + (pose.y + NECK) * place.scale + sin * across + cos * down
    return np.stack([x, y], axis=1)
