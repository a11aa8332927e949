"""The speech encoders of PC-AVS: ResNetSE-34 with attentive pooling over time.

Source: Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 (CC-BY-4.0), which follows
clovaai/voxceleb_trainer. Unusual: BatchNorm comes after ReLU in the first half of each block.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.pcavs.identity import SPEAKERS
from methods.pcavs.shortcut import shortcut
from methods.pcavs.widths import scaled

FEATURE = 512  # of the encoder that follows the mouth
IDENTITY_FEATURE = 2048  # of the one that follows the voice
SYNC_ROWS, IDENTITY_ROWS = 10, 40  # of the map that is pooled: mels after all strides
HIDDEN = 128
REDUCTION = 8


class Excitation(nn.Module):
    """Squeeze and excitation: a weight in (0, 1) for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(4, channels // REDUCTION)  # 4 is the least at width 1
        self.fc = nn.Sequential(
            nn.Linear(channels, inner),
            nn.ReLU(),
            nn.Linear(inner, channels),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc(x.mean((2, 3)))[:, :, None, None]  # type: ignore[no-any-return]


class Block(nn.Module):
    """Two 3x3 convolutions, weighted by channel, added to the input."""

    def __init__(self, entering: int, leaving: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(entering, leaving, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(leaving)
        self.conv2 = nn.Conv2d(leaving, leaving, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(leaving)
        self.se = Excitation(leaving)
        self.downsample = shortcut(entering, leaving, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(torch.relu(self.conv1(x)))
        return torch.relu(self.se(self.bn2(self.conv2(y))) + self.downsample(x))


class ResNetSE(nn.Module):
    """rows: those of the map that is pooled; `feature`: the vector's length."""

    def __init__(self, *, rows: int, feature: int, width: float = 1.0) -> None:
        super().__init__()
        one = scaled(32, width)
        self.conv1 = nn.Conv2d(1, one, 3, 1, 1)
        self.bn1 = nn.BatchNorm2d(one)
        self.layer1 = _stage(one, one, blocks=3, stride=1)
        self.layer2 = _stage(one, 2 * one, blocks=4, stride=2)
        self.layer3 = _stage(2 * one, 4 * one, blocks=6, stride=2)
        self.layer4 = _stage(4 * one, 8 * one, blocks=3, stride=2)
        pooled = 8 * one * rows
        self.attention = nn.Sequential(
            nn.Conv1d(pooled, HIDDEN, 1),
            nn.ReLU(),
            nn.BatchNorm1d(HIDDEN),
            nn.Conv1d(HIDDEN, pooled, 1),
            nn.Softmax(dim=2),
        )
        self.fc = nn.Linear(pooled, feature)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, 8 * rows, M) -> (B, feature)."""
        x = self.bn1(torch.relu(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = x.flatten(1, 2)  # (B, 256 * rows, time)
        return self.fc((x * self.attention(x)).sum(2))  # type: ignore[no-any-return]


class SpeechEncoder(nn.Module):
    """netA_sync: what a mouth says, from sound. 10,364,434 parameters.

    is_of_voice: netA instead, which tells whose voice it is (40,955,410 parameters). The official
    program has it switched off (`use_audio_id 0`); here it has names and shapes only, so that its
    file can be read. width: of all channels and the feature; for quick tests.
    """

    def __init__(self, *, is_of_voice: bool = False, width: float = 1.0) -> None:
        super().__init__()
        rows, feature = (IDENTITY_ROWS, IDENTITY_FEATURE) if is_of_voice else (SYNC_ROWS, FEATURE)
        feature = scaled(feature, width)
        self.model = ResNetSE(rows=rows, feature=feature, width=width)
        self.fc = nn.Linear(feature, SPEAKERS)  # not used when videos are generated

    def forward(self, windows: Tensor) -> Tensor:
        """windows: (B, 1, 80, 20) in [0, 1] (`mel.windows`) -> (B, 512)."""
        return self.model(windows)  # type: ignore[no-any-return]


def _stage(entering: int, leaving: int, *, blocks: int, stride: int) -> nn.Sequential:
    first = Block(entering, leaving, stride)
    return nn.Sequential(first, *(Block(leaving, leaving, 1) for _ in range(blocks - 1)))
