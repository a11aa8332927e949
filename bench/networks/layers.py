"""The layers that generator and sync expert share, with Wav2Lip's published names.

Source: Rudrabha/Wav2Lip, models/conv.py, wav2lip.py, syncnet.py (layer tables: FIELD.md, 4.7).
"""

from __future__ import annotations

from typing import TypeAlias

from torch import Tensor, nn
from torch.nn import functional

from bench.networks.audio import HEIGHTS, AudioKind

Stride: TypeAlias = int | tuple[int, int]  # rows and columns


LEAST = 16  # channels: a CPU computes so many at once, and networks with 8 learn far more slowly


def scaled(channels: int, width: float) -> int:
    """The channels at a width: rounded to a multiple of 8, at least 16; unchanged at width 1."""
    return max(LEAST, 8 * int(channels * width / 8 + 0.5))


class Conv(nn.Module):
    """Convolution, batch normalisation, ReLU; `is_residual` adds the input before the ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: Stride = 3,
        stride: Stride = 1,
        padding: int = 1,
        is_residual: bool = False,
    ) -> None:
        super().__init__()
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding)
        self.conv_block = nn.Sequential(convolution, nn.BatchNorm2d(outputs))
        self.is_residual = is_residual

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, h, w)."""
        y = self.conv_block(x)
        if self.is_residual:
            y += x  # in place, as in Wav2Lip
        return functional.relu_(y)


class ConvTranspose(nn.Module):
    """Transposed convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, padding: int) -> None:
        super().__init__()
        convolution = nn.ConvTranspose2d(inputs, outputs, 3, stride, padding, padding)
        self.conv_block = nn.Sequential(convolution, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, h, w)."""
        return functional.relu_(self.conv_block(x))


def residuals(channels: int, count: int) -> list[nn.Module]:
    """`count` residual layers."""
    return [Conv(channels, channels, is_residual=True) for _ in range(count)]


def face_encoder(inputs: int, width: float, *, most: int = 3) -> list[nn.Sequential]:
    """The generator's identity encoder: seven blocks, from (B, inputs, 96, 96) to (B, C, 1, 1).

    most: residual layers of a block, at most; Wav2Lip's have up to three.
    """
    two = min(2, most)
    c16, c32, c64, c128 = (scaled(c, width) for c in (16, 32, 64, 128))
    c256, c512 = scaled(256, width), scaled(512, width)
    return [
        nn.Sequential(Conv(inputs, c16, kernel=7, padding=3)),
        nn.Sequential(Conv(c16, c32, stride=2), *residuals(c32, two)),  # 48
        nn.Sequential(Conv(c32, c64, stride=2), *residuals(c64, min(3, most))),  # 24
        nn.Sequential(Conv(c64, c128, stride=2), *residuals(c128, two)),  # 12
        nn.Sequential(Conv(c128, c256, stride=2), *residuals(c256, two)),  # 6
        nn.Sequential(Conv(c256, c512, stride=2), *residuals(c512, min(1, most))),  # 3
        nn.Sequential(Conv(c512, c512, padding=0), Conv(c512, c512, kernel=1, padding=0)),
    ]


def audio_encoder(audio: AudioKind, width: float, *, residual_256: int) -> nn.Sequential:
    """The encoder of (B, 1, D, 16) features to (B, C, 1, 1), C being 512 at width 1.

    residual_256: residual layers of the 256-channel stage, 1 in the generator, 2 in the expert.
    Three strides of 3 leave 3 rows of 80, 2 of 39, 5 of 119. The published last layer has a 3x3
    kernel; here it is as high as the remaining rows, so that every row is used. All kinds have the
    same layers and names, and the mel spectrogram has the published shapes.
    """
    c32, c64, c128, c256, c512 = (scaled(c, width) for c in (32, 64, 128, 256, 512))
    rows = -(-HEIGHTS[audio] // 27)
    return nn.Sequential(
        Conv(1, c32),
        *residuals(c32, 2),
        Conv(c32, c64, stride=(3, 1)),
        *residuals(c64, 2),
        Conv(c64, c128, stride=3),
        *residuals(c128, 2),
        Conv(c128, c256, stride=(3, 2)),
        *residuals(c256, residual_256),
        Conv(c256, c512, kernel=(rows, 3), padding=0),
        Conv(c512, c512, kernel=1, padding=0),
    )
