"""LPIPS: golden values, a version written out, its ladders, and what has no value."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import bench
from bench.checks import run_checks
from bench.checks.ladders import talking_patterns
from bench.networks.lpips import LINEAR, linear_digest
from bench.networks.lpips.distance import _of_one_shape, distances, resized
from bench.networks.lpips.trunks import (
    CHANNELS,
    LEAST,
    TAKEN,
    Trunk,
    linear_layers,
    load_trunk,
    ready,
    scaled,
)
from metrics.lpips import Lpips
from tests.small_weights import drawn, filled, put_network
from tests.test_psnr_ssim import sample, track

NETS = ("alex", "vgg")


@pytest.fixture
def alexnet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Drawn weights in the place of AlexNet's."""
    return put_network(monkeypatch, tmp_path / "weights", "alexnet", drawn(Trunk("alex")))


def pictures(count: int, side: int = 64) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, side, side + 5, 3), dtype=np.uint8)


def written_out(first: np.ndarray, second: np.ndarray, trunk: Trunk, net: str) -> float:
    """LPIPS of two (H, W, 3) pictures, as the paper has it, in float64."""
    trunk = trunk.double()
    layers = linear_layers(LINEAR, net)
    shift = torch.tensor([-0.030, -0.088, -0.188]).reshape(1, 3, 1, 1).double()
    scale = torch.tensor([0.458, 0.448, 0.450]).reshape(1, 3, 1, 1).double()
    seen = []
    for picture in (first, second):
        x = torch.from_numpy(picture.astype(np.float64)).permute(2, 0, 1)[None] / 127.5 - 1
        x = (x - shift) / scale
        found = []
        for place, layer in enumerate(trunk.features):
            is_relu = isinstance(layer, nn.ReLU)
            x = functional.relu(x) if is_relu else layer(x)
            if place in TAKEN[net]:
                found.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
        seen.append(found)
    trunk.float()
    return float(
        sum(
            ((a - b).square() * w.reshape(1, -1, 1, 1)).sum(1).mean()
            for a, b, w in zip(*seen, layers, strict=True)
        )
    )


@pytest.mark.shared
@pytest.mark.parametrize("batch", [1, 4, 6])
@pytest.mark.parametrize("net", NETS)
def test_golden_values_at_every_batch_size(shared: Path, net: str, batch: int) -> None:
    arrays = np.load(shared / "golden" / "metrics.npz")
    expected = json.loads((shared / "golden" / "expected_metrics.json").read_text())
    truth, made = arrays["face_truth"], arrays["face_made"]
    blurred = np.stack([cv2.GaussianBlur(face, (0, 0), 2) for face in truth])
    trunk = ready(filled(shared, Trunk(net)))
    linear = linear_layers(LINEAR, net)
    for name, other in (("made", made), ("blur2", blurred)):
        found = list(distances(zip(truth, other, strict=True), trunk, linear, batch=batch))
        np.testing.assert_allclose(found, expected[f"lpips_{net}_{name}"], rtol=1e-4)
    same = list(distances(zip(truth, truth.copy(), strict=True), trunk, linear, batch=batch))
    assert same == [0.0] * len(truth)


@pytest.mark.shared
def test_the_linear_layers_are_the_published_ones(shared: Path) -> None:
    arrays = np.load(shared / "golden" / "metrics.npz")
    for layer, found in enumerate(linear_layers(LINEAR, "alex")):
        np.testing.assert_array_equal(found.numpy(), arrays[f"lpips_alex_lin{layer}"])


@pytest.mark.shared
def test_state_names_are_torchvisions(shared: Path) -> None:
    lines = (shared / "golden" / "names_alexnet.txt").read_text().splitlines()
    own = {f"{n} {tuple(x.shape)}" for n, x in Trunk("alex").state_dict().items()}
    assert own == {line for line in lines if line.startswith("features.")}


@pytest.mark.parametrize("net", NETS)
def test_linear_layers_are_complete_and_not_negative(net: str) -> None:
    layers = linear_layers(LINEAR, net)
    assert tuple(map(len, layers)) == CHANNELS[net]
    assert all(bool((layer >= 0).all()) for layer in layers)


@pytest.mark.parametrize("net", NETS)
def test_it_equals_the_formula_written_out(net: str) -> None:
    trunk = ready(drawn(Trunk(net)))
    first, second = pictures(3), pictures(6)[3:]
    found = list(distances(zip(first, second, strict=True), trunk, linear_layers(LINEAR, net)))
    expected = [written_out(a, b, trunk, net) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_neighbours_of_other_shapes_do_not_matter() -> None:
    trunk, linear = ready(drawn(Trunk("alex"))), linear_layers(LINEAR, "alex")
    small, large = pictures(2, 50), pictures(2, 70)
    pairs = [(small[0], small[1]), (large[0], large[1]), (small[1], small[0])]
    together = list(distances(pairs, trunk, linear))
    alone = [next(distances([pair], trunk, linear)) for pair in pairs]
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    assert together[0] == pytest.approx(together[2], rel=1e-5)


def test_large_pictures_go_through_one_by_one() -> None:
    large = pictures(2, 600)
    groups = list(_of_one_shape([(large[0], large[1])] * 3, 4))
    assert [len(group) for group in groups] == [1, 1, 1]
    small = pictures(2, 64)
    assert [len(group) for group in _of_one_shape([(small[0], small[1])] * 5, 4)] == [4, 1]


@pytest.mark.parametrize("net", NETS)
def test_the_least_size_is_the_smallest_that_leaves_a_place(net: str) -> None:
    trunk = ready(drawn(Trunk(net)))
    assert min(trunk(torch.zeros(1, 3, LEAST[net], LEAST[net]))[-1].shape) == 1
    with pytest.raises(RuntimeError):
        trunk(torch.zeros(1, 3, LEAST[net] - 1, LEAST[net] - 1))


def test_pictures_are_scaled_as_the_package_does() -> None:
    white = scaled(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8))
    expected = (1 - np.array([-0.030, -0.088, -0.188])) / np.array([0.458, 0.448, 0.450])
    np.testing.assert_allclose(white[0, :, 0, 0].numpy(), expected, rtol=1e-6)


def test_resizing_averages_where_it_shrinks() -> None:
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    frame = np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8)
    assert np.unique(resized(frame, 32)).tolist() == [128]
    assert resized(frame, 64) is frame
    assert resized(frame, 100).shape == (100, 100, 3)


@pytest.mark.usefixtures("alexnet")
def test_the_contract_with_its_ladders() -> None:
    options = Lpips.Options(size=64)
    results = run_checks(Lpips, options, sample=lambda: talking_patterns(2, frames=8))
    assert [each for each in results if each.status != "passed"] == []
    assert {f"gets worse along {name}" for name in ("blur", "noise", "frozen")} <= {
        each.name for each in results
    }


def test_options_enter_the_protocol() -> None:
    assert Lpips().protocol == "lpips[alex v0.1; face:{faces}; rgb; 256]"
    options = Lpips.Options(net="vgg", region="frame", size="native")
    assert Lpips(options).protocol == "lpips[vgg v0.1; frame; rgb; native]"
    assert Lpips(options).weights == ("vgg16",)
    assert Lpips().identity() == {"linear": linear_digest()}


@pytest.mark.usefixtures("alexnet")
def test_what_has_no_value_says_why() -> None:
    metric = Lpips(Lpips.Options(size="native"))
    metric.load("cpu")
    frames = pictures(2, 60)
    with pytest.raises(bench.Undefined, match=r"30x20 pixels.*31"):
        metric.measure(sample(frames, frames, track=track((0, 0, 30, 20))))
    with pytest.raises(bench.Undefined, match="outside the frame"):
        metric.measure(sample(frames, frames, track=track((100, 100, 140, 140))))
    with pytest.raises(bench.Undefined, match="no frames"):
        metric.measure(sample(frames[:0], frames[:0]))
    with pytest.raises(bench.BenchError, match="conform"):
        metric.measure(sample(frames, frames[:1]))


@pytest.mark.usefixtures("alexnet")
def test_grey_frames_and_one_frame_have_a_value() -> None:
    metric = Lpips(Lpips.Options(region="frame"))
    metric.load("cpu")
    grey = np.full((1, 50, 60, 3), 127, np.uint8)
    assert metric.measure(sample(grey, grey)) == {"lpips": 0.0}
    assert metric.measure(sample(grey, grey + 60))["lpips"] > 0.0


def test_missing_weights_are_an_error_a_user_can_act_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_WEIGHTS", raising=False)
    with pytest.raises(bench.BenchError, match="bench weights pull alexnet"):
        Lpips().load("cpu")


def test_a_file_of_another_network_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = put_network(monkeypatch, tmp_path / "weights", "alexnet", nn.Linear(2, 2))
    with pytest.raises(bench.BenchError, match=r"is not torchvision's alexnet: features\.0"):
        load_trunk("alex", path)
