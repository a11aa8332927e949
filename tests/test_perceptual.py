"""The distance in features of a network of this project: values, ladders, gradients."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

import bench
from bench.checks import run_checks
from bench.checks.ladders import talking_patterns
from bench.networks.checkpoints import metadata, read_state
from bench.networks.face_features import WEIGHTS
from bench.networks.face_features.network import (
    BLOCKS,
    cut_face_features,
    distance,
    load_face_features,
)
from metrics.perceptual import BATCH, Perceptual
from tests.conftest import ROOT
from tests.test_psnr_ssim import sample, track

GENERATOR = ROOT / "methods" / "wav2lip" / "weights" / "grid_wav2lip.safetensors"


def faces(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 96, 96, generator=torch.Generator().manual_seed(seed))


def test_the_shipped_network_is_cut_out_of_a_shipped_generator(tmp_path: Path) -> None:
    name, _, digest = metadata(WEIGHTS)["cut_from"].partition("@")
    assert name == GENERATOR.name
    if hashlib.sha256(GENERATOR.read_bytes()).hexdigest() != digest:
        pytest.skip("the generator was trained anew since")
    cut_face_features(GENERATOR, tmp_path / "cut.safetensors")
    assert (tmp_path / "cut.safetensors").read_bytes() == WEIGHTS.read_bytes()
    state = read_state(WEIGHTS)
    assert {name.split(".")[1] for name in state} == set(map(str, range(BLOCKS)))


def test_it_is_the_formula_written_out() -> None:
    network = load_face_features()
    first, second = faces(2), faces(2, seed=1)
    expected = np.zeros(2)
    for one, other in zip(network(first), network(second), strict=True):
        a, b = (x.double().numpy() for x in (one, other))
        a /= np.sqrt((a**2).sum(axis=1, keepdims=True) + 1e-8)
        b /= np.sqrt((b**2).sum(axis=1, keepdims=True) + 1e-8)
        expected += ((a - b) ** 2).sum(axis=1).mean(axis=(1, 2)) / BLOCKS
    found = distance(network(first), network(second)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert distance(network(first), network(first)).tolist() == [0.0, 0.0]


def test_losses_have_gradients_that_lead_to_the_other_face() -> None:
    network = load_face_features()
    wanted = network(faces(1))
    made = faces(1, seed=1).requires_grad_()
    before = distance(network(made), wanted).sum()
    before.backward()
    assert made.grad is not None
    assert bool(made.grad.isfinite().all())
    step = made.detach() - 0.05 * made.grad / made.grad.abs().max()
    assert distance(network(step), wanted).sum() < before
    assert not any(weight.requires_grad for weight in network.parameters())
    black = torch.zeros(1, 3, 96, 96, requires_grad=True)
    distance(network(black), wanted).sum().backward()
    assert black.grad is not None
    assert bool(black.grad.isfinite().all())


def test_the_contract_with_its_ladders() -> None:
    results = run_checks(Perceptual, sample=lambda: talking_patterns(2, frames=16))
    assert [each for each in results if each.status != "passed"] == []


def test_values_do_not_depend_on_the_batch() -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 256, (BATCH + 3, 60, 60, 3), dtype=np.uint8)
    made = random.integers(0, 256, truth.shape, dtype=np.uint8)
    metric = Perceptual(Perceptual.Options(every=1))
    metric.load("cpu")

    def measured(part: slice) -> float:
        count = len(truth[part])
        box = track((4, 4, 56, 46), count)
        return metric.measure(sample(truth[part], made[part], track=box))["perceptual"]

    whole, parts = measured(slice(None)), (measured(slice(BATCH)), measured(slice(BATCH, None)))
    mean = (BATCH * parts[0] + 3 * parts[1]) / (BATCH + 3)
    assert whole == pytest.approx(mean, rel=1e-5)
    usual = Perceptual()
    usual.load("cpu")
    box = track((4, 4, 56, 46), len(truth))
    some = usual.measure(sample(truth, made, track=box))["perceptual"]
    assert some == pytest.approx(measured(slice(None, None, 5)), rel=1e-5)
    assert measured(slice(1)) > 0.0


def test_what_has_no_value_says_why() -> None:
    metric = Perceptual()
    metric.load("cpu")
    frames = np.full((2, 60, 60, 3), 90, np.uint8)
    box = track((4, 4, 56, 46))
    assert metric.measure(sample(frames, frames, track=box)) == {"perceptual": 0.0}
    with pytest.raises(bench.Undefined, match="no frames"):
        metric.measure(sample(frames[:0], frames[:0], track=box))
    with pytest.raises(bench.BenchError, match="conform"):
        metric.measure(sample(frames, frames[:1], track=box))
    with pytest.raises(bench.Undefined, match="outside the 60x60 frame"):
        metric.measure(sample(frames, frames, track=track((70, 70, 90, 90))))


def test_the_protocol_names_the_network() -> None:
    assert Perceptual().protocol.startswith("perceptual[face features@")
    assert Perceptual().protocol.endswith("; wav2lip crop:{faces}; rgb; 96; one frame of 5]")
