"""CSIM and the identities behind it: cosines, which frames count, alignment, dlib's own values."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import bench
from bench.checks import run_checks
from bench.checks.ladders import talking_patterns
from bench.features.landmark_points import SMALL
from metrics.csim import Csim, CsimFace, mean_cosine
from metrics.features.identity import Identity
from metrics.features.identity.recognisers import DlibRecogniser, dlib_squares
from tests.small_onnx import mean_colour
from tests.small_weights import put
from tests.test_psnr_ssim import CASE, track

# Where SFace wants right eye, left eye, nose, right and left corner of the mouth, in 112x112.
ALIGNED = np.array([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]])


@pytest.fixture
def sface(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A network in the place of SFace's: the mean red, green and blue of the aligned face."""
    return put(monkeypatch, tmp_path / "weights", "sface", mean_colour(112, 112))


def landmarks(five: np.ndarray, count: int, score: np.ndarray | None = None) -> dict[str, object]:
    """What the feature landmarks gives of a face that stands still, its five points given."""
    points = np.zeros((SMALL.count, 2), np.float32)
    points[list(SMALL.right_eye)], points[list(SMALL.left_eye)] = five[0], five[1]
    points[SMALL.nose_tip] = five[2]
    points[SMALL.mouth[0]], points[SMALL.mouth[6]] = five[3], five[4]
    return {
        "points": np.tile(points, (count, 1, 1)),
        "score": np.ones(count, np.float32) if score is None else score,
        "model": np.array("small"),
    }


def video(frames: np.ndarray, five: np.ndarray = ALIGNED, **changes: np.ndarray) -> bench.Video:
    made = bench.Video.of(frames, track=track((0, 0, 90, 90), len(frames)))
    made._known["landmarks"] = landmarks(five, len(frames), **changes)
    return made


def coloured(red: int, green: int, blue: int, count: int = 6) -> np.ndarray:
    return np.broadcast_to(np.array([red, green, blue], np.uint8), (count, 150, 140, 3)).copy()


def identified(*parts: tuple[np.ndarray, np.ndarray, int]) -> list[bench.Video]:
    """Videos of which embeddings, their frames and the length are known."""
    found = []
    for embeddings, places, length in parts:
        made = bench.Video.of(np.zeros((length, 4, 4, 3), np.uint8))
        made._known["identity"] = {
            "embeddings": embeddings.astype(np.float32),
            "frames": places,
            "length": np.array(length),
        }
        found.append(made)
    return found


@pytest.mark.shared
def test_golden_value(shared: Path) -> None:
    arrays = np.load(shared / "golden" / "metrics.npz")
    expected = json.loads((shared / "golden" / "expected_metrics.json").read_text())
    truth, made = arrays["embeddings_truth"], arrays["embeddings_made"]
    assert mean_cosine(made, truth) == pytest.approx(expected["csim_dlib_mean"], rel=1e-6)
    apart = np.linalg.norm(made - truth, axis=1).mean()
    assert apart == pytest.approx(expected["csim_dlib_distance_mean"], rel=1e-6)


def test_the_cosine_by_hand() -> None:
    first = np.array([[1.0, 0.0], [0.6, 0.8]])
    second = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert mean_cosine(first, second) == pytest.approx(0.8)
    assert mean_cosine(first, -first) == -1.0
    assert mean_cosine(first, second[:1]) == pytest.approx(0.8)


def test_the_same_frames_are_compared() -> None:
    axes = np.eye(20)
    places = np.arange(0, 100, 5)
    ours, theirs = identified((axes, places, 100), (axes[1:], places[1:], 100))
    assert Csim().measure(bench.Sample(CASE, ours, theirs)) == {"csim": 1.0}


def test_frames_without_a_face_leave_no_value_if_they_are_many() -> None:
    axes, places = np.eye(20), np.arange(0, 100, 5)
    ours, theirs = identified((axes, places, 100), (axes[3:], places[3:], 100))
    with pytest.raises(bench.Undefined, match="3 of 20 frames show no face"):
        Csim().measure(bench.Sample(CASE, ours, theirs))


def test_unequal_lengths_raise() -> None:
    axes, places = np.eye(2), np.array([0, 5])
    ours, theirs = identified((axes, places, 9), (axes, places, 10))
    with pytest.raises(bench.BenchError, match="9 frames, its reference 10"):
        Csim().measure(bench.Sample(CASE, ours, theirs))


def test_the_face_of_a_cross_case_stands_for_the_reference() -> None:
    made = np.array([[1.0, 0.0], [0.6, 0.8]])
    face = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    ours, theirs = identified((made, np.array([0, 5]), 9), (face, np.array([0, 5, 10]), 14))
    cross = bench.Case("set", "cross", CASE.face, CASE.speech)
    value = CsimFace().measure(bench.Sample(cross, ours, None, theirs))
    assert value == {"csim_face": pytest.approx(0.8)}


@pytest.mark.usefixtures("sface")
def test_faces_are_aligned_by_their_five_points() -> None:
    """A face that is twice as large, turned and elsewhere looks the same once it is aligned."""
    feature = Identity(Identity.Options(every=1))
    feature.load("cpu")
    rows, columns = np.mgrid[0:112, 0:112]
    face = np.stack([rows * 2, 50 + 0 * rows, 224 - rows - columns], axis=2).astype(np.uint8)
    import cv2

    angle = np.deg2rad(25)
    turn = 1.6 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    move = np.hstack([turn, [[60.0], [20.0]]])
    turned = cv2.warpAffine(face, move, (260, 260), borderMode=cv2.BORDER_REPLICATE)
    plain = feature.compute(video(face[None]))["embeddings"]
    again = feature.compute(video(turned[None], ALIGNED @ turn.T + [60.0, 20.0]))["embeddings"]
    np.testing.assert_allclose(again, plain, atol=1e-2)
    shifted = ALIGNED + np.array([30.0, 90.0])
    elsewhere = feature.compute(video(turned[None], shifted))["embeddings"]
    assert np.abs(elsewhere - plain).max() > 0.03
    mean = face.reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(plain[0], mean / np.linalg.norm(mean), atol=5e-3)  # RGB, not BGR


@pytest.mark.usefixtures("sface")
def test_every_fifth_frame_with_a_face_is_embedded() -> None:
    feature = Identity()
    feature.load("cpu")
    frames = coloured(200, 10, 10, 11)
    frames[5] = 90
    arrays = feature.compute(video(frames))
    assert arrays["frames"].tolist() == [0, 5, 10]
    assert int(arrays["length"]) == 11
    np.testing.assert_allclose(np.linalg.norm(arrays["embeddings"], axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(arrays["embeddings"][1], [3**-0.5] * 3, rtol=1e-3)
    assert not np.allclose(arrays["embeddings"][0], arrays["embeddings"][1])  # none overwritten
    score = np.ones(11, np.float32)
    score[5] = 0.4
    assert feature.compute(video(frames, score=score))["frames"].tolist() == [0, 10]
    with pytest.raises(bench.Undefined, match="no frame shows a face"):
        feature.compute(video(frames, score=np.zeros(11, np.float32)))
    with pytest.raises(bench.Undefined, match="no frames"):
        feature.compute(video(frames[:0]))


@pytest.mark.usefixtures("sface")
def test_an_embedding_of_zeros_is_an_error() -> None:
    feature = Identity()
    feature.load("cpu")
    frames = coloured(9, 9, 9)
    frames[5] = 0
    with pytest.raises(bench.BenchError, match="frame 5: its embedding by sface is all zeros"):
        feature.compute(video(frames))


@pytest.mark.usefixtures("sface")
def test_the_contract_of_the_feature() -> None:
    results = run_checks(Identity, sample=lambda: talking_patterns(2, frames=6))
    assert [each for each in results if each.status != "passed"] == []


def test_protocols_name_the_network_and_what_it_rests_on() -> None:
    own = "sface 2021dec; {landmarks}; aligned 112; every 5th"
    assert Identity().protocol == own
    other = Identity(Identity.Options(network="dlib", every=1))
    assert other.protocol == "dlib resnet v1; {faces}; dlib 68, aligned 150; every frame"
    assert other.weights == ()
    assert Csim().protocol == "csim[same frame; {identity}]"


def test_missing_weights_are_an_error_a_user_can_act_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_WEIGHTS", raising=False)
    with pytest.raises(bench.BenchError, match="bench weights pull sface"):
        Identity().load("cpu")


@pytest.mark.skipif(importlib.util.find_spec("dlib") is not None, reason="dlib is here")
def test_without_dlib_it_says_what_to_install() -> None:
    with pytest.raises(bench.BenchError, match=r"talking-face-bench\[dlib\]"):
        DlibRecogniser()


def test_squares_for_dlib_lie_on_the_boxes() -> None:
    boxes = np.array([[10, 20, 30, 60]], np.float32)
    assert dlib_squares(boxes).tolist() == [[5, 25, 35, 55]]


@pytest.mark.shared
def test_golden_embeddings_of_dlib(shared: Path) -> None:
    pytest.importorskip("dlib")
    recogniser = DlibRecogniser()
    arrays = np.load(shared / "golden" / "metrics.npz")
    for frame, place, expected in zip(
        arrays["mesh_ref_frames"],
        arrays["dlib_ref_rects"],
        arrays["dlib_ref_embeddings"],
        strict=True,
    ):
        np.testing.assert_allclose(recogniser.embed(frame, place), expected, atol=1e-4)


@pytest.mark.parametrize("metric", [Csim, CsimFace])
def test_the_contract_of_the_metrics(metric: type[bench.ClipMetric]) -> None:
    """With the picture's own rough look as the embedding, which blurs change."""
    results = run_checks(metric, features=[Rough])
    assert [each for each in results if each.status not in ("passed",)] == []


class Rough(bench.Feature):
    """Every fifth frame's grey, 32x32, in the place of a network's embedding.

    Reads: video (T, H, W, 3) uint8 RGB.
    Gives: as the feature identity.
    Raises: never.
    Source: defined here.
    """

    name, version, source = "identity", "1", "defined here"
    reads = frozenset({"video"})
    arrays = Identity.arrays

    def compute(self, video: bench.Video) -> bench.Arrays:
        import cv2

        every = video.read()
        frames = np.arange(0, len(every), 5)
        small = [cv2.resize(every[frame], (64, 64)).mean(axis=2).reshape(-1) for frame in frames]
        rows = np.stack(small) - np.mean(small, axis=1, keepdims=True)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return {
            "embeddings": rows.astype(np.float32),
            "frames": frames,
            "length": np.array(len(every)),
        }
