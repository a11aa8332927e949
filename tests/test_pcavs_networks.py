"""PC-AVS's networks: published names, shapes and parameters; equal to the reference."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from methods.pcavs.face import FaceEncoder
from methods.pcavs.generator import Generator, ModulatedConv, Noise
from methods.pcavs.identity import IdentityEncoder
from methods.pcavs.judge import Judge
from methods.pcavs.networks import style_of
from methods.pcavs.speech import SpeechEncoder
from tests.golden import difference, golden_values
from tests.small_weights import filled

PARTS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "identity": (IdentityEncoder, 38_023_662),
    "audio_sync": (SpeechEncoder, 10_364_434),
    "audio_identity": (lambda: SpeechEncoder(is_of_voice=True), 40_955_410),
    "face_encoder": (FaceEncoder, 14_285_643),
    "generator": (Generator, 89_570_205),
    "discriminator": (Judge, 5_527_682),
}


def filled_generator() -> Generator:
    """The generator with the stand-in values of golden/README_2D.md."""
    network = Generator()
    state = network.state_dict()
    for name, tensor in state.items():
        if name.endswith("kernel"):
            continue
        draw = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(tuple(tensor.shape))
        if name.endswith("noise.weight"):
            draw *= 0.1
        elif name.endswith("modulation.bias"):
            draw = 1.0 + 0.1 * draw
        elif name.endswith("bias"):
            draw *= 0.1
        state[name] = torch.from_numpy(draw.astype(np.float32))
    network.load_state_dict(state)
    return network.eval()


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Tensor]:
    return golden_values(shared, "pcavs")


@pytest.fixture(scope="module")
def pictures(shared: Path) -> Tensor:
    """The clip's frames, (T, 3, 224, 224) RGB in [-1, 1]."""
    with np.load(shared / "golden" / "clip.npz") as arrays:
        frames = arrays["frames_bgr"][..., ::-1]
    return torch.from_numpy(frames / np.float32(127.5) - 1).permute(0, 3, 1, 2).contiguous()


@pytest.mark.parametrize("part", PARTS)
def test_full_width_has_the_published_number_of_parameters(part: str) -> None:
    make, parameters = PARTS[part]
    with torch.device("meta"):
        network = make()
    assert sum(x.numel() for x in network.parameters()) == parameters


@pytest.mark.shared
@pytest.mark.parametrize("part", PARTS)
def test_state_dict_has_the_published_names_and_shapes(shared: Path, part: str) -> None:
    with torch.device("meta"):
        state = PARTS[part][0]().state_dict()
    names = [f"{name} {tuple(tensor.shape)}" for name, tensor in state.items()]
    file = shared / "golden" / f"names_pcavs_{part}.txt"
    assert names == file.read_text(encoding="utf-8").splitlines()


@pytest.mark.shared
@torch.no_grad()
def test_identity_encoder_equals_the_reference(
    golden: dict[str, Tensor], pictures: Tensor, shared: Path
) -> None:
    network = IdentityEncoder()
    filled(shared, network)
    found = network(pictures[int(golden["reference_index"])][None])
    assert difference(found.vector, golden["identity_vector"]) < 1e-4
    assert difference(found.map, golden["identity_map"]) < 1e-4
    scores = network.scores(found.vector)[:, :64]
    assert difference(scores, golden["identity_scores_head"]) < 1e-4


@pytest.mark.shared
@torch.no_grad()
def test_speech_encoder_equals_the_reference(golden: dict[str, Tensor], shared: Path) -> None:
    network = SpeechEncoder()
    filled(shared, network)
    assert difference(network(golden["mel_windows"]), golden["audio_feature"]) < 1e-4


@pytest.mark.shared
@torch.no_grad()
def test_face_encoder_and_style_equal_the_reference(
    golden: dict[str, Tensor], pictures: Tensor, shared: Path
) -> None:
    network = FaceEncoder()
    filled(shared, network)
    feature = network(pictures[golden["pose_index"]])
    mouth, pose = network.mouth(feature), network.pose(feature)
    assert difference(feature, golden["face_feature"]) < 1e-4
    assert difference(mouth, golden["mouth_feature"]) < 1e-4
    assert difference(network.to_headpose(feature), golden["headpose_feature"]) < 1e-4
    assert difference(pose, golden["headpose_embed"]) < 1e-4
    who = golden["identity_vector"]
    said = network.mouth_style(1.2 * golden["audio_feature"])
    assert difference(style_of(who, said, pose), golden["style_audio"]) < 1e-4
    shown = network.mouth_style(mouth)
    assert difference(style_of(who, shown, pose), golden["style_video"]) < 1e-4


@pytest.mark.shared
@torch.no_grad()
def test_generator_equals_the_reference(golden: dict[str, Tensor]) -> None:
    network = filled_generator()
    start = golden["identity_map"].expand(2, -1, -1, -1)
    found = network(golden["style_audio"], start)
    assert difference(found, golden["image"]) < 1e-4
    constant = network(golden["style_audio"][:1])[..., ::4, ::4]
    assert difference(constant, golden["image_constant_input"]) < 1e-4


@pytest.mark.shared
@torch.no_grad()
def test_discriminator_equals_the_reference(
    golden: dict[str, Tensor], pictures: Tensor, shared: Path
) -> None:
    network = Judge()
    filled(shared, network)
    found = network(pictures[int(golden["reference_index"])][None])
    for scale in range(2):
        assert difference(found[scale][-1], golden[f"discriminator_{scale}"]) < 1e-4
    layer = found[0][1][:, ::16]
    assert difference(layer, golden["discriminator_0_layer2"]) < 1e-4


@torch.no_grad()
def test_modulation_equals_weights_scaled_for_each_sample() -> None:
    torch.manual_seed(0)
    network = ModulatedConv(3, 5, 3, style=4)
    x, style = torch.randn(2, 3, 6, 6), torch.randn(2, 4)
    found = network(x, style)
    for sample in range(2):
        factors = network.modulation(style[sample])
        weight = network.weight[0] / 27**0.5 * factors[None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected = nn.functional.conv2d(x[sample][None], weight, padding=1)
        assert torch.allclose(found[sample], expected[0], atol=1e-5)


@torch.no_grad()
def test_generator_makes_pictures_of_any_start_and_noise_only_when_asked() -> None:
    torch.manual_seed(0)
    network = Generator(channels=(8, 8, 4), style=6, start=3)
    for module in network.modules():
        if isinstance(module, Noise):
            module.weight.fill_(1.0)
    style, start = torch.randn(2, 6), torch.randn(2, 8, 3, 3)
    first = network(style, start)
    assert first.shape == (2, 3, 12, 12)
    assert bool((first.abs() <= 1).all())
    assert torch.equal(network(style, start), first)
    drawn = [network(style, start, random=torch.Generator().manual_seed(n)) for n in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.allclose(drawn[0], drawn[2], atol=1e-3)
