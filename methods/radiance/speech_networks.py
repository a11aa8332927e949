"""AudioNet and AudioAttNet: a window of speech to a feature, and eight features to a smooth one.

Source: YudongGuo/AD-NeRF @ 9fdcd7e; ER-NeRF @ 0cf72d8 has the same networks with 32 outputs.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

BANDS = 29  # DeepSpeech's characters, or bands of a spectrogram
STEPS = 16  # of a window
WINDOWS = 8  # that are smoothed over
DECIDING = 32  # channels of a feature that decide over its weight
SLOPE = 0.02


class AudioNet(nn.Module):
    """A feature of each window of speech. 32,800 parameters with 64 outputs."""

    def __init__(self, outputs: int = 64, *, bands: int = BANDS) -> None:
        super().__init__()
        channels = (bands, 32, 32, 64, 64)
        layers: list[nn.Module] = []
        for entering, leaving in pairwise(channels):
            layers += [nn.Conv1d(entering, leaving, 3, 2, 1), nn.LeakyReLU(SLOPE)]
        self.encoder_conv = nn.Sequential(*layers)
        self.encoder_fc1 = nn.Sequential(
            nn.Linear(64, 64), nn.LeakyReLU(SLOPE), nn.Linear(64, outputs)
        )

    def forward(self, windows: Tensor) -> Tensor:
        """windows: (N, 16, bands), time before bands -> (N, outputs)."""
        return self.encoder_fc1(self.encoder_conv(windows.transpose(1, 2)).squeeze(-1))  # type: ignore[no-any-return]


class AudioAttNet(nn.Module):
    """The weighted sum of eight features in a row; their first 32 channels decide the weights.

    2,149 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = (DECIDING, 16, 8, 4, 2, 1)
        layers: list[nn.Module] = []
        for entering, leaving in pairwise(channels):
            layers += [nn.Conv1d(entering, leaving, 3, 1, 1), nn.LeakyReLU(SLOPE)]
        self.attentionConvNet = nn.Sequential(*layers)
        self.attentionNet = nn.Sequential(nn.Linear(WINDOWS, WINDOWS), nn.Softmax(dim=-1))

    def forward(self, features: Tensor) -> Tensor:
        """features: (..., 8, C), C >= 32 -> (..., C)."""
        deciding = features[..., :DECIDING].transpose(-1, -2)
        flat = deciding.reshape(-1, DECIDING, WINDOWS)
        weights = self.attentionNet(self.attentionConvNet(flat).squeeze(1))  # (N, 8)
        return torch.einsum("...tc,...t->...c", features, weights.view(features.shape[:-1]))
