"""AD-NeRF's networks and rendering: equal to the official ones, their names, their small sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from methods.adnerf.field import TORSO, Field, FieldSize
from methods.adnerf.rendering import Sampling, composed, rendered
from methods.adnerf.torso import angles, torso_signal
from methods.radiance.codes import octaves
from methods.radiance.rays import Rays, rays_through
from methods.radiance.speech_networks import AudioAttNet, AudioNet
from methods.radiance.volume import drawn_from, integrated
from tests.golden import difference, golden_values
from tests.small_weights import filled

OFFICIAL: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "head": (Field, 661_636),
    "torso": (lambda: Field(TORSO), 683_140),
    "audionet": (AudioNet, 32_800),
    "audioattnet": (AudioAttNet, 2_149),
}


@pytest.fixture(autouse=True)
def one_seed() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Tensor]:
    return golden_values(shared, "adnerf")


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_published_size_has_the_published_number_of_parameters(name: str) -> None:
    make, parameters = OFFICIAL[name]
    with torch.device("meta"):
        network = make()
    assert sum(each.numel() for each in network.parameters()) == parameters


@pytest.mark.shared
@pytest.mark.parametrize("name", OFFICIAL)
def test_names_and_shapes_are_the_published_ones(shared: Path, name: str) -> None:
    with torch.device("meta"):
        state = OFFICIAL[name][0]().state_dict()
    found = [f"{each} {tuple(tensor.shape)}" for each, tensor in state.items()]
    listed = shared / "golden" / f"names_adnerf_{name}.txt"
    assert found == listed.read_text(encoding="utf-8").splitlines()


@pytest.mark.shared
@torch.no_grad()
def test_networks_equal_the_official_ones(shared: Path, golden: dict[str, Tensor]) -> None:
    features = filled(shared, AudioNet())(golden["audio_windows"])
    assert difference(features, golden["audio_features"]) < 1e-4
    smoothed = filled(shared, AudioAttNet())(golden["audio_features"])
    assert difference(smoothed, golden["audio_smoothed"]) < 1e-4
    points, directions = golden["points"], golden["directions"]
    assert difference(octaves(points, 10), golden["points_encoded"]) < 1e-4
    assert difference(octaves(directions, 4), golden["directions_encoded"]) < 1e-4
    head = filled(shared, Field())
    seen = head(points, directions, golden["audio_smoothed"])
    assert difference(seen, golden["head_raw"]) < 1e-4
    assert difference(angles(golden["pose"]), golden["torso_euler"]) < 1e-4
    signal = torso_signal(golden["audio_smoothed"], golden["pose"])
    assert difference(signal, golden["torso_signal"]) < 1e-4
    torso = filled(shared, Field(TORSO))
    assert difference(torso(points, directions, signal), golden["torso_raw"]) < 1e-4


@pytest.mark.shared
@torch.no_grad()
def test_rendering_equals_the_official_one(shared: Path, golden: dict[str, Tensor]) -> None:
    rows, columns = torch.meshgrid(torch.arange(12.0), torch.arange(10.0), indexing="ij")
    pixels = torch.stack([columns, rows], dim=-1).view(-1, 2)
    rays = rays_through(pixels, golden["pose"], focal=30.0, centre=(5.5, 6.0))
    assert difference(rays.origins, golden["rays_origin"].view(-1, 3)) < 1e-4
    assert difference(rays.directions, golden["rays_direction"].view(-1, 3)) < 1e-4
    some = Rays(rays.origins[40:48], rays.directions[40:48])
    fine = nn.Module()
    fine.fine = Field()
    made = rendered(
        some,
        golden["background"].view(-1, 3)[40:48],
        golden["audio_smoothed"],
        Sampling(0.55, 1.15),
        coarse=filled(shared, Field()),
        fine=filled(shared, fine).fine,
    )
    # Where a ray saw nothing, a rounding error of its weights moves a sample by much of a cell, and
    # ten octaves of sines show it: the official values differ by 0.002 from those in float64.
    off = (made.raw - golden["render_raw"]).abs().amax(-1) / golden["render_raw"].abs().max()
    assert float((off > 1e-4).float().mean()) < 0.01
    assert float(off.max()) < 2e-3
    assert difference(made.fine.colour, golden["render_rgb_map"]) < 1e-4
    assert difference(made.coarse.colour, golden["render_rgb0"]) < 1e-4
    assert difference(made.fine.opacity, golden["render_acc_map"]) < 1e-4
    assert difference(made.fine.disparity, golden["render_disp_map"]) < 1e-4
    assert difference(made.fine.last_weight, golden["render_last_weight"]) < 1e-4
    assert difference(made.spread, golden["render_z_std"]) < 1e-4


@pytest.mark.shared
def test_volume_integral_equals_the_official_one(golden: dict[str, Tensor]) -> None:
    depths = golden["vr_z"]
    lengths = golden["vr_direction"].norm(dim=-1)
    made = integrated(golden["vr_raw"], depths, lengths, golden["vr_background"])
    assert difference(made.colour, golden["vr_rgb"]) < 1e-4
    assert difference(made.disparity, golden["vr_disparity"]) < 1e-4
    assert difference(made.opacity, golden["vr_opacity"]) < 1e-4
    assert difference(made.weights, golden["vr_weights"]) < 1e-4
    assert difference(made.depth, golden["vr_depth"]) < 1e-4
    assert difference(made.foreground, golden["vr_foreground"]) < 1e-4
    middles = 0.5 * (depths[:, 1:] + depths[:, :-1])
    places = torch.linspace(0.0, 1.0, 16).expand(6, -1)
    found = drawn_from(middles, golden["vr_weights"][:, 1:-1], places)
    assert difference(found, golden["pdf_samples"]) < 1e-4


def test_a_ray_through_nothing_sees_the_background_and_through_a_wall_the_wall() -> None:
    def field(points: Tensor, _directions: Tensor, _signal: Tensor) -> Tensor:
        wall = (points[:, 2] < -1.0).float()
        red = torch.tensor([20.0, -20.0, -20.0]).expand(len(points), -1)
        return torch.cat([red, (1000.0 * wall - 1.0)[:, None]], dim=-1)

    pixels = torch.tensor([[0.0, 0.0], [3.0, 1.0]])
    pose = torch.eye(4)
    rays = rays_through(pixels, pose, focal=4.0, centre=(0.0, 0.0))
    assert torch.allclose(rays.directions[1], torch.tensor([0.75, -0.25, -1.0]))
    blue, silence = torch.tensor([[0.0, 0.0, 1.0]] * 2), torch.zeros(1)
    free = rendered(rays, blue, silence, Sampling(0.1, 0.9, 16, 8), coarse=field)
    assert torch.allclose(free.fine.colour, blue, atol=1e-4)
    random = torch.Generator().manual_seed(1)
    wall = rendered(rays, blue, silence, Sampling(0.1, 2.0, 16, 8), coarse=field, random=random)
    assert torch.allclose(wall.fine.colour, torch.tensor([[1.0, 0.0, 0.0]] * 2), atol=1e-4)
    assert float(wall.fine.depth[0]) == pytest.approx(1.0, abs=0.15)
    # A head is what shines through its torso.
    head = torch.tensor([[0.0, 1.0, 0.0]] * 2)
    assert torch.allclose(composed(head, free.fine), head, atol=1e-4)


def test_a_small_field_learns_with_every_weight_but_the_one_that_is_never_used() -> None:
    size = FieldSize(signal=16, depth=5, width=96, again_after=2, views=1, position=7, direction=2)
    field, ears, memory = Field(size), AudioNet(32), AudioAttNet()
    heard = memory(ears(torch.randn(8, 16, 29)))[:16]
    field(torch.randn(32, 3), torch.randn(32, 3), heard).square().mean().backward()
    unused = [n for n, x in field.named_parameters() if x.grad is None or not x.grad.any()]
    assert unused == ["feature_linear.weight", "feature_linear.bias"]
    for network in (ears, memory):
        assert all(x.grad is not None and x.grad.any() for x in network.parameters())
