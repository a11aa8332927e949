"""Weights from files: official checkpoints, this project's own, and files that are not right."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bench.ground.errors import BenchError
from bench.networks.checkpoints import load_weights
from bench.networks.discriminator import Discriminator
from bench.networks.sync_expert import Expert
from methods.wav2lip.generator import Generator

SMALL = 1 / 6


def official(network: torch.nn.Module) -> dict[str, object]:
    """A checkpoint as Wav2Lip's training writes it."""
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    return {"state_dict": state, "optimizer": None, "global_step": 3, "global_epoch": 1}


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("make", [Generator, Expert, Discriminator])
def test_checkpoints_of_the_official_form_load(
    tmp_path: Path, make: type[Generator | Expert | Discriminator], is_zip: bool
) -> None:
    trained, network = make(width=SMALL), make(width=SMALL)
    path = tmp_path / "weights.pth"
    torch.save(official(trained), path, _use_new_zipfile_serialization=is_zip)
    load_weights(network, path)
    for name, tensor in trained.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor), name


def test_half_precision_safetensors_load_as_float32(tmp_path: Path) -> None:
    trained, network = Generator(width=SMALL), Generator(width=SMALL)
    state = {n: x.half() if x.is_floating_point() else x for n, x in trained.state_dict().items()}
    save_file(state, tmp_path / "small.safetensors")
    load_weights(network, tmp_path / "small.safetensors")
    weight = network.output_block[1].weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, trained.output_block[1].weight.half().float())
    assert (tmp_path / "small.safetensors").stat().st_size <= 2_500_000


@pytest.mark.parametrize(
    ("held", "wanted", "words"),
    [
        (
            Generator(width=1 / 4),
            Generator(width=SMALL),
            ["generator of 88 channels", "generator of 128 channels"],
        ),
        (
            Generator(width=SMALL),
            Generator(width=SMALL, audio="fused", attention="both"),
            ["audio fused, attention channel+spatial", "audio mel, attention none"],
        ),
        (
            Generator(width=SMALL, audio="mfcc", attention="spatial"),
            Generator(width=SMALL, attention="channel"),
            ["audio mel, attention channel", "audio mfcc, attention spatial"],
        ),
        (
            Generator(width=SMALL, audio_channel=True),
            Generator(width=SMALL),
            ["face_encoder_blocks.0.0.conv_block.0.weight should be (16, 6, 7, 7) and is (16, 7"],
        ),
        (Expert(width=SMALL), Generator(width=SMALL), ["expected a generator", "found an expert"]),
        (
            Discriminator(width=SMALL),
            Expert(width=SMALL),
            ["expected an expert", "found a discriminator of 88"],
        ),
        (torch.nn.Linear(2, 3), Expert(width=SMALL), ["found 2 tensors of another network"]),
    ],
)
def test_weights_of_another_kind_name_file_expected_and_found(
    tmp_path: Path, held: torch.nn.Module, wanted: torch.nn.Module, words: list[str]
) -> None:
    path = tmp_path / "other.pth"
    torch.save(held.state_dict(), path)
    before = {name: tensor.clone() for name, tensor in wanted.state_dict().items()}
    with pytest.raises(BenchError) as caught:
        load_weights(wanted, path)
    for word in [str(path), "expected", "found", *words]:
        assert word in str(caught.value)
    assert all(torch.equal(before[n], x) for n, x in wanted.state_dict().items())


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_files_say_so(tmp_path: Path, form: str, share: float) -> None:
    network = Expert(width=1 / 32)
    path = tmp_path / ("cut.safetensors" if form == "safetensors" else "cut.pth")
    if form == "safetensors":
        save_file(network.state_dict(), path)
    else:
        torch.save(official(network), path, _use_new_zipfile_serialization=form == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BenchError, match=r"bytes cannot be read as weights.*truncated") as caught:
        load_weights(network, path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_of_something_else_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"page{suffix}"
    path.write_text("<html>Too many requests</html>")
    with pytest.raises(BenchError, match="cannot be read as weights"):
        load_weights(Expert(width=SMALL), path)


@pytest.mark.parametrize(
    ("content", "found"),
    [([1, 2], "found list"), ({"epoch": 3}, "found int under 'epoch'"), ({}, "found dict")],
)
def test_checkpoints_without_tensors_are_refused(
    tmp_path: Path, content: object, found: str
) -> None:
    path = tmp_path / "odd.pth"
    torch.save(content, path)
    with pytest.raises(BenchError, match=found):
        load_weights(Expert(width=SMALL), path)


def test_a_pickle_that_would_run_code_is_not_opened(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "touched",)  # type: ignore[return-value]

    torch.save({"state_dict": Runs()}, tmp_path / "evil.pth")
    with pytest.raises(BenchError, match="cannot be read as weights"):
        load_weights(Expert(width=SMALL), tmp_path / "evil.pth")
    assert not (tmp_path / "touched").exists()


def test_missing_file_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no such file; `bench weights"):
        load_weights(Expert(width=SMALL), tmp_path / "none.pth")
