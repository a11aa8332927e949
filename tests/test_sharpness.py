"""Sharpness of the mouth: against scipy, its direction, and what has no value."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import ndimage

import bench
from bench.checks.ladders import LADDERS, talking_patterns
from metrics.sharpness import Sharpness
from tests.test_psnr_ssim import sample

FACE = np.array([[8, 4, 104, 100]], np.float32)  # 96x96: nothing is scaled
MOUTH = np.array([[40, 60, 72, 84]], np.float32)


def textured(count: int = 3) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, 110, 120, 3), dtype=np.uint8)


def talking(truth: np.ndarray, made: np.ndarray, mouth: np.ndarray = MOUTH) -> bench.Sample:
    count = len(truth)
    boxes, mouths = FACE.repeat(count, axis=0), mouth.repeat(count, axis=0)
    track = bench.Track(boxes, mouths, np.ones(count, dtype=bool), "given")
    return sample(truth, made, track=track)


def test_it_is_the_ratio_of_the_laplacians_variances() -> None:
    truth = textured()
    made = np.stack([cv2.GaussianBlur(frame, (0, 0), 0.8) for frame in truth])

    def expected(frames: np.ndarray) -> float:
        greys = [cv2.cvtColor(f[4:100, 8:104], cv2.COLOR_RGB2GRAY).astype(float) for f in frames]
        edges = [ndimage.laplace(grey, mode="mirror")[56:80, 32:64] for grey in greys]
        return float(np.mean([edge.var() for edge in edges]))

    found = Sharpness().measure(talking(truth, made))["sharpness"]
    assert found == pytest.approx(expected(made) / expected(truth), rel=1e-6)


def test_only_the_mouth_counts() -> None:
    truth = textured()
    made = np.zeros_like(truth)
    made[:, 55:90, 35:80] = truth[:, 55:90, 35:80]
    assert Sharpness().measure(talking(truth, made)) == {"sharpness": 1.0}


@pytest.mark.parametrize(("name", "sign"), [("blur", -1), ("noise", 1)])
def test_blur_lowers_it_and_noise_raises_it(name: str, sign: int) -> None:
    ladder = LADDERS[name]
    (specimen,) = talking_patterns(1)
    values = [
        Sharpness().measure(ladder.apply(specimen, step))["sharpness"] for step in ladder.steps
    ]
    assert (sign * np.diff(values) > 0).all()


@pytest.mark.parametrize(
    ("truth", "mouth", "said"),
    [
        (np.full((2, 110, 120, 3), 7, np.uint8), MOUTH, "one flat colour"),
        (textured(2), MOUTH + 100, "outside the face's box"),
    ],
)
def test_what_has_no_value_says_why(truth: np.ndarray, mouth: np.ndarray, said: str) -> None:
    with pytest.raises(bench.Undefined, match=said):
        Sharpness().measure(talking(truth, truth, mouth))
