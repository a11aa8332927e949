"""TensorFlow's Inception of 2015-12-05, which FID looks through: 2,048 numbers of each picture.

Sources: Szegedy et al. 2016, arXiv:1512.00567; toshas/torch-fidelity, feature_extractor_inceptionv3
(layers, state-dict names, and where the network of 2015 differs from the later paper: pooling that
leaves the border out, and a maximum in the last block); tensorflow/tensorflow, resize_bilinear of
version 1 (no half pixels, no averaging).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bench.files.tensor_files import first_difference, named_tensors
from bench.ground.errors import BenchError
from bench.networks.folding import laid_out

SIDE = 299  # pixels of what the network sees
DIMENSIONS = 2048
CLASSES = 1008  # of the last layer, which stands in the file and is not used
Kernel: TypeAlias = int | tuple[int, int]


class Convolution(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Kernel, *, stride: int = 1, padding: Kernel = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, h, w)."""
        return functional.relu_(self.bn(self.conv(x)))


def _averaged(x: Tensor) -> Tensor:
    """The mean of 3x3 places; beyond the border there is nothing to count."""
    return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _largest(x: Tensor, stride: int = 2, padding: int = 0) -> Tensor:
    return functional.max_pool2d(x, 3, stride, padding)


def _through(x: Tensor, layers: Sequence[nn.Module]) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


class _Mixed5(nn.Module):
    """35x35 places: 1x1, 5x5, twice 3x3, and a mean."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(inputs, 64, 1)
        self.branch5x5_1 = Convolution(inputs, 48, 1)
        self.branch5x5_2 = Convolution(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Convolution(inputs, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, padding=1)
        self.branch_pool = Convolution(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts = [
            self.branch1x1(x),
            _through(x, (self.branch5x5_1, self.branch5x5_2)),
            _through(x, (self.branch3x3dbl_1, self.branch3x3dbl_2, self.branch3x3dbl_3)),
            self.branch_pool(_averaged(x)),
        ]
        return torch.cat(parts, 1)


class _Mixed6a(nn.Module):
    """35x35 places to 17x17."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3 = Convolution(288, 384, 3, stride=2)
        self.branch3x3dbl_1 = Convolution(288, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        deep = _through(x, (self.branch3x3dbl_1, self.branch3x3dbl_2, self.branch3x3dbl_3))
        return torch.cat([self.branch3x3(x), deep, _largest(x)], 1)


class _Mixed6(nn.Module):
    """17x17 places: 1x1, 7x7 in two strokes, in four, and a mean."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        across: dict[str, Kernel] = {"kernel": (1, 7), "padding": (0, 3)}
        down: dict[str, Kernel] = {"kernel": (7, 1), "padding": (3, 0)}

        def stroke(inputs: int, outputs: int, way: dict[str, Kernel]) -> Convolution:
            return Convolution(inputs, outputs, way["kernel"], padding=way["padding"])

        self.branch1x1 = Convolution(768, 192, 1)
        self.branch7x7_1 = Convolution(768, inner, 1)
        self.branch7x7_2 = stroke(inner, inner, across)
        self.branch7x7_3 = stroke(inner, 192, down)
        self.branch7x7dbl_1 = Convolution(768, inner, 1)
        self.branch7x7dbl_2 = stroke(inner, inner, down)
        self.branch7x7dbl_3 = stroke(inner, inner, across)
        self.branch7x7dbl_4 = stroke(inner, inner, down)
        self.branch7x7dbl_5 = stroke(inner, 192, across)
        self.branch_pool = Convolution(768, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        strokes = (
            *(self.branch7x7dbl_1, self.branch7x7dbl_2, self.branch7x7dbl_3),
            *(self.branch7x7dbl_4, self.branch7x7dbl_5),
        )
        parts = [
            self.branch1x1(x),
            _through(x, (self.branch7x7_1, self.branch7x7_2, self.branch7x7_3)),
            _through(x, strokes),
            self.branch_pool(_averaged(x)),
        ]
        return torch.cat(parts, 1)


class _Mixed7a(nn.Module):
    """17x17 places to 8x8."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1 = Convolution(768, 192, 1)
        self.branch3x3_2 = Convolution(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Convolution(768, 192, 1)
        self.branch7x7x3_2 = Convolution(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = Convolution(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = Convolution(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        strokes = (self.branch7x7x3_1, self.branch7x7x3_2, self.branch7x7x3_3, self.branch7x7x3_4)
        return torch.cat(
            [
                _through(x, (self.branch3x3_1, self.branch3x3_2)),
                _through(x, strokes),
                _largest(x),
            ],
            1,
        )


class _Mixed7(nn.Module):
    """8x8 places; is_last: the pooling takes the largest, where the others take the mean."""

    def __init__(self, inputs: int, *, is_last: bool) -> None:
        super().__init__()
        self.is_last = is_last
        self.branch1x1 = Convolution(inputs, 320, 1)
        self.branch3x3_1 = Convolution(inputs, 384, 1)
        self.branch3x3_2a = Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = Convolution(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = Convolution(inputs, 448, 1)
        self.branch3x3dbl_2 = Convolution(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = Convolution(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        once = self.branch3x3_1(x)
        twice = _through(x, (self.branch3x3dbl_1, self.branch3x3dbl_2))
        pooled = _largest(x, 1, 1) if self.is_last else _averaged(x)
        parts = [
            self.branch1x1(x),
            *(self.branch3x3_2a(once), self.branch3x3_2b(once)),
            *(self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice)),
            self.branch_pool(pooled),
        ]
        return torch.cat(parts, 1)


class Inception(nn.Module):
    """The network up to its last pooling, by torch-fidelity's names."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b = _Mixed5(192, 32)
        self.Mixed_5c = _Mixed5(256, 64)
        self.Mixed_5d = _Mixed5(288, 64)
        self.Mixed_6a = _Mixed6a()
        self.Mixed_6b = _Mixed6(128)
        self.Mixed_6c = _Mixed6(160)
        self.Mixed_6d = _Mixed6(160)
        self.Mixed_6e = _Mixed6(192)
        self.Mixed_7a = _Mixed7a()
        self.Mixed_7b = _Mixed7(1280, is_last=False)
        self.Mixed_7c = _Mixed7(2048, is_last=True)
        self.fc = nn.Linear(DIMENSIONS, CLASSES)

    def first(self, x: Tensor) -> Tensor:
        """What stands behind the first pooling, (B, 64, 73, 73), of (B, 3, 299, 299) in [-1, 1]."""
        layers = (self.Conv2d_1a_3x3, self.Conv2d_2a_3x3, self.Conv2d_2b_3x3)
        return _largest(_through(x, layers))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 299, 299) in [-1, 1], as `scaled` gives them, to (B, 2048)."""
        x = _largest(_through(self.first(x), (self.Conv2d_3b_1x1, self.Conv2d_4a_3x3)))
        blocks = (
            *(self.Mixed_5b, self.Mixed_5c, self.Mixed_5d),
            *(self.Mixed_6a, self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e),
            *(self.Mixed_7a, self.Mixed_7b, self.Mixed_7c),
        )
        return _through(x, blocks).mean(dim=(2, 3))


def load(path: Path) -> Inception:
    """The network with the published weights, for inference.

    path: a file whose digest was compared. Raises BenchError where it holds another network.
    """
    network = Inception()
    found = named_tensors(path)
    difference = first_difference(network.state_dict(), found)
    if difference:
        raise BenchError(f"{path}: is not the Inception of FID: {difference}")
    network.load_state_dict(found)
    return ready(network)


def ready(network: Inception) -> Inception:
    """The network as inference wants it: batch normalisation multiplied in, channels last."""
    network.eval().requires_grad_(False)
    for layer in network.modules():
        if isinstance(layer, Convolution):
            layer.conv = fuse_conv_bn_eval(layer.conv, layer.bn)
            layer.bn = nn.Identity()  # type: ignore[assignment]
    return laid_out(network)


def scaled(pictures: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) uint8 RGB as the network sees them, (B, 3, 299, 299) float32.

    TensorFlow 1's bilinear resize: the place of row i is i times H / 299, with no half pixels and
    no averaging over the pixels between. Then (x - 128) / 128.
    """
    x = pictures.float()
    for dimension in (2, 1):  # along the rows first, as there
        x = _stretched(x, dimension)
    return x.sub_(128.0).div_(128.0).permute(0, 3, 1, 2)


def _stretched(x: Tensor, dimension: int) -> Tensor:
    length = x.shape[dimension]
    if length == SIDE:
        return x
    place = torch.arange(SIDE, dtype=torch.float32, device=x.device) * (length / SIDE)
    before = place.floor()
    share = (place - before).reshape([-1 if d == dimension else 1 for d in range(4)])
    first = before.long()
    low = x.index_select(dimension, first)
    high = x.index_select(dimension, (first + 1).clamp_max(length - 1))
    return low + (high - low) * share
