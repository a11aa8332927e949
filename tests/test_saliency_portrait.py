"""ER-NeRF's head and torso: equal to the official ones; what the region-saliency portrait adds."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from methods.radiance.codes import harmonics
from methods.saliency_portrait.hashed_grid import GridSize, HashedGrid
from methods.saliency_portrait.head import Head, HeadSize, Looks
from methods.saliency_portrait.saliency import Ablation, SaliencyHead
from methods.saliency_portrait.torso import TorsoByGrid, TorsoByReference, pose_code
from tests.golden import difference, golden_values


@pytest.fixture(autouse=True)
def one_seed() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Tensor]:
    return golden_values(shared, "ernerf")


def with_parameters_filled(shared: Path, module: nn.Module) -> nn.Module:
    """The stand-in weights; buffers keep what they have."""
    path = shared / "golden" / "fill_weights.py"
    spec = importlib.util.spec_from_file_location("fill_weights", path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(torch.from_numpy(found.filled(name, tuple(parameter.shape))))
    return module.eval()


def test_the_published_size_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        head, torso = Head(), TorsoByGrid()
    # Codes of frames are counted with the networks by the published figures.
    assert sum(each.numel() for each in head.parameters()) == 587_989
    assert sum(each.numel() for each in torso.parameters()) == 1_199_692


@pytest.mark.shared
def test_names_and_shapes_are_the_published_ones(shared: Path) -> None:
    with torch.device("meta"):
        states = [Head().state_dict(), TorsoByGrid().state_dict()]
    found = [f"{name} {tuple(x.shape)}" for state in states for name, x in state.items()]
    listed = shared / "golden" / "names_ernerf_head_torso.txt"
    assert sorted(found) == sorted(listed.read_text(encoding="utf-8").splitlines())


@pytest.mark.shared
@torch.no_grad()
def test_head_equals_the_official_one(shared: Path, golden: dict[str, Tensor]) -> None:
    head = with_parameters_filled(shared, Head())
    assert isinstance(head, Head)
    windows = golden["audio_windows"].transpose(1, 2)
    assert difference(head.audio_net(windows), golden["audio_features"]) < 1e-4
    assert difference(head.listen(windows), golden["audio_smoothed"]) < 1e-4
    assert difference(head.encoded(golden["points"]), golden["points_encoded"]) < 1e-4
    assert difference(harmonics(golden["directions"]), golden["directions_encoded"]) < 1e-4
    made = head(
        golden["points"],
        golden["directions"],
        golden["audio_smoothed"],
        golden["eye"],
        head.individual_codes[:1],
    )
    assert difference(made.attention, golden["audio_channel_attention"]) < 1e-4
    assert difference(made.density, golden["sigma"]) < 1e-4
    assert difference(made.colour, golden["color"]) < 1e-4
    assert difference(made.speech_acts, golden["ambient_audio"]) < 1e-4
    assert difference(made.eyes_act, golden["ambient_eye"]) < 1e-4
    assert difference(made.uncertainty[..., None], golden["uncertainty"]) < 1e-4


@pytest.mark.shared
@torch.no_grad()
def test_torso_equals_the_official_one(shared: Path, golden: dict[str, Tensor]) -> None:
    torso = with_parameters_filled(shared, TorsoByGrid())
    assert isinstance(torso, TorsoByGrid)
    code = pose_code(torso.anchor_points, golden["pose"])
    assert difference(code, golden["torso_code_encoded"]) < 1e-4
    made = torso(golden["torso_points"], golden["pose"], torso.individual_codes_torso[:1])
    assert difference(made.shift, golden["torso_shift"]) < 1e-4
    assert difference(made.alpha, golden["torso_alpha"]) < 1e-4
    assert difference(made.colour, golden["torso_color"]) < 1e-4


@torch.no_grad()
def test_a_hashed_grid_is_dense_where_its_table_suffices() -> None:
    grid = HashedGrid(GridSize(levels=3, coarsest=4, finest=16, table=64))
    assert grid.offsets.tolist() == [0, 32, 96, 160]
    grid.embeddings.copy_(torch.arange(160.0)[:, None])
    middle = grid(torch.tensor([[-1.0, -1.0], [2.0, 0.0]]))
    # Half-way between the corners 0, 1, 5 and 6 of the coarsest size.
    assert float(middle[0, 0]) == pytest.approx(3.0)
    assert not middle[1].any()


SMALL = HeadSize(planes=(8, 16), channels=2, frames=4, hidden=16)


def looked(head: Head, points: Tensor, heard: Tensor) -> Looks:
    directions = torch.nn.functional.normalize(points, dim=-1)
    eye, code = torch.full((1, 1), 0.2), head.individual_codes[:1]
    if isinstance(head, SaliencyHead):
        pose = torch.eye(4)
        pose[2, 3] = 3.0
        return head.seen_from(pose, points, directions, heard, eye, code)
    return head(points, directions, heard, eye, code)


@pytest.mark.parametrize("saliency", ["none", "gates", "scale_and_shift", "both"])
def test_every_ablation_of_the_saliency_learns_with_every_weight(saliency: Ablation) -> None:
    head = SaliencyHead(SMALL, saliency)
    if saliency in ("scale_and_shift", "both"):
        torch.nn.init.normal_(head.change.weight, std=0.1)
    heard = head.listen(torch.randn(8, 16, 29))
    made = looked(head, torch.rand(64, 3) - 0.5, heard)
    assert made.density.shape == (64,)
    assert made.colour.shape == (64, 3)
    loss = made.density.mean() + made.colour.square().mean() + made.uncertainty.mean()
    loss.backward()
    unlearned = {n for n, x in head.named_parameters() if x.grad is None or not x.grad.any()}
    assert unlearned == set()


@torch.no_grad()
def test_saliency_starts_from_er_nerf_and_no_point_depends_on_its_company() -> None:
    plain, salient = Head(SMALL), SaliencyHead(SMALL, "scale_and_shift")
    salient.load_state_dict(plain.state_dict(), strict=False)
    points, heard = torch.rand(32, 3) - 0.5, torch.randn(1, 32)
    first, second = looked(plain, points, heard), looked(salient, points, heard)
    assert torch.allclose(first.density, second.density)
    torch.nn.init.normal_(salient.change.weight, std=0.1)
    changed = looked(salient, points, heard)
    assert not torch.allclose(changed.density, first.density, rtol=1e-3)
    alone = looked(salient, points[:1], heard)
    assert torch.allclose(alone.density, changed.density[:1], rtol=1e-4)
    # What is said acts through the features, too.
    louder = looked(salient, points, 3 * heard)
    assert not torch.allclose(louder.density, changed.density, rtol=1e-3)


def test_a_torso_takes_its_colours_from_the_reference() -> None:
    torso = TorsoByReference(frames=2)
    pose = torch.eye(4)
    pose[2, 3] = 3.0
    places = torch.rand(16, 2) * 2 - 1
    code = torso.individual_codes_torso[:1]
    first = torso(places, pose, code, torch.zeros(3, 12, 16))
    second = torso(places, pose, code, torch.rand(3, 12, 16))
    assert first.alpha.shape == (16, 1)
    assert first.colour.shape == (16, 3)
    assert not torch.allclose(first.colour, second.colour, atol=1e-4)
    (second.colour.square().mean() + second.alpha.mean()).backward()
    assert all(x.grad is not None and x.grad.any() for x in torso.parameters())
