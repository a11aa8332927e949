"""PC-AVS's alignment and pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from methods.pcavs.pictures import (
    ANCHORS,
    SIDE,
    crop,
    inner_transforms,
    pose_order,
    seen,
    transforms,
)


def turned(
    points: NDArray[np.float64], *, scale: float, angle: float, shift: tuple[float, float]
) -> NDArray[np.float64]:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(points @ turn.T + np.array(shift))


def test_a_face_of_the_anchors_shape_comes_to_the_anchors() -> None:
    face = turned(np.array(ANCHORS), scale=0.4, angle=0.3, shift=(200.0, -30.0))
    found = transforms(np.stack([face] * 4))
    assert found.shape == (4, 2, 3)
    for transform in found:
        assert np.allclose(face @ transform[:, :2].T + transform[:, 2], ANCHORS)


def test_size_and_turn_are_the_videos_and_shifts_are_smoothed() -> None:
    face = np.array(ANCHORS)
    right = np.array([10.0, 0.0])
    moved = np.stack([face, face + right, face + right])
    found = transforms(moved)
    assert np.allclose(found[:, :, :2], np.eye(2))
    # The mouth's own shifts are 0, -10, -10, and each is mixed with a fifth of the one before.
    assert np.allclose(found[:, 0, 2], [0.0, -8.0, -9.6])
    assert np.allclose(found[:, 1, 2], 0.0)
    # Nothing zooms: a face that comes nearer keeps the video's mean scale.
    nearer = transforms(np.stack([0.9 * face, 1.1 * face]))
    assert np.allclose(nearer[0, :, :2], nearer[1, :, :2])


def test_three_points_that_no_similarity_fits_come_as_near_as_one_can() -> None:
    points = np.array([[60.0, 80.0], [120.0, 70.0], [100.0, 160.0]])
    found = transforms(points[None])[0]

    def distance(transform: NDArray[np.float64]) -> float:
        there = points @ transform[:, :2].T
        wanted = np.array(ANCHORS)
        return float(np.square((there - there.mean(0)) - (wanted - wanted.mean(0))).sum())

    draw = np.random.default_rng(0)
    for _ in range(50):
        along, across = 0.02 * draw.standard_normal(2)
        other = found.copy()
        other[:, :2] += [[along, -across], [across, along]]
        assert distance(other) >= distance(found)


def test_pixels_land_where_the_transforms_say() -> None:
    frame = np.zeros((300, 300, 3), dtype=np.uint8)
    frame[150:156, 140:146] = 255
    transform = transforms(np.array(ANCHORS)[None] + [20.0, 30.0])[0]
    picture = crop(frame, transform)
    assert picture.shape == (SIDE, SIDE, 3)
    rows, columns = np.nonzero(picture[..., 0])
    assert (rows.mean(), columns.mean()) == (152.5 - 30.0, 142.5 - 20.0)
    inner = seen(picture[None])
    assert inner.shape == (1, 3, SIDE, SIDE)
    assert inner.dtype == np.float32
    assert inner.min() == -1.0
    weights = inner[0, 0] + 1.0
    middle = (np.arange(SIDE) @ weights.sum(0), np.arange(SIDE) @ weights.sum(1)) / weights.sum()
    (to_inner,) = inner_transforms(transform[None])
    expected = to_inner[:, :2] @ np.array([142.5, 152.5]) + to_inner[:, 2]
    assert np.allclose(middle, expected, atol=0.05)


def test_pose_frames_go_forth_and_back_with_each_end_twice() -> None:
    assert pose_order(3, 8).tolist() == [0, 1, 2, 2, 1, 0, 0, 1]
    assert pose_order(1, 3).tolist() == [0, 0, 0]
