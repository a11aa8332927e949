"""Generator, expert, discriminator, attention: equal to the reference; the seven settings."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.networks.audio import HEIGHTS, AudioKind
from bench.networks.discriminator import Discriminator
from bench.networks.folding import folded
from bench.networks.layers import scaled
from bench.networks.sync_expert import Expert, mouth_windows, probability
from methods.wav2lip.alignment import AdaptiveNorm, FourierConvolution, SpectralTransform
from methods.wav2lip.attention import (
    Attention,
    ChannelAttention,
    ResidualAttention,
    SpatialAttention,
)
from methods.wav2lip.generator import Generator
from methods.wav2lip.variants import ABLATION, LPIPS_ATTNWAV2LIP, VARIANTS, Variant

SMALL = 1 / 6
PARAMETERS = {"generator": 36_298_035, "expert": 16_435_072, "discriminator": 14_113_793}


@pytest.fixture(autouse=True)
def one_seed() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def of_variant(variant: Variant, *, width: float = SMALL) -> Generator:
    return Generator.of(variant, width=width)


def with_lived_in_norms(network: nn.Module) -> nn.Module:
    """Gives every BatchNorm statistics and weights as after training, so that folding matters."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
    return network.eval()


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """Relative to the largest absolute value expected."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


# The reference


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Tensor]:
    with np.load(shared / "golden" / "wav2lip.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays}


@pytest.fixture(scope="module")
def fill(shared: Path) -> Callable[[nn.Module], nn.Module]:
    spec = importlib.util.spec_from_file_location(
        "fill_weights", shared / "golden" / "fill_weights.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    filled: Callable[[nn.Module], nn.Module] = module.fill
    return filled


@pytest.mark.parametrize(
    ("make", "part"),
    [(Generator, "generator"), (Expert, "expert"), (Discriminator, "discriminator")],
)
def test_full_width_has_the_published_number_of_parameters(
    make: Callable[[], nn.Module], part: str
) -> None:
    with torch.device("meta"):
        network = make()
    assert sum(x.numel() for x in network.parameters()) == PARAMETERS[part]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("make", "file"),
    [
        (Generator, "names_wav2lip.txt"),
        (Expert, "names_wav2lip_syncnet.txt"),
        (Discriminator, "names_wav2lip_discriminator.txt"),
        (lambda: Discriminator(instance_norm=True), "names_wav2lip_discriminator.txt"),
    ],
)
def test_state_dict_has_the_published_names_and_shapes(
    shared: Path, make: Callable[[], nn.Module], file: str
) -> None:
    with torch.device("meta"):
        state = make().state_dict()
    names = [f"{name} {tuple(tensor.shape)}" for name, tensor in state.items()]
    assert names == (shared / "golden" / file).read_text(encoding="utf-8").splitlines()


@pytest.mark.shared
@torch.no_grad()
def test_generator_equals_the_reference_folded_or_not(
    golden: dict[str, Tensor], fill: Callable[[nn.Module], nn.Module]
) -> None:
    network = fill(Generator())
    inputs = golden["mel_windows"], golden["face"]
    assert largest_difference(network(*inputs), golden["generator"]) < 1e-4
    assert largest_difference(folded(network)(*inputs), golden["generator"]) < 1e-4


@pytest.mark.shared
@torch.no_grad()
def test_expert_equals_the_reference(
    golden: dict[str, Tensor], fill: Callable[[nn.Module], nn.Module], shared: Path
) -> None:
    heard, seen = fill(Expert())(golden["mel_windows"][:, 0], golden["sync_window"])
    assert largest_difference(heard, golden["sync_audio"]) < 1e-4
    assert largest_difference(seen, golden["sync_face"]) < 1e-4
    expected = json.loads((shared / "golden" / "expected.json").read_text(encoding="utf-8"))
    cosine = expected["wav2lip"]["cosine"]
    assert float(probability(heard, seen)) == pytest.approx(cosine, rel=1e-4)


@pytest.mark.shared
@torch.no_grad()
def test_discriminator_and_mouth_windows_equal_the_reference(
    golden: dict[str, Tensor], fill: Callable[[nn.Module], nn.Module], shared: Path
) -> None:
    import cv2

    with np.load(shared / "golden" / "clip.npz") as arrays:
        frames = [cv2.resize(frame, (96, 96)) for frame in arrays["frames_bgr"][10:15]]
    faces = torch.from_numpy(np.stack(frames)).float().div(255).permute(3, 0, 1, 2)[None]
    assert largest_difference(mouth_windows(faces), golden["sync_window"]) < 1e-6
    real = fill(Discriminator())(faces)
    assert largest_difference(real, golden["discriminator"]) < 1e-4


# The seven settings


def test_the_table_is_the_papers() -> None:
    assert [(v.title, v.audio, v.attention) for v in ABLATION] == [
        ("Wav2Lip", "mel", "none"),
        ("MFCC-Wav2Lip", "mfcc", "none"),
        ("M-Wav2Lip", "fused", "none"),
        ("CAT-Wav2Lip", "mel", "channel"),
        ("SAT-Wav2Lip", "mel", "spatial"),
        ("CSA-Wav2Lip", "mel", "both"),
        ("M-CSAWav2Lip", "fused", "both"),
    ]
    assert len({variant.name for variant in VARIANTS}) == 8


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_weight_of_every_variant_learns(variant: Variant) -> None:
    network = of_variant(variant)
    audio = torch.randn(1, 3, 1, HEIGHTS[variant.audio], 16)
    faces = network(audio, torch.rand(1, 6, 3, 96, 96))
    assert faces.shape == (1, 3, 3, 96, 96)
    assert bool(((faces >= 0) & (faces <= 1)).all())
    faces.square().mean().backward()
    unmoved = [n for n, x in network.named_parameters() if x.grad is None or not x.grad.any()]
    # A bias before BatchNorm has no effect, and its gradient may round to zero.
    assert [name for name in unmoved if not name.endswith("conv_block.0.bias")] == []


@pytest.mark.parametrize("kind", list(HEIGHTS))
def test_expert_hears_what_the_variant_hears(kind: AudioKind) -> None:
    network = Expert(audio=kind, width=SMALL)
    heard, seen = network(torch.randn(2, 1, HEIGHTS[kind], 16), torch.rand(2, 15, 48, 96))
    assert heard.shape == seen.shape == (2, scaled(512, SMALL))
    assert torch.allclose(heard.norm(dim=1), torch.ones(2))
    assert bool((heard >= 0).all())
    chance = probability(heard, seen)
    assert bool(((chance > 0) & (chance < 1)).all())
    (-chance.log()).sum().backward()
    assert all(x.grad is not None for x in network.parameters())


def test_probability_of_the_same_and_of_strangers_has_finite_logarithms() -> None:
    vectors = torch.eye(2)
    chance = probability(vectors, torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    assert chance.tolist() == pytest.approx([1.0, 0.0], abs=2e-6)
    assert bool(chance.log().isfinite().all())
    assert bool((1 - chance).log().isfinite().all())


def test_width_scales_to_multiples_of_eight() -> None:
    assert [scaled(c, SMALL) for c in (16, 32, 64, 128, 256, 512)] == [16, 16, 16, 24, 40, 88]
    assert [scaled(c, 1.0) for c in (16, 384, 512)] == [16, 384, 512]
    assert scaled(64, 0.5) == 32


def test_plain_generator_has_no_tensors_of_attention() -> None:
    assert not [name for name in Generator(width=SMALL).state_dict() if "attention" in name]
    names = list(Generator(width=SMALL, attention="both").state_dict())
    parts = (".channel.", ".spatial.")
    places = {name.split(part)[0] for name in names for part in parts if part in name}
    assert places == {"audio_attention", "face_attention.1", "face_attention.4"}


@torch.no_grad()
def test_frames_of_a_clip_are_generated_as_single_pictures_are() -> None:
    network = with_lived_in_norms(Generator(width=SMALL, attention="both"))
    audio, faces = torch.randn(2, 3, 1, 80, 16), torch.rand(2, 6, 3, 96, 96)
    together = network(audio, faces)
    alone = network(audio[1, 2][None], faces[1, :, 2][None])
    assert torch.allclose(together[1, :, 2], alone[0], atol=1e-5)


@torch.no_grad()
def test_audio_channel_carries_sound_into_the_identity_encoder() -> None:
    network = with_lived_in_norms(Generator(width=SMALL, audio="fused", audio_channel=True))
    assert network.face_encoder_blocks[0][0].conv_block[0].in_channels == 7  # type: ignore[index, union-attr]
    faces = torch.rand(1, 6, 96, 96)
    network.audio_encoder.register_forward_hook(lambda _m, _x, y: torch.zeros_like(y))
    loud, soft = torch.full((1, 1, 119, 16), 3.0), torch.full((1, 1, 119, 16), -3.0)
    assert not torch.allclose(network(loud, faces), network(soft, faces), atol=1e-3)


@pytest.mark.parametrize(
    "variant", [VARIANTS[0], ABLATION[-1], LPIPS_ATTNWAV2LIP], ids=lambda v: v.name
)
@torch.no_grad()
def test_folded_generator_equals_the_unfolded(variant: Variant) -> None:
    network = with_lived_in_norms(of_variant(variant))
    audio, faces = torch.randn(2, 1, HEIGHTS[variant.audio], 16), torch.rand(2, 6, 96, 96)
    expected = network(audio, faces)
    assert float(expected.std()) > 0.01
    for is_last in (False, True):
        ready = folded(network, channels_last=is_last)
        assert largest_difference(ready(audio, faces), expected) < 1e-5
        assert not [m for m in ready.modules() if isinstance(m, nn.BatchNorm2d)]
        assert not [x for x in ready.parameters() if x.requires_grad]
    assert [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(x.requires_grad for x in network.parameters())


@torch.no_grad()
def test_folded_expert_equals_the_unfolded() -> None:
    network = with_lived_in_norms(Expert(width=SMALL))
    audio, mouths = torch.randn(2, 1, 80, 16), torch.rand(2, 15, 48, 96)
    for found, expected in zip(folded(network)(audio, mouths), network(audio, mouths), strict=True):
        assert largest_difference(found, expected) < 1e-5


@pytest.mark.parametrize("instance_norm", [False, True])
def test_discriminator_looks_at_lower_halves_only(instance_norm: bool) -> None:
    network = Discriminator(instance_norm=instance_norm, width=SMALL)
    faces = torch.rand(2, 3, 2, 96, 96)
    real = network(faces)
    assert real.shape == (4, 1)
    other = faces.clone()
    other[:, :, :, :48] = 0.0
    assert torch.equal(network(other), real)
    assert torch.allclose(torch.sigmoid(network.logits(faces[:, :, 1])), real[2:], atol=1e-6)
    network.logits(faces).sum().backward()
    assert all(x.grad is not None for x in network.parameters())


@torch.no_grad()
def test_instance_norm_makes_the_discriminator_blind_to_contrast() -> None:
    faces = torch.rand(2, 3, 96, 96)
    for instance_norm, is_blind in ((True, True), (False, False)):
        network = Discriminator(instance_norm=instance_norm, width=SMALL)
        first = network.face_encoder_blocks[0]
        plain, faint = first(faces[:, :, 48:]), first(0.5 * faces[:, :, 48:])  # type: ignore[operator]
        inside = (slice(None), slice(None), slice(3, -3), slice(3, -3))
        assert torch.allclose(plain[inside], faint[inside], atol=0.02) == is_blind


# Attention by hand


@torch.no_grad()
def test_channel_attention_by_hand() -> None:
    attention = ChannelAttention(2)
    attention.squeeze, attention.expand = torch.nn.Conv2d(2, 2, 1), torch.nn.Conv2d(2, 2, 1)
    attention.squeeze.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]])[:, :, None, None])
    attention.squeeze.bias.copy_(torch.tensor([0.0, 0.5]))
    attention.expand.weight.copy_(torch.tensor([[1.0, 2.0], [-1.0, 0.0]])[:, :, None, None])
    attention.expand.bias.copy_(torch.tensor([0.0, 1.0]))
    x = torch.tensor([[[[1.0, 3.0]], [[4.0, -2.0]]]])  # means 2 and 1
    # squeeze: relu(2), relu(-1 + 0.5) = 2, 0; expand: 2 and -2 + 1 = -1
    weights = 1 / (1 + np.exp([-2.0, 1.0]))
    expected = np.array([[[[1.0, 3.0]], [[4.0, -2.0]]]]) * weights[None, :, None, None]
    assert np.allclose(attention(x).numpy(), expected, atol=1e-6)


@torch.no_grad()
def test_spatial_attention_by_hand() -> None:
    attention = SpatialAttention()
    attention.weigh.weight.zero_()
    attention.weigh.weight[0, 0, 3, 3] = 1.0  # the maximum at the place itself
    attention.weigh.weight[0, 1, 3, 4] = 2.0  # twice the mean at the place to the right
    attention.weigh.bias.fill_(-1.0)
    x = torch.tensor([[[[1.0, 3.0]], [[4.0, -2.0]]]])  # maxima 4, 3; means 2.5, 0.5
    weights = 1 / (1 + np.exp([-(4.0 + 2 * 0.5 - 1.0), -(3.0 + 0.0 - 1.0)]))
    expected = np.array([[[[1.0, 3.0]], [[4.0, -2.0]]]]) * weights
    assert np.allclose(attention(x).numpy(), expected, atol=1e-6)


@torch.no_grad()
def test_both_is_channel_first_then_spatial() -> None:
    attention = Attention("both", 32)
    x = torch.randn(1, 32, 5, 4)
    expected = attention.spatial(attention.channel(x))
    assert torch.equal(attention(x), expected)
    assert not torch.allclose(expected, attention.channel(attention.spatial(x)))
    assert isinstance(attention.channel, ChannelAttention)
    assert attention.channel.squeeze.out_channels == 8
    assert ChannelAttention(256).squeeze.out_channels == 16
    assert torch.equal(Attention("none", 32)(x), x)


@torch.no_grad()
def test_residual_attention_by_hand() -> None:
    block = with_lived_in_norms(ResidualAttention(32))
    assert isinstance(block, ResidualAttention)
    x = torch.randn(2, 32, 5, 4)
    seen = block.before(x)
    squeeze, expand = block.channel.squeeze, block.channel.expand
    means, largest = seen.mean((2, 3), keepdim=True), seen.amax((2, 3), keepdim=True)
    weight = sum(expand(torch.relu(squeeze(each))) for each in (means, largest))
    assert isinstance(weight, Tensor)
    attended = block.spatial(seen * torch.sigmoid(weight))
    assert torch.allclose(block(x), torch.relu(x + block.after(attended)), atol=1e-6)
    assert not torch.allclose(weight, expand(torch.relu(squeeze(means))))


# Semantic alignment


@torch.no_grad()
def test_fourier_convolution_sees_the_whole_map_by_its_global_branch_only() -> None:
    layer = with_lived_in_norms(FourierConvolution(32))
    assert isinstance(layer, FourierConvolution)
    assert layer.local == 8
    x = torch.randn(1, 32, 12, 12)
    for channel, is_far in ((3, False), (20, True)):
        other = x.clone()
        other[0, channel, 2, 2] += 5.0
        far_corner = (layer(other) - layer(x))[0, :, 9:, 9:].abs().amax((1, 2))
        assert not far_corner[:8].any()  # neighbourhoods
        assert bool((far_corner[8:] > 1e-4).any()) == is_far


@torch.no_grad()
def test_the_spectral_transform_equals_numpys() -> None:
    layer = with_lived_in_norms(SpectralTransform(4))
    assert isinstance(layer, SpectralTransform)
    x = torch.randn(2, 4, 6, 7)
    narrow = layer.narrow(x)
    spectrum = np.fft.rfft2(narrow.numpy(), norm="ortho")
    parts = torch.from_numpy(np.concatenate([spectrum.real, spectrum.imag], axis=1)).float()
    real, imaginary = np.split(layer.spectrum(parts).numpy(), 2, axis=1)
    back = np.fft.irfft2(real + 1j * imaginary, s=(6, 7), norm="ortho")
    expected = layer.widen(narrow + torch.from_numpy(back).float())
    assert torch.allclose(layer(x), expected, atol=1e-5)


@torch.no_grad()
def test_adaptive_norm_gives_the_statistics_that_the_sound_asks_for() -> None:
    norm = AdaptiveNorm(3, 5)
    sound = torch.randn(2, 5)
    made = norm(7.0 * torch.randn(2, 3, 12, 12) + 4.0, sound)
    scale, offset = norm.style(sound).chunk(2, dim=1)
    assert torch.allclose(made.mean((2, 3)), offset, atol=1e-4)
    deviation = made.std((2, 3), unbiased=False)
    assert torch.allclose(deviation, (1.0 + scale).abs(), atol=1e-4)


@torch.no_grad()
def test_lpips_attnwav2lip_ends_at_6x6_and_hears_by_alignment_only() -> None:
    with torch.device("meta"):
        full = of_variant(LPIPS_ATTNWAV2LIP, width=1.0)
    assert sum(x.numel() for x in full.parameters()) == 23_410_635
    assert len(full.face_encoder_blocks) == len(full.face_decoder_blocks) == 5
    assert list(full.alignments) == ["0", "1"]
    places = [*full.face_attention, "|", *full.decoder_attention]
    assert "".join(places) == "1234|1234"
    network = with_lived_in_norms(of_variant(LPIPS_ATTNWAV2LIP))
    assert isinstance(network, Generator)
    faces, audio = torch.rand(1, 6, 96, 96), torch.randn(2, 1, 1, 80, 16)
    assert not torch.equal(network(audio[0], faces), network(audio[1], faces))
    for norm in network.modules():
        if isinstance(norm, AdaptiveNorm):
            norm.style.weight.zero_()
    assert torch.equal(network(audio[0], faces), network(audio[1], faces))


@torch.no_grad()
def test_a_shallow_generator_without_alignment_spreads_the_sound_over_its_smallest_map() -> None:
    network = with_lived_in_norms(Generator(width=SMALL, depth=5))
    faces, audio = torch.rand(1, 6, 96, 96), torch.randn(2, 1, 1, 80, 16)
    one, other = network(audio[0], faces), network(audio[1], faces)
    assert one.shape == (1, 3, 96, 96)
    assert not torch.equal(one, other)
    with pytest.raises(ValueError, match="a depth from 5 to 7, found 4"):
        Generator(width=SMALL, depth=4)
