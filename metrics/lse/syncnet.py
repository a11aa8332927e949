"""SyncNet v2, optimised for fast scoring on CPUs.

Source: joonson/syncnet_python @ 6efbb1c, SyncNetModel.py (FIELD.md, section 4.2). The state dict
has the published names, so `syncnet_v2.model` loads. The values are the same, but computed
differently: BatchNorm is folded into the weights; five frames are fifteen channels of a
two-dimensional convolution, cut from the clip a few windows at a time; arrays are channels-last;
pooling precedes ReLU, which commutes and saves three quarters of ReLU's work; where the CPU gains
by it, the first layer multiplies 8-bit integers and the others take fewer multiplications.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bench.files import weights
from bench.ground.types import Sound
from bench.networks.mfcc import mfcc
from metrics.lse.core import SYNCNET_DIGEST, WINDOW, Crops, Embeddings, windows
from metrics.lse.winograd import RowWinograd

Precision: TypeAlias = Literal["fp32", "bf16"]
Convolution: TypeAlias = Callable[[Tensor], Tensor]
Part = TypeVar("Part")
Computed = TypeVar("Computed")

DIGEST = SYNCNET_DIGEST
COLUMNS, COLUMNS_PER_FRAME = 20, 4  # cepstral columns of one window, and between two windows
GROUP = 32  # at most so many windows go through the small layers together, one group per thread
DIGITS = 127  # the largest value of a signed 8-bit digit


class SyncNet(nn.Module):
    """The weights of SyncNet v2 under their published names; `SyncNetScorer` computes with them."""

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
        """The same as a linear layer on flattened channels-last maps of the kernel's size."""
        return _Layer(self.weight.permute(0, 2, 3, 1).flatten(1).contiguous(), self.bias)


class SyncNetScorer:
    """Embeds windows of a clip with SyncNet v2, (N, 1024) each; see metrics.lse.core.Scorer.

    net: the network with its weights. precision: "bf16" computes the convolutions in bfloat16,
    which is faster on CPUs with instructions for it and slightly less exact (docs/metrics.md has
    figures). batch: windows that go through the two large layers together; changes only speed.
    integers: whether the first layer may use 8-bit integer instructions, see `_first_layer`.
    winograd: whether float32 layers take fewer multiplications, see metrics.lse.winograd. None:
    yes, unless the CPU has matrix instructions (AMX), for which it was not measured.
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
        winograd: bool | None = None,
    ) -> None:
        self.digest = digest
        self._device = torch.device(device)
        self._type = torch.bfloat16 if precision == "bf16" else torch.float32
        self._batch = batch
        exact = self._type == torch.float32 and self._device.type == "cpu"
        self._winograd = exact and (not _has("amx_tile") if winograd is None else winograd)
        first = self._ready(*_folded(net.netcnnlip, 0))
        self._first = _first_layer(first) if exact and integers else self._as_it_is(first)
        self._lip = [
            self._convolution(net.netcnnlip, place, height=height, stride=stride)
            for place, height, stride in ((4, 54, 2), (8, 13, 1), (11, 13, 1), (14, 13, 1))
        ]
        self._sound = [
            self._convolution(net.netcnnaud, place, height=height)
            for place, height in ((0, 13), (4, 13), (8, 11), (11, 11), (14, 11))
        ]
        self._lip_head = self._head(net.netcnnlip, net.netfclip)
        self._sound_head = self._head(net.netcnnaud, net.netfcaud)

    def embed(self, crops: Crops, sound: Sound) -> tuple[Embeddings, Embeddings]:
        """Embeddings of frames and sound, both (N, 1024) float32, N = min(T, S // 640) - 5.

        crops: (T, 224, 224, 3) uint8 BGR. sound: (S,) int16 at 16 kHz.
        """
        count = windows(len(crops), len(sound))
        frames = torch.from_numpy(np.require(crops, requirements=["C", "W"]))
        cepstra = torch.from_numpy(mfcc(sound)).unfold(1, COLUMNS, COLUMNS_PER_FRAME)  # (13, M, 20)
        cepstra = cepstra[:, :count].transpose(0, 1)[:, None]  # (N, 1, 13, 20)

        def embedded(part: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
            first, last = int(part[0]), int(part[-1])
            with torch.inference_mode():
                picture = self._embed_lip(frames[first : last + WINDOW])
                return picture, self._embed_sound(cepstra[first : last + 1])

        threads = torch.get_num_threads() if self._device.type == "cpu" else 1
        rounds = -(-count // (threads * GROUP))
        parts = np.array_split(np.arange(count), min(count, threads * rounds))
        with torch.backends.cudnn.flags(allow_tf32=False):
            found = _in_threads(embedded, parts, threads)
        picture, heard = (torch.cat(tensors).cpu().numpy() for tensors in zip(*found, strict=True))
        return picture, heard

    def _embed_lip(self, frames: Tensor) -> Tensor:
        """(N + 4, 224, 224, 3) uint8 to (N, 1024)."""
        planes = frames.to(self._device).permute(0, 3, 1, 2).flatten(0, 1)  # ((N + 4) * 3, h, w)
        seen = planes.unfold(0, 3 * WINDOW, 3)  # (N, 224, 224, 15), a view
        x = torch.cat([self._large(part) for part in torch.split(seen, self._batch)])
        x = self._lip[1](x).relu_()  # (N, 256, 13, 13)
        x = self._lip[2](x).relu_()
        x = _pooled(self._lip[3](x), 2)  # (N, 256, 6, 6)
        return _through(self._lip_head, x)

    def _large(self, seen: Tensor) -> Tensor:
        """The two large layers: (B, 224, 224, 15) uint8 to (B, 256, 13, 13)."""
        x = _pooled(self._first(seen.contiguous().permute(0, 3, 1, 2)), 2)  # (B, 96, 54, 54)
        return _pooled(self._lip[0](x), 2, padding=1)

    def _embed_sound(self, cepstra: Tensor) -> Tensor:
        """(B, 1, 13, 20) to (B, 1024)."""
        x = cepstra.to(self._device, self._type).contiguous(memory_format=torch.channels_last)
        x = self._sound[0](x).relu_()
        x = _pooled(self._sound[1](x), (1, 2))  # (B, 192, 11, 9)
        x = self._sound[2](x).relu_()
        x = self._sound[3](x).relu_()
        x = _pooled(self._sound[4](x), 2)  # (B, 256, 5, 4)
        return _through(self._sound_head, x)

    def _ready(self, weight: Tensor, bias: Tensor) -> _Layer:
        if weight.dim() == 5:  # (out, in, frames, h, w): frames become channels, as in `_large`
            weight = weight.transpose(1, 2).flatten(1, 2)
        weight = weight.to(self._device, self._type, memory_format=torch.channels_last)
        return _Layer(weight, bias.to(self._device, self._type))

    def _convolution(
        self, body: nn.Sequential, place: int, *, height: int, stride: int = 1
    ) -> Convolution:
        """The layer at `place`, padded by 1, for maps of `height` rows."""
        layer = self._ready(*_folded(body, place))
        if not self._winograd:
            return partial(layer, stride=stride, padding=1)
        return RowWinograd(layer.weight, layer.bias, height=height, stride=stride, padding=1)

    def _as_it_is(self, layer: _Layer) -> Convolution:
        return lambda pixels: layer(pixels.to(self._type), 2)

    def _head(self, body: nn.Sequential, head: nn.Sequential) -> list[_Layer]:
        """The last convolution, which covers its whole input, and the two linear layers."""
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
    """The scorer with the published weights; if they are missing, BenchError says what to do."""
    path = weights.find("syncnet_v2")  # its digest is checked before it is opened
    net = SyncNet()
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return SyncNetScorer(net, device=device, precision=precision, batch=batch)


def _folded(layers: nn.Sequential, index: int) -> tuple[Tensor, Tensor]:
    """Weight and bias of the layer at `index`, with the following BatchNorm folded in."""
    layer, norm = layers[index], layers[index + 1]
    assert isinstance(layer, nn.Conv2d | nn.Conv3d | nn.Linear)
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d)
    assert norm.running_var is not None
    assert norm.running_mean is not None
    assert layer.bias is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = layer.weight * scale.reshape(-1, *[1] * (layer.weight.dim() - 1))
    return weight.detach(), ((layer.bias - norm.running_mean) * scale + norm.bias).detach()


def _pooled(x: Tensor, stride: int | tuple[int, int], padding: int = 0) -> Tensor:
    """Max pooling over 3x3, then ReLU; pooling is only fast on channels-last arrays."""
    x = x.contiguous(memory_format=torch.channels_last)
    return functional.max_pool2d(x, 3, stride, padding).relu_()


def _in_threads(
    work: Callable[[Part], Computed], parts: list[Part], threads: int
) -> list[Computed]:
    """The results of `work` for all parts, each computed by one thread.

    Torch would split every operation and wait for the slowest thread each time. With many small
    operations, or while other programs use the CPU, that costs more than it saves.
    """
    if threads == 1:
        return [work(part) for part in parts]
    try:
        with ThreadPoolExecutor(threads, "lse", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(work, parts))
    finally:
        torch.set_num_threads(threads)  # the setting is global


def _has(instructions: str) -> bool:
    """Whether the CPU has these instructions, as far as this torch can tell."""
    asked = getattr(torch.cpu, f"_is_{instructions}_supported", None)
    return bool(asked and asked())


def _through(head: list[_Layer], x: Tensor) -> Tensor:
    """(B, C, h, w) to (B, 1024) float32."""
    flat = x.permute(0, 2, 3, 1).flatten(1).float()
    covered = head[0].linear(flat).relu_()
    return head[2].linear(head[1].linear(covered).relu_())


def _first_layer(layer: _Layer) -> Convolution:
    """The first convolution on uint8 pixels, in 8-bit integer arithmetic if that works correctly.

    Pixels are integers already. Each weight is written with two signed 8-bit digits (15 bits).
    Integer products and sums are exact, so the only error is that of the weights, at most 1.6e-5 of
    a filter's largest. Instructions for 8-bit integers (VNNI, AMX) take two thirds of float32's
    time or less. A trial on test pixels checks the result; if it fails, or without these
    instructions, float32 is used.
    """

    def plain(pixels: Tensor) -> Tensor:
        return layer(pixels.float(), 2)

    if not _has("vnni"):
        return plain
    with torch.inference_mode():
        try:
            fast = _in_digits(layer)
            trial = _trial_pixels()
            expected = plain(trial)
            off = (fast(trial) - expected).abs().max() / expected.abs().max()
        except (AttributeError, RuntimeError):  # a torch without these kernels
            return plain
    return fast if float(off) < 1e-4 else plain


def _trial_pixels() -> Tensor:
    """Noise and a white field, uint8; the latter reveals sums that overflow their type."""
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
    out = (1.0, 0, torch.float32)  # scale, zero point and type of the output

    def convolve(pixels: Tensor) -> Tensor:
        """(B, 15, H, W) uint8 to (B, 96, h, w) float32."""
        total: Tensor = kernels.qconv2d_pointwise(
            pixels, 1.0, 0, first, high_scale, zeros, layer.bias, *place, *out, "none", [], ""
        )
        # The second digit's product is added to the first's in place.
        kernels.qconv2d_pointwise.binary(
            *(pixels, 1.0, 0, second, low_scale, zeros, total, None, *place, *out),
            *(1.0, 0, "sum", 1.0, "none", [], ""),
        )
        return total

    return convolve


def _digit(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest integers in -127..127 per filter, and their scale, (out,)."""
    scale = weight.abs().amax((1, 2, 3)).clamp_min(1e-30) / DIGITS
    return (weight / scale[:, None, None, None]).round(), scale
