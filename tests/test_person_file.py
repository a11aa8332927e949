"""Files of persons: small, the same bytes each time, exact to the step of their scales."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import bench
from bench.files.tensor_files import named_tensors
from bench.networks.checkpoints import metadata
from methods.adnerf.method import ADNeRF
from methods.radiance.person_file import SCALE, load_person, save_person
from methods.saliency_portrait.method import RegionSaliency

DESCRIBED = {"network": "made", "person": "ann"}
MOST = 12_000_000  # bytes of all that ship
HALF_A_STEP = (
    0.65  # with what half precision takes of a number and of its scale, 1/16 of a step each
)


class Made(nn.Module):
    """One tensor of each kind that a portrait has."""

    plane: torch.Tensor
    there: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        draw = torch.Generator().manual_seed(1)
        plane = torch.randn(3, 2, 8, 8, generator=draw)
        plane[1, 1] = 0.0
        plane[2] *= 100
        self.plane = nn.Parameter(plane)
        self.layer = nn.Linear(40, 3)
        self.codes = nn.Parameter(torch.randn(2, 4, generator=draw))
        self.register_buffer("there", torch.rand(3, 5, 11, generator=draw) > 0.5)


@pytest.fixture(autouse=True)
def own_seed() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


def test_a_person_comes_back_exact_to_half_a_step_of_its_channel(tmp_path: Path) -> None:
    made, back, path = Made(), Made(), tmp_path / "person.safetensors"
    with torch.no_grad():
        for each in back.parameters():
            each.zero_()
        back.there.zero_()
    save_person(made, path, DESCRIBED)
    load_person(back, path)
    step = made.plane.detach().abs().amax((2, 3), keepdim=True) / 127
    assert ((back.plane - made.plane).abs() <= HALF_A_STEP * step + 1e-7).all()
    step = made.layer.weight.detach().abs().amax(1, keepdim=True) / 127
    assert ((back.layer.weight - made.layer.weight).abs() <= HALF_A_STEP * step).all()
    assert torch.equal(back.codes, made.codes.half().float())
    assert torch.equal(back.there, made.there)
    kept = named_tensors(path)
    assert kept["plane"].dtype == kept["layer.weight"].dtype == torch.int8
    assert kept["there"].shape == (3, 5, 2)
    assert "codes" + SCALE not in kept


def test_the_same_person_gives_the_same_bytes(tmp_path: Path) -> None:
    made = Made()
    paths = [tmp_path / f"{name}.safetensors" for name in "ab"]
    for path in paths:
        save_person(made, path, DESCRIBED)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_damaged_and_foreign_files_are_refused_and_change_nothing(tmp_path: Path) -> None:
    made, path = Made(), tmp_path / "person.safetensors"
    save_person(made, path, DESCRIBED)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    before = made.plane.detach().clone()
    with pytest.raises(bench.BenchError, match="The file is damaged"):
        load_person(made, path)
    save_person(nn.Linear(40, 3), path, DESCRIBED)
    with pytest.raises(bench.BenchError, match="plane is missing"):
        load_person(made, path)
    assert torch.equal(made.plane, before)
    with torch.no_grad():
        made.codes[0, 0] = 1e9
    with pytest.raises(bench.BenchError, match="codes has values that are not finite"):
        save_person(made, path, DESCRIBED)


SHIPPED = [
    pytest.param(method, path, id=f"{method.name}-{path.stem}")
    for method in (ADNeRF, RegionSaliency)
    for path in sorted(method.shipped.glob("*.safetensors"))
]


@pytest.mark.parametrize(("method", "path"), SHIPPED)
def test_a_person_that_ships_opens_with_the_options_as_they_are_by_default(
    method: type[ADNeRF] | type[RegionSaliency], path: Path
) -> None:
    assert path.stat().st_size < 600_000
    fresh = method(method.Options())
    assert fresh._decided("small").items() <= metadata(path).items()
    fresh._read(path)


def test_all_persons_that_ship_together_stay_small() -> None:
    sizes = [
        path.stat().st_size
        for method in (ADNeRF, RegionSaliency)
        for path in method.shipped.glob("*.safetensors")
    ]
    assert len(sizes) >= 2
    assert sum(sizes) <= MOST
