"""PSNR and SSIM: by hand, against scikit-image, and what has no value."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import bench
from bench.ground.errors import NoFace
from metrics.psnr import Psnr, psnr
from metrics.regions import whole_boxes
from metrics.ssim import Ssim, ssim

CLIP = bench.Clip("a", Path("a.mp4"))
CASE = bench.Case("set", "reconstruct", CLIP, CLIP)
WINDOWS = {
    "gaussian": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    "uniform": {},
}


def pictures(kind: str, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Two (2, H, W, 3) uint8 arrays, the second a disturbed copy of the first."""
    draw = np.random.default_rng(3)
    shape = (2, *size, 3)
    if kind == "noise":
        first = draw.integers(0, 256, shape)
    elif kind == "bright and flat":
        first = draw.integers(250, 252, shape)
    else:
        first = np.broadcast_to(np.linspace(0, 255, size[1])[None, None, :, None], shape)
    second = np.clip(first + draw.normal(0, 3, shape), 0, 255)
    return first.astype(np.uint8), second.astype(np.uint8)


def sample(
    truth: np.ndarray, made: np.ndarray, *, track: bench.Track | None = None
) -> bench.Sample:
    return bench.Sample(CASE, bench.Video.of(made), bench.Video.of(truth, track=track))


def track(box: tuple[float, float, float, float], frames: int = 2) -> bench.Track:
    boxes = np.tile(np.array(box, dtype=np.float32), (frames, 1))
    return bench.Track(boxes, boxes, np.ones(frames, dtype=bool), "given")


@pytest.mark.parametrize("window", ["gaussian", "uniform"])
@pytest.mark.parametrize("size", [(11, 11), (13, 200), (150, 40), (64, 65)])
@pytest.mark.parametrize("kind", ["noise", "bright and flat", "ramp"])
def test_ssim_equals_scikit_image(kind: str, size: tuple[int, int], window: str) -> None:
    first, second = pictures(kind, size)
    expected = np.mean(
        [
            structural_similarity(a, b, channel_axis=-1, data_range=255, **WINDOWS[window])
            for a, b in zip(first, second, strict=True)
        ]
    )
    assert ssim(first, second, window=window) == pytest.approx(expected, abs=1e-6)


def test_ssim_is_the_same_with_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    first = np.random.default_rng(3).integers(0, 256, (9, 20, 20, 3), np.uint8)
    values = set()
    for threads in (1, 2, 8):
        monkeypatch.setattr(cv2, "getNumThreads", lambda threads=threads: threads)
        values.add(ssim(first, first[::-1]))
    assert len(values) == 1


@pytest.mark.parametrize("kind", ["noise", "bright and flat", "ramp"])
def test_psnr_equals_scikit_image(kind: str) -> None:
    first, second = pictures(kind, (50, 41))
    expected = np.mean(
        [peak_signal_noise_ratio(a, b, data_range=255) for a, b in zip(first, second, strict=True)]
    )
    assert psnr(first, second) == pytest.approx(expected, abs=1e-9)


def test_psnr_by_hand() -> None:
    first = np.zeros((1, 4, 4, 3), np.uint8)
    assert psnr(first, first + np.uint8(255)) == pytest.approx(0.0)
    second = first.copy()
    second[0, 0, 0, 0] = 255  # MSE = 255^2 / 48
    assert psnr(first, second) == pytest.approx(10 * np.log10(48))


def test_ssim_of_two_flat_pictures_by_hand() -> None:
    first = np.full((1, 16, 16, 3), 100, np.uint8)
    second = np.full((1, 16, 16, 3), 50, np.uint8)
    c1 = 2.55**2
    expected = (2 * 100 * 50 + c1) / (100**2 + 50**2 + c1)
    assert ssim(first, second) == pytest.approx(expected, abs=1e-6)


def test_ssim_of_equal_frames_is_one() -> None:
    first, _ = pictures("noise", (30, 30))
    assert Ssim(Ssim.Options(region="frame")).measure(sample(first, first.copy())) == {
        "ssim": pytest.approx(1.0, abs=1e-12)
    }


def test_psnr_of_identical_frames_is_undefined() -> None:
    first, _ = pictures("noise", (30, 30))
    with pytest.raises(bench.Undefined, match="identical to the reference: PSNR is infinite"):
        psnr(first, first.copy())


def test_psnr_leaves_single_identical_frames_out() -> None:
    first, second = pictures("noise", (30, 30))
    mixed = np.stack([first[0], second[1]])
    assert psnr(first, mixed) == psnr(first[1:], second[1:])


def test_only_the_region_counts() -> None:
    first, second = pictures("noise", (60, 60))
    made = second.copy()
    made[:, 10:40, 20:50] = first[:, 10:40, 20:50]
    values = Ssim().measure(sample(first, made, track=track((20.0, 10.0, 50.0, 40.0))))
    assert values["ssim"] == pytest.approx(1.0, abs=1e-12)


def test_region_is_the_mouth_when_asked_for() -> None:
    first, second = pictures("noise", (60, 60))
    boxes = track((0.0, 0.0, 60.0, 60.0))
    mouths = track((20.2, 10.7, 49.1, 39.5)).mouths
    both = bench.Track(boxes.boxes, mouths, boxes.found, "given")
    values = Psnr(Psnr.Options(region="mouth")).measure(sample(first, second, track=both))
    assert values["psnr"] == psnr(first[:, 10:40, 20:50], second[:, 10:40, 20:50])


def test_boxes_are_rounded_outwards_and_clipped() -> None:
    boxes = np.array([[-3.5, 2.2, 10.1, 80.0]], np.float32)
    assert whole_boxes(boxes, (60, 50)).tolist() == [[0, 2, 11, 60]]


@pytest.mark.parametrize("metric", [Psnr(), Ssim()])
def test_region_outside_the_frame_is_undefined(metric: bench.ClipMetric) -> None:
    first, second = pictures("noise", (30, 30))
    with pytest.raises(bench.Undefined, match="region"):
        metric.measure(sample(first, second, track=track((40.0, 40.0, 60.0, 60.0))))


def test_region_smaller_than_the_window_is_undefined() -> None:
    first, second = pictures("noise", (30, 30))
    with pytest.raises(bench.Undefined, match=r"10x10 pixels in a frame, smaller .* 11x11"):
        Ssim().measure(sample(first, second, track=track((4.0, 4.0, 14.0, 14.0))))


@pytest.mark.parametrize("metric", [Psnr(), Ssim()])
def test_no_face_is_undefined_with_the_trackers_reason(metric: bench.ClipMetric) -> None:
    def find_nothing(video: bench.Video, name: str) -> bench.Arrays:
        raise NoFace("no face found in any of the 2 frames")

    first, second = pictures("noise", (30, 30))
    truth = bench.Video.of(first)
    truth.features = find_nothing
    with pytest.raises(bench.Undefined, match="no face found"):
        metric.measure(bench.Sample(CASE, bench.Video.of(second), truth))


@pytest.mark.parametrize("metric", [Psnr(), Ssim()])
def test_other_shape_or_no_reference_raises(metric: bench.ClipMetric) -> None:
    first, second = pictures("noise", (30, 30))
    with pytest.raises(bench.BenchError, match="its reference"):
        metric.measure(sample(first, second[:1], track=track((0.0, 0.0, 30.0, 30.0))))
    with pytest.raises(bench.BenchError, match="no reference"):
        metric.measure(bench.Sample(CASE, bench.Video.of(second)))


def test_protocols_say_what_changes_the_number() -> None:
    assert Psnr().protocol == "psnr[face:{faces}; rgb; native]"
    assert Psnr(Psnr.Options(region="frame")).protocol == "psnr[frame; rgb; native]"
    mouth = Ssim(Ssim.Options(region="mouth", window="uniform"))
    assert mouth.protocol == "ssim[mouth:{faces}; rgb; uniform 7x7; native]"
