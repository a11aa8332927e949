"""Head poses from projected points: exact ones come back, noise is smoothed, no face is told."""

from __future__ import annotations

import numpy as np
import pytest

from bench.contract.video import Arrays
from bench.features.head_pose import HALF_VIEW, HEAD, head_poses, jitter, projected
from bench.features.landmark_points import MESH, SMALL_OF_MESH
from bench.ground.errors import BenchError

HEIGHT, WIDTH = 288, 360
FOCAL = HEIGHT / (2 * np.tan(HALF_VIEW))
CENTRE = ((WIDTH - 1) / 2, (HEIGHT - 1) / 2)


def turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """A rotation, (3, 3), from degrees about y, x and z."""
    y, p, r = np.deg2rad([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return about_y @ about_x @ about_z


def moving(frames: int) -> np.ndarray:
    """Camera to world, (T, 4, 4), of a head that turns and nods 30 cm before the camera."""
    heads = np.tile(np.eye(4), (frames, 1, 1))
    for frame in range(frames):
        phase = 2 * np.pi * frame / 400
        angles = (20 * np.sin(phase), 8 * np.cos(phase), 5 * np.sin(2 * phase))
        heads[frame, :3, :3] = turned(*angles)
        heads[frame, :3, 3] = (2 * np.cos(phase), np.sin(phase), -30 + np.sin(phase))
    return np.asarray(np.linalg.inv(heads))


def seen(poses: np.ndarray, *, noise: float = 0.0, model: str = "small") -> Arrays:
    points = projected(HEAD, poses, FOCAL, CENTRE)
    points = points + np.random.default_rng(1).normal(0, noise, points.shape)
    if model == "mesh":
        mesh = np.zeros((len(points), MESH.count, 2))
        mesh[:, list(SMALL_OF_MESH)] = points
        points = mesh
    return {
        "points": points.astype(np.float32),
        "score": np.ones(len(points), dtype=np.float32),
        "size": np.array([HEIGHT, WIDTH]),
        "model": np.array(model),
    }


def apart(found: np.ndarray, poses: np.ndarray) -> tuple[float, float]:
    """The largest turn in degrees, and the largest distance in cm, between heads."""
    first, second = np.linalg.inv(found), np.linalg.inv(poses)
    traces = np.einsum("nij,nij->n", first[:, :3, :3], second[:, :3, :3])
    turn = np.rad2deg(np.arccos(np.clip((traces - 1) / 2, -1, 1)))
    return float(turn.max()), float(np.linalg.norm(first - second, axis=1)[:, 3].max())


@pytest.mark.parametrize("model", ["small", "mesh"])
def test_exact_points_give_the_pose_back(model: str) -> None:
    poses = moving(40)
    found = head_poses(seen(poses, model=model), smoothed_over=0)
    turn, distance = apart(found.poses, poses)
    assert turn < 0.02
    assert distance < 0.01
    assert found.errors.max() < 0.01
    assert found.focal == pytest.approx(FOCAL)
    assert found.centre == CENTRE
    assert found.missing == 0
    expected = np.linalg.norm(poses[:, :3, 3], axis=1)
    assert np.allclose(found.distances, expected, atol=0.01)


def test_noise_of_a_pixel_is_smoothed_within_the_clip() -> None:
    poses = moving(80)
    rough = head_poses(seen(poses, noise=0.5), smoothed_over=0)
    smooth = head_poses(seen(poses, noise=0.5))
    still = head_poses(seen(np.repeat(poses[:1], 80, axis=0), noise=0.5), smoothed_over=0)
    assert apart(rough.poses, poses)[0] < 6.0
    assert apart(smooth.poses, poses)[0] < apart(rough.poses, poses)[0]
    assert np.allclose(np.linalg.det(smooth.poses[:, :3, :3]), 1.0)
    degrees, centimetres = jitter(still.poses)
    assert degrees.shape == centimetres.shape == (3,)
    assert degrees.max() > 0.1
    calm = head_poses(seen(np.repeat(poses[:1], 80, axis=0), noise=0.5))
    assert (jitter(calm.poses)[0] < 0.5 * degrees).all()


def test_jitter_is_that_of_the_head() -> None:
    heads = np.tile(np.eye(4), (3, 1, 1))
    heads[1, :3, :3] = turned(3, 0, 0)
    heads[1, 2, 3] = -1.0
    degrees, centimetres = jitter(np.linalg.inv(heads))
    assert np.allclose(degrees, [3, 0, 0], atol=1e-6)
    assert np.allclose(centimetres, [0, 0, 1])


def test_frames_without_a_face_are_left_out_and_counted() -> None:
    poses = moving(20)
    arrays = dict(seen(poses))
    arrays["points"][5:9] = 0.0
    arrays["score"][5:9] = 0.1
    found = head_poses(arrays, smoothed_over=0)
    assert found.places.tolist() == [*range(5), *range(9, 20)]
    assert found.missing == 4
    assert apart(found.poses, poses[found.places])[0] < 0.02
    arrays["score"][2:] = 0.0
    with pytest.raises(BenchError, match=r"2 of 20 frames show a face .* 3 are needed"):
        head_poses(arrays)
    with pytest.raises(BenchError, match="no head is known for landmarks of the model 'ibug'"):
        head_poses({**arrays, "model": np.array("ibug")})
