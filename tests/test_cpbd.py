"""CPBD: against the package's values and its loops in own words, its direction, its gaps."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import bench
from bench.checks.ladders import LADDERS, talking_patterns
from bench.checks.subject import features_for
from bench.features.computing import Features, chosen
from bench.features.faces import Faces
from metrics.cpbd import Cpbd, EdgeSharpness, cpbd
from tests.cpbd_by_loops import cpbd_by_loops
from tests.test_psnr_ssim import sample


@pytest.mark.shared
def test_it_equals_the_packages_values(shared: Path) -> None:
    pictures = np.load(shared / "golden" / "metrics.npz")["cpbd_grey"]
    expected = json.loads((shared / "golden" / "expected_metrics.json").read_text())
    blurred = [cv2.GaussianBlur(picture, (0, 0), 1.5) for picture in pictures]
    assert [cpbd(picture) for picture in pictures] == pytest.approx(
        expected["cpbd_truth"], abs=1e-9
    )
    assert [cpbd(picture) for picture in blurred] == pytest.approx(
        expected["cpbd_blur1.5"], abs=1e-9
    )


@pytest.mark.parametrize(
    ("height", "width", "sigma"), [(64, 64, 0), (130, 97, 1.0), (90, 200, 2.5)]
)
def test_it_equals_loops_over_pixels(height: int, width: int, sigma: float) -> None:
    random = np.random.default_rng(height)
    picture = random.integers(0, 256, (height, width), dtype=np.uint8)
    picture[:, : width // 3] //= 8  # low contrast
    if sigma:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    assert cpbd(picture) == pytest.approx(cpbd_by_loops(picture), abs=1e-12)


def test_a_step_is_sharp_and_a_slope_is_not() -> None:
    tilt = np.arange(64)[:, None] // 16  # lest nothing but level gradients remain
    step = np.interp(np.arange(64), [30, 33], [40, 200])[None] + tilt
    slope = np.interp(np.arange(64), [20, 44], [40, 200])[None] + tilt
    assert cpbd(step.astype(np.uint8)) == 1.0
    assert cpbd(slope.astype(np.uint8)) < 0.2


def test_a_flat_picture_has_no_sharp_edge() -> None:
    assert cpbd(np.full((128, 128), 90, np.uint8)) == 0.0


@pytest.mark.parametrize("shape", [(63, 200), (200, 10), (1, 1)])
def test_a_picture_without_a_block_has_no_value(shape: tuple[int, int]) -> None:
    with pytest.raises(bench.Undefined, match="no block of 64x64"):
        cpbd(np.zeros(shape, np.uint8))


def with_features(given: bench.Sample) -> bench.Sample:
    ready = {"faces": chosen(Faces(Faces.Options(detector="given")), {})}
    ready["edge_sharpness"] = chosen(EdgeSharpness(), ready)
    computing = Features(ready)
    for video in (given.video, given.reference):
        assert video is not None
        video.features = computing
    return given


def talking(frames: np.ndarray, made: np.ndarray, box: tuple[int, ...]) -> bench.Sample:
    boxes = np.tile(np.array(box, np.float32), (len(frames), 1))
    track = bench.Track(boxes, boxes, np.ones(len(frames), dtype=bool), "given")
    return with_features(sample(frames, made, track=track))


def frames(count: int = 6, height: int = 200, width: int = 220) -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return np.stack([cv2.GaussianBlur(frame, (0, 0), 1.0) for frame in noise])


def test_every_fifth_frame_counts_and_the_ratio_is_to_the_recording() -> None:
    truth = frames()
    made = truth.copy()
    made[1:5] = 0  # not looked at
    made[5] = cv2.GaussianBlur(truth[5], (0, 0), 2.0)
    found = Cpbd().measure(talking(truth, made, (20, 20, 180, 180)))
    grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in (truth[0], truth[5], made[5])]
    first, last, soft = (cpbd_by_loops(each) for each in grey)
    assert found["cpbd"] == pytest.approx((first + soft) / 2)
    assert found["cpbd_ratio"] == pytest.approx((first + soft) / (first + last))


def test_the_face_counts_at_its_own_size() -> None:
    truth = frames()
    made = truth.copy()
    made[:, :15] = 0  # outside the face
    face = Cpbd(Cpbd.Options(region="face"))
    assert face.measure(talking(truth, made, (20, 20, 180, 180)))["cpbd_ratio"] == 1.0
    assert face.protocol == "cpbd[face:{faces}; grey; native; every 5th]"
    with pytest.raises(bench.Undefined, match="127x160 pixels; CPBD needs 128"):
        face.measure(talking(truth, made, (20, 20, 147, 180)))


def test_a_flat_recording_and_unequal_shapes_have_no_value() -> None:
    flat = np.full((6, 200, 220, 3), 40, np.uint8)
    with pytest.raises(bench.Undefined, match="no sharp edge"):
        Cpbd().measure(talking(flat, frames(), (20, 20, 180, 180)))
    with pytest.raises(bench.BenchError, match="nothing is cut"):
        Cpbd().measure(talking(frames(6), frames(5), (20, 20, 180, 180)))


def test_blur_lowers_it() -> None:
    (specimen,) = talking_patterns(1)
    ladder = LADDERS["blur"]
    steps = [ladder.apply(specimen, step) for step in ladder.steps]
    values = [Cpbd().measure(with_features(each))["cpbd"] for each in steps]
    assert (np.diff(values) < 0.01).all()
    assert values[-1] < values[0]


def test_what_a_recording_lacks_is_kept_as_empty() -> None:
    (specimen,) = talking_patterns(1, size=128)  # a face of 69 pixels
    video = with_features(specimen.sample).video
    kept = video.feature("edge_sharpness")
    assert kept["frame"].shape == (8,)
    assert kept["face"].shape == (0,)
    assert set(features_for(Cpbd, [])) >= {"faces", "edge_sharpness"}
