"""The renderer's own geometry: points lie where the frames have what they name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.data.synth.clip import utter
from bench.data.synth.corpus import SEED, person_of, plan_clips, points_of
from bench.data.synth.geometry import Placement, face_points
from bench.data.synth.identity import identity
from bench.data.synth.motion import Pose
from bench.data.synth.render import FRAME, Renderer
from bench.data.synth.surface import CENTRE, UNIT
from bench.data.synth.visemes import REST, Shape
from bench.ground.errors import BenchError
from bench.ground.types import Clip

PLACE = Placement(x=125.0, y=104.0, scale=60.0)
RESTING = Pose(0, 0, 0, 0, 0, 1, 0, 0, (0, 0))
TURNED = Pose(0.05, -0.03, 0.08, 0.12, -0.1, 1.03, 0, 0.3, (0.01, 0))


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(identity("en", woman=True, number=2, seed=SEED["en"]), (SEED["en"], 1, 2))


def middle_of(shown: np.ndarray) -> np.ndarray:
    """The middle of what is bright, x y in pixels."""
    rows, columns = np.mgrid[0 : len(shown), 0 : len(shown)]
    return np.array([(columns * shown).sum(), (rows * shown).sum()]) / shown.sum()


@pytest.mark.parametrize("pose", [RESTING, TURNED], ids=["resting", "turned"])
@pytest.mark.parametrize("part", ["nose", "jaw"])
def test_skin_moves_as_the_painted_head_does(renderer: Renderer, pose: Pose, part: str) -> None:
    shape = Shape(jaw=0.6, spread=0.3)
    look = renderer.identity.look
    texture = Placement(x=CENTRE[0], y=CENTRE[1], scale=UNIT)
    at_rest = getattr(face_points(look, [REST], [RESTING], texture), part)[0]
    found = getattr(face_points(look, [shape], [pose], PLACE), part)[0]
    before, renderer.head = renderer.head, np.zeros_like(renderer.head)
    try:
        for point, place in zip(at_rest, found, strict=True):
            # A dot on the painted head, where the point is before jaw, lips and pose move it.
            renderer.head = _with_dot(renderer.head, point)
            dark = np.zeros((FRAME, FRAME, 3), np.uint8)
            shown = renderer._moved(renderer._bent(shape, pose), pose, PLACE, dark)[..., 0]
            np.testing.assert_allclose(middle_of(shown), place, atol=0.35)
    finally:
        renderer.head = before


def test_lips_and_lids_are_where_they_are_drawn(renderer: Renderer) -> None:
    look = renderer.identity.look
    opened = Shape(jaw=0.7, lower=0.3, upper=0.2)
    (mouth,), (eyes,) = (
        getattr(face_points(look, [opened], [RESTING], PLACE), part) for part in ("mouth", "eyes")
    )
    head = renderer._bent(opened, RESTING)
    plain = head.copy()
    renderer.mouth.draw(head, opened)
    renderer.eyes.draw(head, gaze=(0, 0), blink=0.0, wide=0.0)
    changed = np.abs(head[..., :3].astype(int) - plain[..., :3]).sum(axis=2) > 60
    scale = PLACE.scale / UNIT
    edges = (mouth[[3, 9]] - (PLACE.x, PLACE.y)) / scale + CENTRE  # middle of upper, lower lip
    column = changed[:, round(float(CENTRE[0]))]
    rows = np.flatnonzero(column[round(CENTRE[1] + 0.7 * UNIT) :]) + round(CENTRE[1] + 0.7 * UNIT)
    assert rows.min() == pytest.approx(edges[0, 1], abs=4)
    assert rows.max() == pytest.approx(edges[1, 1], abs=8)  # with the shadow below the lip
    assert mouth[18, 1] - mouth[14, 1] > 0.15 * PLACE.scale  # the opening
    shut = face_points(look, [REST], [replace(RESTING, blink=1.0)], PLACE)
    assert (np.ptp(shut.eyes[0, :, [1, 5], 1], axis=0) < 0.2 * np.ptp(eyes[:, [1, 5], 1])).all()
    assert shut.mouth[0, 18, 1] - shut.mouth[0, 14, 1] < 0.03 * PLACE.scale


def test_right_is_the_persons_own(renderer: Renderer) -> None:
    found = face_points(renderer.identity.look, [REST], [RESTING], PLACE)
    assert found.mouth[0, 0, 0] < found.mouth[0, 6, 0]
    assert found.eyes[0, 0, :, 0].max() < found.eyes[0, 1, :, 0].min()
    for eye in found.eyes[0]:
        assert eye[0, 0] < eye[1, 0] < eye[2, 0] < eye[3, 0]
        assert eye[4, 0] > eye[5, 0]
    assert (np.diff(found.jaw[0, :, 0]) > 0).all()
    assert found.jaw[0, 4, 1] == found.jaw[0, :, 1].max()  # the chin


def test_clips_of_the_corpora_are_known_and_others_are_not() -> None:
    plan = plan_clips("en", "test", 1)[0]
    rng = np.random.default_rng([*plan.seed, 41])
    utterance = utter(person_of("en", plan.speaker), plan.texts, rng)
    clip = Clip(id=plan.id, video=Path("clip.mp4"), split="test", text=utterance.text)
    assert points_of(clip).mouth.shape == (utterance.frames, 20, 2)
    for stranger in (
        replace(clip, text="something else"),
        replace(clip, id="s1-bbaf2n"),
        replace(clip, split=""),
    ):
        with pytest.raises(BenchError, match="no clip of the embedded corpora"):
            points_of(stranger)


def _with_dot(head: np.ndarray, place: np.ndarray) -> np.ndarray:
    dots = np.zeros(head.shape[:2], np.uint8)
    x, y = (round(float(value) * 16) for value in place)
    cv2.circle(dots, (x, y), 2 * 16, 255, -1, cv2.LINE_AA, 4)
    return np.dstack([dots, dots, dots, np.full_like(dots, 255)])
