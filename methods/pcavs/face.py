"""The face encoder of PC-AVS: one hourglass, and heads for the mouth and the head's pose.

Source: Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 (CC-BY-4.0); the hourglass is that of
1adrianb/face-alignment (FAN) with dropout and bilinear enlarging.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.pcavs.identity import SPEAKERS
from methods.pcavs.widths import scaled

FEATURE = 512
MOUTH = 500  # of the style vector
POSE = 12  # of the style vector
DEPTH = 4  # of the hourglass
POINTS = 68  # maps, as many as the landmarks that FAN was made for
CELLS = 28 * 28


class Block(nn.Module):
    """Three 3x3 convolutions, each on the one before, all three put together; pre-activation."""

    def __init__(self, entering: int, leaving: int) -> None:
        super().__init__()
        half, quarter = leaving // 2, leaving // 4
        self.bn1 = nn.BatchNorm2d(entering)
        self.conv1 = nn.Conv2d(entering, half, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv2 = nn.Conv2d(half, quarter, 3, 1, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(quarter)
        self.conv3 = nn.Conv2d(quarter, quarter, 3, 1, 1, bias=False)
        if entering != leaving:
            self.downsample: nn.Module = nn.Sequential(
                nn.BatchNorm2d(entering), nn.ReLU(), nn.Conv2d(entering, leaving, 1, bias=False)
            )
        else:
            self.downsample = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv1(torch.relu(self.bn1(x)))
        second = self.conv2(torch.relu(self.bn2(first)))
        third = self.conv3(torch.relu(self.bn3(second)))
        return torch.cat([first, second, third], 1) + self.downsample(x)  # type: ignore[no-any-return]


class Hourglass(nn.Module):
    """Halves `DEPTH` times and comes back, with a branch beside at every size.

    Names count levels from the deepest, 1: `b1_` is the branch beside, `b2_` goes down, `b3_` comes
    back, and `b2_plus_1` is the bottom.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        for level in range(DEPTH, 0, -1):
            self.add_module(f"b1_{level}", Block(channels, channels))
            self.add_module(f"b2_{level}", Block(channels, channels))
        self.add_module("b2_plus_1", Block(channels, channels))
        for level in range(1, DEPTH + 1):
            self.add_module(f"b3_{level}", Block(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return self._at(DEPTH, x)

    def _at(self, level: int, x: Tensor) -> Tensor:
        beside = functional.dropout(self._modules[f"b1_{level}"](x), 0.5, self.training)  # type: ignore[misc]
        low = self._modules[f"b2_{level}"](functional.max_pool2d(x, 2))  # type: ignore[misc]
        low = self._at(level - 1, low) if level > 1 else self._modules["b2_plus_1"](low)  # type: ignore[misc]
        low = self._modules[f"b3_{level}"](low)  # type: ignore[misc]
        size = beside.shape[2:]
        return beside + functional.interpolate(low, size, mode="bilinear", align_corners=False)


class FaceNetwork(nn.Module):
    """A picture's feature that says nothing of who it shows. 6,652,337 parameters."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        one = 4 * scaled(16, width)  # blocks divide their channels by 4
        self.conv1 = nn.Conv2d(3, one, 7, 2, 3)
        self.bn1 = nn.BatchNorm2d(one)
        self.conv2 = Block(one, 2 * one)
        self.conv3 = Block(2 * one, 2 * one)
        self.conv4 = Block(2 * one, 4 * one)
        self.m0 = Hourglass(4 * one)
        self.top_m_0 = Block(4 * one, 4 * one)
        self.conv_last0 = nn.Conv2d(4 * one, 4 * one, 1)
        self.l0 = nn.Conv2d(4 * one, POINTS, 1)
        self.bn_end0 = nn.BatchNorm2d(4 * one)
        self.conv6 = nn.Conv2d(POINTS, 1, 3, 2, 1)
        self.fc = nn.Linear(CELLS, scaled(FEATURE, width))
        self.bn5 = nn.BatchNorm2d(POINTS)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 224, 224) -> (B, 512)."""
        x = torch.relu(self.bn1(self.conv1(x)))
        x = functional.max_pool2d(self.conv2(x), 2)
        x = self.top_m_0(self.m0(self.conv4(self.conv3(x))))
        x = self.l0(torch.relu(self.bn_end0(self.conv_last0(x))))  # (B, 68, 56, 56)
        x = torch.relu(self.conv6(torch.relu(self.bn5(x))))
        return self.fc(x.flatten(1))  # type: ignore[no-any-return]


class FaceEncoder(nn.Module):
    """netE: mouth and pose of a face. 14,285,643 parameters, of which classifiers have many.

    `classifier`, `mouth_fc` and `headpose_fc` are for training only. width: of all channels and the
    features but the pose; for quick tests.
    """

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        feature, mouth = scaled(FEATURE, width), scaled(MOUTH, width)
        self.model = FaceNetwork(width=width)
        self.classifier = _perceptron(feature, SPEAKERS)
        self.to_mouth = _perceptron(feature, feature)
        self.mouth_embed = nn.Sequential(nn.ReLU(), nn.Linear(feature, mouth))
        self.mouth_fc = nn.Sequential(nn.ReLU(), nn.Linear(feature, SPEAKERS))
        self.to_headpose = _perceptron(feature, feature)
        self.headpose_embed = nn.Sequential(nn.ReLU(), nn.Linear(feature, POSE))
        self.headpose_fc = nn.Sequential(nn.ReLU(), nn.Linear(POSE, SPEAKERS))

    def forward(self, pictures: Tensor) -> Tensor:
        """pictures: (B, 3, 224, 224) RGB in [-1, 1] -> (B, 512)."""
        return self.model(pictures)  # type: ignore[no-any-return]

    def mouth(self, feature: Tensor) -> Tensor:
        """The mouth's part of a picture's feature, (B, 512): comparable to the speech encoder's."""
        return self.to_mouth(feature)  # type: ignore[no-any-return]

    def pose(self, feature: Tensor) -> Tensor:
        """The pose's part of a picture's feature, (B, 12), as it enters the style vector."""
        return self.headpose_embed(self.to_headpose(feature))  # type: ignore[no-any-return]

    def mouth_style(self, mouth: Tensor) -> Tensor:
        """(B, 512) of a picture's mouth or of speech -> (B, 500), as it enters the style vector."""
        return self.mouth_embed(mouth)  # type: ignore[no-any-return]


def _perceptron(feature: int, leaving: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(feature, feature), nn.ReLU(), nn.Linear(feature, leaving))
