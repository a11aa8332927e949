"""How a head stands before the camera in each frame, from its landmarks: no face model is fitted.

A rigid head of the points that a mouth and lids do not move is fitted to the landmarks by OpenCV.
The head is an average of this project's (below), so a person's own distances are off by as much as
that person's head is larger or flatter; all frames of a person are off in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.contract.video import Arrays
from bench.features.landmark_points import MESH, SMALL, SMALL_OF_MESH
from bench.ground.errors import BenchError

Matrices = NDArray[np.float64]

HALF_VIEW = np.deg2rad(31.5)  # of the camera, upwards, which MediaPipe assumes as well
LEAST_SCORE = 0.5  # of the landmarks of a frame that shows a face
SMOOTHED_OVER = 2.0  # frames, of the Gaussian
LEAST_FACES = 3  # frames of a clip with a face; else nothing is known of it
NEXT_TO = 3.0  # sigmas that the Gaussian reaches

FLIP = np.array([1.0, -1.0, -1.0])  # from OpenGL's axes to OpenCV's

# The 46 points of the layout SMALL on a head, cm: x to the person's left, y up, z out of the face.
# Measured for this project: the mesh network's own depths in 173 frames of 20 persons (19 synthetic
# ones of the embedded corpora, one of GRID), each turned and scaled onto their mean, made the same
# on both sides, forehead above chin. The size is set: 8.9 cm between the outer corners of the eyes,
# an adult's mean (guess). The origin is 2.4 cm before the middle between the ears.
HEAD: NDArray[np.float64] = np.array(
    [
        (-2.42, -4.96, 4.37),
        (-1.82, -4.46, 5.35),
        (-0.70, -3.98, 6.12),
        (0.00, -4.11, 6.22),
        (0.70, -3.98, 6.12),
        (1.82, -4.46, 5.35),
        (2.42, -4.96, 4.37),
        (1.89, -5.49, 5.15),
        (0.75, -5.99, 5.69),
        (0.00, -6.06, 5.73),
        (-0.75, -5.99, 5.69),
        (-1.89, -5.49, 5.15),
        (-2.19, -4.94, 4.56),
        (-1.08, -4.74, 5.36),
        (0.00, -4.75, 5.64),
        (1.08, -4.74, 5.36),
        (2.19, -4.94, 4.56),
        (1.10, -5.06, 5.35),
        (0.00, -5.11, 5.62),
        (-1.10, -5.06, 5.35),
        (-4.45, 2.51, 2.89),
        (-3.84, 3.02, 3.52),
        (-2.81, 3.04, 3.72),
        (-1.74, 2.17, 3.48),
        (-2.70, 2.07, 3.69),
        (-3.71, 2.09, 3.51),
        (1.74, 2.17, 3.48),
        (2.81, 3.04, 3.72),
        (3.84, 3.02, 3.52),
        (4.45, 2.51, 2.89),
        (3.71, 2.09, 3.51),
        (2.70, 2.07, 3.69),
        (0.00, 3.05, 5.01),
        (0.00, -1.41, 7.52),
        (0.00, -2.32, 6.01),
        (-1.70, -1.82, 5.64),
        (1.70, -1.82, 5.64),
        (-6.95, 0.00, -2.40),
        (-6.54, -3.15, -1.97),
        (-5.51, -6.19, -0.12),
        (-3.96, -7.91, 2.04),
        (0.00, -9.30, 4.16),
        (3.96, -7.91, 2.04),
        (5.51, -6.19, -0.12),
        (6.54, -3.15, -1.97),
        (6.95, 0.00, -2.40),
    ]
)

# What neither speech nor blinking moves: corners of the eyes, nose, the jaw's ends below the ears.
RIGID = (20, 23, 26, 29, 32, 33, 34, 35, 36, 37, 38, 44, 45)


@dataclass(frozen=True)
class HeadPoses:
    """Where a head stands in those frames of a clip that show it.

    places: (N,) int64, the frames; the others show no face. poses: (N, 4, 4), camera to world: the
    world's origin is between the head's ears, y up, z out of the face, in cm; the camera looks
    along -z. focal: pixels. centre: x y of the optical axis in the frame, pixels. errors: (N,),
    mean distance of the landmarks from the fitted head, pixels. missing: how many frames show no
    face.
    """

    places: NDArray[np.int64]
    poses: Matrices
    focal: float
    centre: tuple[float, float]
    errors: NDArray[np.float64]
    missing: int

    @property
    def distances(self) -> NDArray[np.float64]:
        """From the camera to the head's origin, (N,) cm."""
        return np.asarray(np.linalg.norm(self.poses[:, :3, 3], axis=1))


def head_poses(arrays: Arrays, *, smoothed_over: float = SMOOTHED_OVER) -> HeadPoses:
    """The poses of a clip from its feature `landmarks`, of the models small and mesh.

    smoothed_over: sigma in frames of the Gaussian over the frames of the clip that show a face; 0:
    none. Raises BenchError where fewer than three frames show a face, and for other models.
    """
    points, scores = _rigid_points(arrays), np.asarray(arrays["score"])
    places = np.flatnonzero(scores >= LEAST_SCORE)
    if len(places) < LEAST_FACES:
        raise BenchError(
            f"{len(places)} of {len(scores)} frames show a face (landmarks of a score of "
            f"{LEAST_SCORE} or more); {LEAST_FACES} are needed"
        )
    height, width = (int(edge) for edge in arrays["size"])
    focal = height / (2 * np.tan(HALF_VIEW))
    centre = ((width - 1) / 2, (height - 1) / 2)
    fits = _fitted(points[places], focal, centre)
    poses = _smoothed(fits[0], places, smoothed_over) if smoothed_over else fits[0]
    return HeadPoses(places, poses, focal, centre, fits[1], len(scores) - len(places))


def projected(
    points: NDArray[np.floating], poses: Matrices, focal: float, centre: tuple[float, float]
) -> NDArray[np.float64]:
    """Where points of the head, (P, 3) cm, are seen in each of N poses, (N, P, 2) pixels."""
    to_camera = np.linalg.inv(poses)  # (N, 4, 4)
    seen = points @ to_camera[:, :3, :3].transpose(0, 2, 1) + to_camera[:, None, :3, 3]
    along = focal * seen[..., :2] / -seen[..., 2:]
    return np.asarray(np.stack([along[..., 0], -along[..., 1]], axis=-1) + np.array(centre))


def jitter(poses: Matrices) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Yaw, pitch, roll in degrees and x, y, z in cm: deviations of what frames in a row differ by.

    poses: (N, 4, 4), camera to world; the head's own turn and place before the camera is looked at.
    """
    heads = np.linalg.inv(poses)
    turns = heads[1:, :3, :3] @ heads[:-1, :3, :3].transpose(0, 2, 1)
    yaw = np.arctan2(turns[:, 0, 2], turns[:, 2, 2])
    pitch = np.arcsin(np.clip(-turns[:, 1, 2], -1, 1))
    roll = np.arctan2(turns[:, 1, 0], turns[:, 1, 1])
    moves = np.diff(heads[:, :3, 3], axis=0)
    return np.rad2deg(np.stack([yaw, pitch, roll])).std(axis=1), moves.std(axis=0)


def _rigid_points(arrays: Arrays) -> NDArray[np.float64]:
    """The points of RIGID, (T, R, 2) pixels."""
    name = str(arrays["model"])
    if name not in ("small", "mesh"):
        raise BenchError(f"no head is known for landmarks of the model {name!r}: small or mesh")
    points = np.asarray(arrays["points"], dtype=np.float64)
    if name == "mesh":
        assert points.shape[1] == MESH.count
        points = points[:, list(SMALL_OF_MESH)]
    assert points.shape[1] == SMALL.count
    return points[:, list(RIGID)]


def _fitted(
    points: NDArray[np.float64], focal: float, centre: tuple[float, float]
) -> tuple[Matrices, NDArray[np.float64]]:
    """Poses, (N, 4, 4), and errors, (N,); each frame starts from the one before."""
    import cv2

    head = HEAD[list(RIGID)]
    # OpenCV's camera looks along +z and has y down; its world is turned in the same way.
    turned = head * FLIP
    camera = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1.0]])
    poses, errors = [], []
    turn = move = None
    for seen in points:
        if turn is None or move is None:
            _, turn, move = cv2.solvePnP(turned, seen, camera, None, flags=cv2.SOLVEPNP_SQPNP)
        _, turn, move = cv2.solvePnP(
            turned, seen, camera, None, turn, move, True, flags=cv2.SOLVEPNP_ITERATIVE
        )
        to_camera = np.eye(4)
        to_camera[:3, :3] = cv2.Rodrigues(turn)[0] * FLIP[:, None] * FLIP
        to_camera[:3, 3] = move[:, 0] * FLIP
        pose: Matrices = np.asarray(np.linalg.inv(to_camera), dtype=np.float64)
        poses.append(pose)
        there = projected(head, pose[None], focal, centre)[0]
        errors.append(float(np.linalg.norm(there - seen, axis=1).mean()))
    return np.stack(poses), np.array(errors)


def _smoothed(poses: Matrices, places: NDArray[np.int64], sigma: float) -> Matrices:
    """Each pose blended with its neighbours in time, and made a rotation again.

    The head is smoothed as the camera sees it: its turn, and its place.
    """
    heads = np.linalg.inv(poses)
    apart = (places[:, None] - places[None, :]).astype(float)
    weights = np.exp(-0.5 * (apart / sigma) ** 2) * (abs(apart) <= NEXT_TO * sigma)
    weights /= weights.sum(axis=1, keepdims=True)
    blended = np.einsum("nm,mij->nij", weights, heads)
    left, _, right = np.linalg.svd(blended[:, :3, :3])
    left[:, :, 2] *= np.linalg.det(left @ right)[:, None]
    blended[:, :3, :3] = left @ right
    return np.asarray(np.linalg.inv(blended))
