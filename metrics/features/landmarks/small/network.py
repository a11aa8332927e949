"""The small landmark network: a heat map for each point, and whether there is a face at all.

Defined here. Every step between a square of a frame and its points stands in this file, so that
training and finding cannot drift apart.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.features.landmark_points import SMALL
from bench.networks.folding import rectified

SIDE = 128  # pixels of the square that the network sees
SHARE = 1.2  # of the longer side of the face's box: the side of that square
MAP = 32  # cells of a heat map's side
CELL = SIDE / MAP  # pixels


class Layer(nn.Module):
    """A 3x3 convolution, batch normalisation, ReLU; adds its input where the shapes allow."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)
        self.is_residual = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        if isinstance(self.norm, nn.Identity):  # folded into the convolution
            return rectified(self.convolution, x, plus=x if self.is_residual else None)
        y = self.norm(self.convolution(x))
        return torch.relu(y + x if self.is_residual else y)


class LandmarkNetwork(nn.Module):
    """Down to 8x8 cells, which see the whole face, and up again to 32x32, which see edges."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Layer(3, 16, stride=2)  # 64
        self.fine = nn.Sequential(Layer(16, 32, stride=2), Layer(32, 32))  # 32
        self.middle = nn.Sequential(Layer(32, 64, stride=2), Layer(64, 64))  # 16
        self.coarse = nn.Sequential(Layer(64, 96, stride=2), Layer(96, 96), Layer(96, 96))  # 8
        self.from_coarse = nn.Conv2d(96, 64, 1)
        self.up_middle = Layer(64, 64)
        self.from_middle = nn.Conv2d(64, 48, 1)
        self.from_fine = nn.Conv2d(32, 48, 1)
        self.up_fine = nn.Sequential(Layer(48, 48), Layer(48, 48))
        self.maps = nn.Conv2d(48, SMALL.count, 1)
        self.face = nn.Linear(96, 1)

    def forward(self, squares: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, 128, 128), standardised, to heat maps (B, 46, 32, 32) and face logits (B,)."""
        fine = self.fine(self.stem(squares))
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        x = self.up_middle(middle + _doubled(self.from_coarse(coarse)))
        x = self.up_fine(self.from_fine(fine) + _doubled(self.from_middle(x)))
        return self.maps(x), self.face(coarse.mean(dim=(2, 3)))[:, 0]


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def standardised(squares: Tensor) -> Tensor:
    """(B, 128, 128, 3) uint8 RGB as the network wants them, (B, 3, 128, 128) float32.

    Each square loses its mean colour and is divided by its spread, so that light and skin weigh
    little; a flat one stays flat.
    """
    x = squares.contiguous().permute(0, 3, 1, 2).float().mul_(1.0 / 255.0)
    # Rows of pixels are changed as a whole: a broadcast over three colours is slow.
    rows = x.permute(0, 2, 3, 1).view(len(x), SIDE, SIDE * 3)
    rows -= x.mean(dim=(2, 3)).repeat(1, SIDE)[:, None]
    rows /= x.square().mean(dim=(1, 2, 3)).clamp_(min=0.04**2).sqrt_()[:, None, None]
    return x.contiguous(memory_format=torch.channels_last)


def places(maps: Tensor) -> Tensor:
    """Heat maps (B, P, 32, 32) as points (B, P, 2) in pixels of the square: the maps' means."""
    shares = functional.softmax(maps.float().flatten(2), dim=2).view(maps.shape)
    cells = (torch.arange(MAP, device=maps.device, dtype=torch.float32) + 0.5) * CELL
    x = (shares.sum(dim=2) * cells).sum(dim=2)
    y = (shares.sum(dim=3) * cells).sum(dim=2)
    return torch.stack([x, y], dim=2)
