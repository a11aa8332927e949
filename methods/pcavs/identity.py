"""The identity encoder of PC-AVS: a ResNeXt-50 32x4d with a map, a vector and speakers' scores.

Source: Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 (CC-BY-4.0); ResNeXt: Xie et al., CVPR 2017.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from methods.pcavs.shortcut import shortcut
from methods.pcavs.widths import scaled

SPEAKERS = 5830  # the identities of VoxCeleb2's training set that the official classifiers tell
VECTOR = 2048
MAP = 512
GROUPS = 32
EXPANSION = 4  # channels that leave a block for one of its stage's nominal 64, 128, 256, 512


class Identity(NamedTuple):
    """vector: (B, 2048). map: (B, 512, H / 32, W / 32), where the generator begins."""

    vector: Tensor
    map: Tensor


class Block(nn.Module):
    """1x1, grouped 3x3, 1x1, each with BatchNorm, added to the input."""

    def __init__(self, entering: int, nominal: int, stride: int, groups: int) -> None:
        super().__init__()
        inner = 2 * nominal  # nominal / 64 x 4 channels x 32 groups
        leaving = nominal * EXPANSION
        self.conv1 = nn.Conv2d(entering, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, leaving, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(leaving)
        self.downsample = shortcut(entering, leaving, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        return torch.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNeXt(nn.Module):
    """ResNeXt-50 32x4d, without average and classification; the official file has its `fc`."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        one, groups = scaled(64, width), scaled(GROUPS, width)
        self.conv1 = nn.Conv2d(3, one, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(one)
        self.layer1 = _stage(one, one, blocks=3, stride=1, groups=groups)
        self.layer2 = _stage(4 * one, 2 * one, blocks=4, stride=2, groups=groups)
        self.layer3 = _stage(8 * one, 4 * one, blocks=6, stride=2, groups=groups)
        self.layer4 = _stage(16 * one, 8 * one, blocks=3, stride=2, groups=groups)
        self.fc = nn.Linear(32 * one, 1000)  # not used: the backbone's own, for ImageNet

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 2048, H / 32, W / 32), rounded up."""
        x = torch.relu(self.bn1(self.conv1(x)))
        x = nn.functional.max_pool2d(x, 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))  # type: ignore[no-any-return]


class IdentityEncoder(nn.Module):
    """netV: who is in a picture. 38,023,662 parameters.

    width: of all channels, and with them of vector and map; for quick tests.
    """

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        vector = scaled(VECTOR, width)
        self.model = ResNeXt(width=width)
        self.conv1x1 = nn.Conv2d(vector, scaled(MAP, width), 1)
        self.fc = nn.Linear(vector, SPEAKERS)

    def forward(self, pictures: Tensor) -> Identity:
        """pictures: (B, 3, 224, 224) RGB in [-1, 1]."""
        features = self.model(pictures)
        return Identity(features.mean((2, 3)), self.conv1x1(features))

    def scores(self, vector: Tensor) -> Tensor:
        """(B, 2048) -> (B, 5830), one logit for each speaker."""
        return self.fc(vector)  # type: ignore[no-any-return]


def _stage(entering: int, nominal: int, *, blocks: int, stride: int, groups: int) -> nn.Sequential:
    leaving = nominal * EXPANSION
    first = Block(entering, nominal, stride, groups)
    return nn.Sequential(first, *(Block(leaving, nominal, 1, groups) for _ in range(blocks - 1)))
