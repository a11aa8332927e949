"""ATVGnet's networks: equal to the official ones, their names, their small sizes, their memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from methods.atvg.judge import Judge, JudgeSize
from methods.atvg.layers import ConvolutionalGRU
from methods.atvg.pictures import SMALL_PICTURES, LandmarksToPictures
from methods.atvg.speech import SMALL_SPEECH, SingleWindow, SpeechToLandmarks
from tests.golden import difference, golden_values
from tests.small_weights import filled

OFFICIAL: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "at_net": (SpeechToLandmarks, 30_071_750, 52),
    "at_single": (SingleWindow, 27_833_862, 16),
    "vg_net": (LandmarksToPictures, 58_355_781, 206),
    "gl_discriminator": (Judge, 21_491_473, 46),
}


@pytest.fixture(autouse=True)
def one_seed() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Tensor]:
    return golden_values(shared, "atvg")


def seen_as(pictures: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 as the networks take them."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_published_size_has_the_published_number_of_parameters(name: str) -> None:
    make, parameters, tensors = OFFICIAL[name]
    with torch.device("meta"):
        network = make()
    assert sum(each.numel() for each in network.parameters()) == parameters
    assert len(network.state_dict()) == tensors


@pytest.mark.shared
@pytest.mark.parametrize("name", OFFICIAL)
def test_names_and_shapes_are_the_published_ones(shared: Path, name: str) -> None:
    with torch.device("meta"):
        state = OFFICIAL[name][0]().state_dict()
    found = [f"{each} {tuple(tensor.shape)}" for each, tensor in state.items()]
    listed = shared / "golden" / f"names_atvg_{name}.txt"
    assert found == listed.read_text(encoding="utf-8").splitlines()


@pytest.mark.shared
@torch.no_grad()
def test_speech_networks_equal_the_official_ones(shared: Path, golden: dict[str, Tensor]) -> None:
    network = filled(shared, SpeechToLandmarks())
    made = network(golden["at_example"], golden["at_audio"])
    assert difference(made, golden["at_net"]) < 1e-4
    single = filled(shared, SingleWindow())
    assert difference(single(golden["at_audio"][0]), golden["at_single"]) < 1e-4


@pytest.mark.shared
@torch.no_grad()
def test_pictures_equal_the_official_ones(shared: Path, golden: dict[str, Tensor]) -> None:
    network = filled(shared, LandmarksToPictures())
    assert isinstance(network, LandmarksToPictures)
    stills = seen_as(golden["vg_image"])
    moving, example = golden["vg_landmarks"], golden["vg_example"]
    seen = network.see(stills[:1], moving[:1], example[:1])
    assert difference(seen.squeezed, golden["vg_gru_input"]) < 1e-4
    remembered = network.convGRU(seen.squeezed, "none")
    assert difference(remembered[:, :, ::8], golden["vg_gru_output"]) < 1e-4
    made = network.paint(stills[:1], seen, remembered)
    assert difference(made.pictures, golden["vg_output"]) < 1e-4
    assert difference(made.colour, golden["vg_colour"]) < 1e-4
    assert difference(made.attention, golden["vg_attention"]) < 1e-4
    assert difference(made.landmark_attention, golden["vg_landmark_attention"]) < 1e-4
    # Both clips: the official state runs over the batch, as ours does over time.
    both = network.see(stills, moving, example)
    over_batch = network.convGRU(both.squeezed.transpose(0, 1), "time").transpose(0, 1)
    pictures = network.paint(stills, both, over_batch).pictures
    assert difference(pictures[1], golden["vg_batch_second"]) < 1e-4
    alone = network.paint(stills, both, network.convGRU(both.squeezed, "none")).pictures
    assert difference(alone[1, :1], golden["vg_alone_second"]) < 1e-4
    assert difference(pictures[1, :1], golden["vg_alone_second"]) > 1e-3


@pytest.mark.shared
@torch.no_grad()
def test_judge_equals_the_official_one(shared: Path, golden: dict[str, Tensor]) -> None:
    network = filled(shared, Judge())
    decision, landmarks = network(seen_as(golden["gl_frames"])[None], golden["vg_example"][:1])
    assert difference(decision, golden["gl_decision"]) < 1e-4
    assert difference(landmarks, golden["gl_landmarks"]) < 1e-4


def test_small_networks_learn_with_every_weight() -> None:
    speech = SpeechToLandmarks(SMALL_SPEECH)
    pictures = LandmarksToPictures(SMALL_PICTURES, recurrence="time")
    counts = [sum(each.numel() for each in network.parameters()) for network in (speech, pictures)]
    assert counts == [407_030, 813_209]
    coefficients = speech(torch.randn(2, 6), torch.randn(2, 3, 28, 12))
    assert coefficients.shape == (2, 3, 6)
    made = pictures(torch.rand(2, 3, 96, 96), torch.randn(2, 3, 136), torch.randn(2, 136))
    assert made.pictures.shape == made.colour.shape == (2, 3, 3, 96, 96)
    assert made.attention.shape == (2, 3, 1, 96, 96)
    (coefficients.square().mean() + made.pictures.square().mean()).backward()
    for network in (speech, pictures):
        assert [
            n for n, x in network.named_parameters() if x.grad is None or not x.grad.any()
        ] == []


def test_a_small_judge_takes_any_number_of_frames() -> None:
    size = JudgeSize(side=96, points=46, channels=(16, 16, 32, 32), known=(32, 64), memory=32)
    judge = Judge(size)
    decision, landmarks = judge(torch.rand(2, 5, 3, 96, 96), torch.randn(2, 92))
    assert decision.shape == (2,)
    assert bool(((decision > 0) & (decision < 1)).all())
    assert landmarks.shape == (2, 5, 92)


@torch.no_grad()
def test_only_the_recurrent_memory_hears_the_past() -> None:
    memory = ConvolutionalGRU(4, 8)
    x = torch.randn(1, 4, 4, 6, 6)
    backwards = torch.arange(3, -1, -1)
    alone = memory(x, "none")
    assert torch.allclose(memory(x[:, backwards], "none")[:, backwards], alone)
    over_time = memory(x, "time")
    assert torch.allclose(over_time[:, 0], alone[:, 0])
    assert not torch.allclose(over_time[:, 3], alone[:, 3], atol=1e-3)
    # Frames to come change nothing.
    assert torch.allclose(memory(x[:, :2], "time"), over_time[:, :2])


def test_a_side_that_does_not_halve_four_times_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match="multiple of 16, got 100"):
        LandmarksToPictures(replace(SMALL_PICTURES, side=100))
