"""Generators written by a training and read by a method: the same network, or a clear refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from bench.ground.errors import BenchError
from methods.wav2lip.checkpoints import load_generator, save_generator
from methods.wav2lip.generator import Generator
from methods.wav2lip.variants import VARIANTS, Variant

SMALL = 1 / 16


def generator(variant: Variant, width: float = SMALL) -> Generator:
    return Generator.of(variant, width=width)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "wav2lip.safetensors"
    torch.manual_seed(0)
    save_generator(
        generator(VARIANTS[0]),
        path,
        variant=VARIANTS[0],
        width=SMALL,
        lead=1,
        seed=3,
        trained_on="nothing",
    )
    return path


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as opened:
        return dict(opened.metadata())


def rewritten(path: Path, **changed: str) -> Path:
    save_file(load_file(path), path, {**metadata(path), **changed})
    return path


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_what_was_saved_is_loaded(tmp_path: Path, variant: Variant) -> None:
    path, network = (
        tmp_path / "new.safetensors",
        generator(variant).to(memory_format=torch.channels_last),
    )
    save_generator(
        network, path, variant=variant, width=SMALL, lead=1, seed=3, trained_on="synth-zh"
    )
    loaded, lead, colour = load_generator(path, variant)
    assert (lead, colour) == (1, "rgb")
    state = loaded.state_dict()
    for name, tensor in network.state_dict().items():
        half = tensor.half().float() if tensor.is_floating_point() else tensor
        assert torch.equal(state[name], half), name
    assert metadata(path)["trained_on"] == "synth-zh"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_official_checkpoints_are_full_width_bgr_and_hear_without_lead(tmp_path: Path) -> None:
    path = tmp_path / "wav2lip.pth"
    torch.save({"state_dict": Generator().state_dict()}, path)
    loaded = load_generator(path, VARIANTS[0])
    assert (loaded.lead, loaded.colour) == (0, "bgr")


def test_weights_of_another_variant_are_refused(written: Path) -> None:
    with pytest.raises(BenchError, match=r"variant 'm_wav2lip', found .* variant 'wav2lip'") as e:
        load_generator(written, VARIANTS[2])
    assert str(written) in str(e.value)


def test_a_width_that_is_not_the_tensors_is_refused(written: Path) -> None:
    from bench.networks.checkpoints import tensors_digest
    from methods.wav2lip import checkpoints

    described = {**metadata(written), "width": "0.25"}
    kept = {name: described[name] for name in checkpoints.DESCRIBED}
    digest = tensors_digest(load_file(written), kept)
    rewritten(written, width="0.25", sha256=digest)
    with pytest.raises(BenchError, match=r"expected a generator of 128 .*found a generator of 32"):
        load_generator(written, VARIANTS[0])


@pytest.mark.parametrize("key", ["lead", "seed", "trained_on", "sha256"])
def test_changed_metadata_are_noticed(written: Path, key: str) -> None:
    was = metadata(written)["sha256"]
    rewritten(written, **{key: "0"})
    with pytest.raises(BenchError, match=r"expected the digest .*, found .*damaged") as caught:
        load_generator(written, VARIANTS[0])
    assert was in str(caught.value)


def test_one_changed_bit_is_noticed(written: Path) -> None:
    data = bytearray(written.read_bytes())
    data[-100] ^= 1
    written.write_bytes(data)
    with pytest.raises(BenchError, match=r"expected the digest .*, found .*damaged"):
        load_generator(written, VARIANTS[0])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.9])
def test_truncated_files_say_so(written: Path, share: float) -> None:
    whole = written.read_bytes()
    written.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BenchError, match=r"cannot be read as weights .*truncated"):
        load_generator(written, VARIANTS[0])


def test_files_without_metadata_are_refused(written: Path) -> None:
    save_file(load_file(written), written)
    with pytest.raises(BenchError, match=r"with metadata network, variant.*, found none"):
        load_generator(written, VARIANTS[0])


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"none\.safetensors: no such file"):
        load_generator(tmp_path / "none.safetensors", VARIANTS[0])


def test_a_diverged_network_does_not_replace_the_last_good_file(written: Path) -> None:
    network = generator(VARIANTS[0])
    with torch.no_grad():
        network.output_block[1].weight.fill_(1e6)
    before = written.read_bytes()
    with pytest.raises(BenchError, match=r"output_block\.1\.weight .*diverged"):
        save_generator(
            network, written, variant=VARIANTS[0], width=SMALL, lead=0, seed=0, trained_on=""
        )
    assert written.read_bytes() == before
