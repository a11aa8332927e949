"""SyncNet v2: the reference's network, laid out for fast scoring on processors.

Source: joonson/syncnet_python @ 6efbb1c, SyncNetModel.py (FIELD.md, section 4.2). The state dict
has the published names, so `syncnet_v2.model` loads. What differs is how the same values come
about: BatchNorm is folded into the weights; five frames are fifteen channels of a two-dimensional
convolution, cut from the clip a few windows at a time; arrays are channels-last; pooling comes
before ReLU, which is the same and has a quarter of the work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench import weights
from bench.types import Sound
from metrics.lse import SYNCNET_DIGEST
from metrics.lse.core import WINDOW, Crops, Embeddings, windows
from metrics.lse.mfcc import mfcc

Precision: TypeAlias = Literal["fp32", "bf16"]
Convolution: TypeAlias = Callable[[Tensor], Tensor]

DIGEST = SYNCNET_DIGEST
COLUMNS, COLUMNS_PER_FRAME = 20, 4  # cepstral columns of one window, and between two windows
GROUP = 32  # windows that go through the small layers together
DIGITS = 127  # the largest value of a signed 8-bit digit


class SyncNet(nn.Module):
    """The weights of SyncNet v2 under their published names; `SyncNetScorer` does the computing."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_flat(1, 64, (3, 3), 1),
            nn.MaxPool2d((1, 1)),
            *_flat(64, 192, (3, 3), 1),
            nn.MaxPool2d((3, 3), (1, 2)),
            *_flat(192, 384, (3, 3), 1),
            *_flat(384, 256, (3, 3), 1),
            *_flat(256, 256, (3, 3), 1),
            nn.MaxPool2d((3, 3), (2, 2)),
            *_flat(256, 512, (5, 4), 0),
        )
        self.netfcaud = _head()
        self.netfclip = _head()
        self.netcnnlip = nn.Sequential(
            *_deep(3, 96, (5, 7, 7), 2, 0),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_deep(96, 256, (1, 5, 5), 2, 1),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_deep(256, 256, (1, 3, 3), 1, 1),
            *_deep(256, 256, (1, 3, 3), 1, 1),
            *_deep(256, 256, (1, 3, 3), 1, 1),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_deep(256, 512, (1, 6, 6), 1, 0),
        )


def _flat(inputs: int, outputs: int, kernel: tuple[int, int], padding: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=padding)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def _deep(
    inputs: int, outputs: int, kernel: tuple[int, int, int], stride: int, padding: int
) -> list[nn.Module]:
    strides, paddings = (1, stride, stride), (0, padding, padding)
    convolution = nn.Conv3d(inputs, outputs, kernel, stride=strides, padding=paddings)
    return [convolution, nn.BatchNorm3d(outputs), nn.ReLU()]


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024))


@dataclass(frozen=True)
class _Layer:
    """A convolution or linear layer with its BatchNorm folded in."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        return functional.conv2d(x, self.weight, self.bias, stride, padding)

    def linear(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight, self.bias)

    def over_the_whole_picture(self) -> _Layer:
        """The same as a linear layer on flattened channels-last pictures of the kernel's size."""
        return _Layer(self.weight.permute(0, 2, 3, 1).flatten(1).contiguous(), self.bias)


class SyncNetScorer:
    """Embeds windows of a clip with SyncNet v2, (N, 1024) each; see metrics.lse.core.Scorer.

    net: with its weights. precision: "bf16" computes the convolutions in bfloat16, faster where the
    processor has instructions for it and slightly off (docs/metrics.md states by how much).
    batch: windows that go through the two large layers together; changes speed, not values.
    integers: whether the first layer may use 8-bit integer instructions, see `_first_layer`.
    """

    name = "syncnet_v2"
    front_ends = frozenset({"lrs", "tracked"})

    def __init__(
        self,
        net: SyncNet,
        *,
        digest: str = DIGEST,
        device: str = "cpu",
        precision: Precision = "fp32",
        batch: int = 4,
        integers: bool = True,
    ) -> None:
        self.digest = digest
        self._device = torch.device(device)
        self._type = torch.bfloat16 if precision == "bf16" else torch.float32
        self._batch = batch
        lip = [self._ready(*_folded(net.netcnnlip, i)) for i in (0, 4, 8, 11, 14)]
        self._sound = [self._ready(*_folded(net.netcnnaud, i)) for i in (0, 4, 8, 11, 14)]
        exact = self._type == torch.float32 and integers and self._device.type == "cpu"
        self._first = _first_layer(lip[0]) if exact else self._as_it_is(lip[0])
        self._lip = lip[1:]
        self._lip_head = self._head(net.netcnnlip, net.netfclip)
        self._sound_head = self._head(net.netcnnaud, net.netfcaud)

    def embed(self, crops: Crops, sound: Sound) -> tuple[Embeddings, Embeddings]:
        """Embeddings of picture and sound, both (N, 1024) float32, N = min(T, S // 640) - 5.

        crops: (T, 224, 224, 3) uint8 BGR. sound: (S,) int16 at 16 kHz.
        """
        count = windows(len(crops), len(sound))
        frames = torch.from_numpy(np.require(crops, requirements=["C", "W"]))
        cepstra = torch.from_numpy(mfcc(sound)).unfold(1, COLUMNS, COLUMNS_PER_FRAME)  # (13, M, 20)
        cepstra = cepstra[:, :count].transpose(0, 1)[:, None]  # (N, 1, 13, 20)
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            picture = [
                self._embed_lip(frames[start : min(start + GROUP, count) + WINDOW - 1])
                for start in range(0, count, GROUP)
            ]
            heard = [self._embed_sound(group) for group in torch.split(cepstra, GROUP)]
        return torch.cat(picture).cpu().numpy(), torch.cat(heard).cpu().numpy()

    def _embed_lip(self, frames: Tensor) -> Tensor:
        """(N + 4, 224, 224, 3) uint8 to (N, 1024)."""
        count = len(frames) - WINDOW + 1
        starts = range(0, count, self._batch)
        large = [self._large(frames, start, min(start + self._batch, count)) for start in starts]
        x = torch.cat(large)  # (N, 256, 13, 13)
        x = self._lip[1](x, 1, 1).relu_()
        x = self._lip[2](x, 1, 1).relu_()
        x = functional.max_pool2d(self._lip[3](x, 1, 1), 3, 2).relu_()  # (N, 256, 6, 6)
        return _through(self._lip_head, x)

    def _large(self, frames: Tensor, start: int, end: int) -> Tensor:
        """The two large layers on windows [start, end): (B, 256, 13, 13)."""
        taps = [frames[start + tap : end + tap] for tap in range(WINDOW)]
        x = torch.cat(taps, dim=3).to(self._device).permute(0, 3, 1, 2)  # (B, 15, 224, 224) uint8
        x = functional.max_pool2d(self._first(x), 3, 2).relu_()  # (B, 96, 54, 54)
        return functional.max_pool2d(self._lip[0](x, 2, 1), 3, 2, 1).relu_()

    def _embed_sound(self, cepstra: Tensor) -> Tensor:
        """(B, 1, 13, 20) to (B, 1024)."""
        x = cepstra.to(self._device, self._type).contiguous(memory_format=torch.channels_last)
        x = self._sound[0](x, 1, 1).relu_()
        x = functional.max_pool2d(self._sound[1](x, 1, 1), 3, (1, 2)).relu_()  # (B, 192, 11, 9)
        x = self._sound[2](x, 1, 1).relu_()
        x = self._sound[3](x, 1, 1).relu_()
        x = functional.max_pool2d(self._sound[4](x, 1, 1), 3, 2).relu_()  # (B, 256, 5, 4)
        return _through(self._sound_head, x)

    def _ready(self, weight: Tensor, bias: Tensor) -> _Layer:
        if weight.dim() == 5:  # (out, in, frames, h, w): frames become channels, as in `_large`
            weight = weight.transpose(1, 2).flatten(1, 2)
        weight = weight.to(self._device, self._type, memory_format=torch.channels_last)
        return _Layer(weight, bias.to(self._device, self._type))

    def _as_it_is(self, layer: _Layer) -> Convolution:
        return lambda pixels: layer(pixels.to(self._type), 2)

    def _head(self, body: nn.Sequential, head: nn.Sequential) -> list[_Layer]:
        """The last convolution, which covers its whole picture, and the two linear layers."""
        weight, bias = _folded(body, 18)
        last = head[3]
        assert isinstance(last, nn.Linear)
        covering = _Layer(weight[:, :, 0] if weight.dim() == 5 else weight, bias)
        layers = [
            covering.over_the_whole_picture(),
            _Layer(*_folded(head, 0)),
            _Layer(last.weight.detach(), last.bias.detach()),
        ]
        return [_Layer(x.weight.to(self._device), x.bias.to(self._device)) for x in layers]


def load(device: str, *, precision: Precision = "fp32", batch: int = 4) -> SyncNetScorer:
    """The scorer with the published weights; raises BenchError, with what to do, without them."""
    path = weights.find("syncnet_v2")  # checked by digest before anything opens it
    net = SyncNet()
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return SyncNetScorer(net, device=device, precision=precision, batch=batch)


def _folded(layers: nn.Sequential, index: int) -> tuple[Tensor, Tensor]:
    """Weight and bias of the layer at `index` with the BatchNorm behind it multiplied in."""
    layer, norm = layers[index], layers[index + 1]
    assert isinstance(layer, nn.Conv2d | nn.Conv3d | nn.Linear)
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d)
    assert norm.running_var is not None
    assert norm.running_mean is not None
    assert layer.bias is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = layer.weight * scale.reshape(-1, *[1] * (layer.weight.dim() - 1))
    return weight.detach(), ((layer.bias - norm.running_mean) * scale + norm.bias).detach()


def _through(head: list[_Layer], x: Tensor) -> Tensor:
    """(B, C, h, w) to (B, 1024) float32."""
    flat = x.permute(0, 2, 3, 1).flatten(1).float()
    covered = head[0].linear(flat).relu_()
    return head[2].linear(head[1].linear(covered).relu_())


def _first_layer(layer: _Layer) -> Convolution:
    """The first convolution on uint8 pixels, in 8-bit integer arithmetic where that is sound.

    Pixels are whole numbers already. Each weight is written with two signed 8-bit digits (15 bits);
    products and sums of whole numbers are exact, so the only error is the weights', at most 1.6e-5
    of a filter's largest. Processors with matrix instructions do this at twice float32's speed.
    Whether this one does, and does it right, is tried on a picture; otherwise float32 stays.
    """

    def plain(pixels: Tensor) -> Tensor:
        return layer(pixels.float(), 2)

    with torch.inference_mode():
        try:
            fast = _in_digits(layer)
            trial = _trial_pixels()
            expected = plain(trial)
            off = (fast(trial) - expected).abs().max() / expected.abs().max()
        except (AttributeError, RuntimeError):  # a torch without these kernels
            return plain
    return fast if torch.cpu._is_amx_tile_supported() and float(off) < 1e-4 else plain


def _trial_pixels() -> Tensor:
    """Noise and a white field, in which sums that do not fit their type would show, uint8."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (2, 64, 64, 3 * WINDOW), dtype=np.uint8)
    pixels[1] = 255
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def _in_digits(layer: _Layer) -> Convolution:
    high, high_scale = _digit(layer.weight)
    rest = layer.weight - high * high_scale[:, None, None, None]
    low, low_scale = _digit(rest)
    kernels = torch.ops.onednn
    zeros = torch.zeros(len(high), dtype=torch.int64)
    place = ([2, 2], [0, 0], [1, 1], 1)  # stride, padding, dilation, groups

    def packed(digit: Tensor, scale: Tensor) -> Tensor:
        whole = digit.to(torch.int8).contiguous()
        ready: Tensor = kernels.qconv_prepack(whole, scale, 1.0, 0, *place, None)
        return ready

    first, second = packed(high, high_scale), packed(low, low_scale)
    out = (1.0, 0, torch.float32)  # scale, zero point and type of what comes out

    def convolve(pixels: Tensor) -> Tensor:
        """(B, 15, H, W) uint8 to (B, 96, h, w) float32."""
        total: Tensor = kernels.qconv2d_pointwise(
            pixels, 1.0, 0, first, high_scale, zeros, layer.bias, *place, *out, "none", [], ""
        )
        # The second digit's product is added to the first's where it stands.
        kernels.qconv2d_pointwise.binary(
            *(pixels, 1.0, 0, second, low_scale, zeros, total, None, *place, *out),
            *(1.0, 0, "sum", 1.0, "none", [], ""),
        )
        return total

    return convolve


def _digit(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest whole numbers in -127..127 per filter, and their scale, (out,)."""
    scale = weight.abs().amax((1, 2, 3)).clamp_min(1e-30) / DIGITS
    return (weight / scale[:, None, None, None]).round(), scale
