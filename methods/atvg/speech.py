"""AT-net: speech, and one face's landmarks, to the landmarks of every frame, as PCA coefficients.

Source: Chen et al., CVPR 2019; lelechen63/ATVGnet @ 02d8f8f, models.py (shapes and state-dict
names, the misspelt `audio_eocder` among them).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from methods.atvg.layers import convolution

ROWS, COEFFICIENTS = 28, 12  # of one frame's window of cepstra
SEEN_AS = 12 * 2  # what the two poolings leave of a window's 28 x 12


@dataclass(frozen=True)
class SpeechSize:
    """The sizes of AT-net; the defaults are the published ones.

    channels: of the five convolutions. heard: of the fully connected layers after them. shown: of
    those for the example's landmarks. memory, layers: of the LSTM. components: PCA coefficients.
    """

    channels: tuple[int, int, int, int, int] = (64, 128, 256, 256, 512)
    heard: tuple[int, ...] = (2048, 256)
    shown: tuple[int, ...] = (256, 512)
    memory: int = 256
    layers: int = 3
    components: int = 6


OFFICIAL_SPEECH = SpeechSize()
SMALL_SPEECH = SpeechSize(
    channels=(16, 32, 64, 64, 64), heard=(96,), shown=(32,), memory=96, layers=2
)


class SpeechToLandmarks(nn.Module):
    """AT-net with an LSTM over the frames: `AT_net` of the repository, name by name.

    30,071,750 parameters at the published size.
    """

    def __init__(self, size: SpeechSize = OFFICIAL_SPEECH) -> None:
        super().__init__()
        self.lmark_encoder = _linear(size.components, size.shown)
        self.audio_eocder = _heard(size.channels, norm=True)
        self.audio_eocder_fc = _linear(size.channels[-1] * SEEN_AS, size.heard)
        self.lstm = nn.LSTM(
            size.shown[-1] + size.heard[-1], size.memory, size.layers, batch_first=True
        )
        self.lstm_fc = nn.Sequential(nn.Linear(size.memory, size.components))

    def forward(self, example: Tensor, speech: Tensor) -> Tensor:
        """The coefficients of every frame, (B, T, K).

        example: (B, K), those of the still face. speech: (B, T, 28, 12), `audio.windows`.
        """
        batch, frames = speech.shape[:2]
        windows = speech.flatten(0, 1)[:, None]  # (B T, 1, 28, 12)
        heard = self.audio_eocder_fc(self.audio_eocder(windows).flatten(1)).unflatten(
            0, (batch, frames)
        )
        shown = self.lmark_encoder(example)[:, None].expand(-1, frames, -1)
        remembered, _ = self.lstm(torch.cat([shown, heard], dim=2))
        coefficients: Tensor = self.lstm_fc(remembered)
        return coefficients


class SingleWindow(nn.Module):
    """`AT_single` of the repository: each window by itself, without example, memory and norms.

    27,833,862 parameters at the published size.
    """

    def __init__(self, size: SpeechSize = OFFICIAL_SPEECH) -> None:
        super().__init__()
        self.audio_eocder = _heard(size.channels, norm=False)
        self.audio_eocder_fc = nn.Sequential(
            *_linear(size.channels[-1] * SEEN_AS, size.heard),
            nn.Linear(size.heard[-1], size.components),
        )

    def forward(self, speech: Tensor) -> Tensor:
        """The coefficients of each window, (B, K). speech: (B, 28, 12)."""
        coefficients: Tensor = self.audio_eocder_fc(self.audio_eocder(speech[:, None]).flatten(1))
        return coefficients


def _linear(inputs: int, outputs: tuple[int, ...]) -> nn.Sequential:
    """Fully connected layers, a ReLU after each."""
    layers: list[nn.Module] = []
    for count in outputs:
        layers += [nn.Linear(inputs, count), nn.ReLU()]
        inputs = count
    return nn.Sequential(*layers)


def _heard(channels: tuple[int, int, int, int, int], *, norm: bool) -> nn.Sequential:
    """The encoder of windows, (B, 1, 28, 12) to (B, C, 12, 2)."""
    first, second, third, fourth, fifth = channels
    return nn.Sequential(
        convolution(1, first, norm=norm),
        convolution(first, second, norm=norm),
        nn.MaxPool2d(3, (1, 2)),
        convolution(second, third, norm=norm),
        convolution(third, fourth, norm=norm),
        convolution(fourth, fifth, norm=norm),
        nn.MaxPool2d(3, (2, 2)),
    )
