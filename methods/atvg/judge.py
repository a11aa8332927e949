"""The discriminator of VG-net's training: tells made clips, and reads landmarks off the pictures.

Source: Chen et al., CVPR 2019; lelechen63/ATVGnet @ 02d8f8f, models.py (`GL_Discriminator`: shapes
and state-dict names).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from methods.atvg.layers import convolution


@dataclass(frozen=True)
class JudgeSize:
    """The sizes of the discriminator; the defaults are the published ones.

    side, points: as in `PictureSize`. channels: of the four convolutions. known: of the example's
    two layers; the second one's also for a picture. memory, layers: of the LSTM.
    """

    side: int = 128
    points: int = 68
    channels: tuple[int, int, int, int] = (64, 128, 256, 512)
    known: tuple[int, int] = (256, 512)
    memory: int = 256
    layers: int = 3


OFFICIAL_JUDGE = JudgeSize()


class Judge(nn.Module):
    """`GL_Discriminator`, name by name; 21,491,473 parameters at the published size.

    `decoder` takes no part; the published files hold it.
    """

    def __init__(self, size: JudgeSize = OFFICIAL_JUDGE) -> None:
        super().__init__()
        c64, c128, c256, c512 = size.channels
        wide, seen = size.known
        self.image_encoder_dis = nn.Sequential(
            convolution(3, c64, stride=2, norm=False),
            convolution(c64, c128, stride=2, norm=True),
            convolution(c128, c256, stride=2, norm=True),
            convolution(c256, c512, stride=2, norm=True),
        )
        self.encoder = nn.Sequential(
            nn.Linear(2 * size.points, wide), nn.ReLU(), nn.Linear(wide, seen), nn.ReLU()
        )
        self.decoder = nn.Sequential(
            nn.Linear(2 * seen, seen), nn.ReLU(), nn.Linear(seen, 2 * size.points), nn.Tanh()
        )
        self.img_fc = nn.Sequential(nn.Linear(c512 * (size.side // 16) ** 2, seen), nn.ReLU())
        self.lstm = nn.LSTM(2 * seen, size.memory, size.layers, batch_first=True)
        self.lstm_fc = nn.Sequential(nn.Linear(size.memory, 2 * size.points), nn.Tanh())
        self.decision = nn.Sequential(nn.Linear(size.memory, 1))

    def forward(self, pictures: Tensor, example: Tensor) -> tuple[Tensor, Tensor]:
        """How real each clip is, (B,) in [0, 1], and the landmarks it shows, (B, T, 2 P).

        pictures: (B, T, 3, S, S) in [-1, 1], 16 frames in the official program, which averages over
        exactly 16; any number here. example: (B, 2 P), landmarks of the still.
        """
        logits, landmarks = self.logits(pictures, example)
        return torch.sigmoid(logits), landmarks

    def logits(self, pictures: Tensor, example: Tensor) -> tuple[Tensor, Tensor]:
        """The same before the sigmoid, for losses."""
        batch, frames = pictures.shape[:2]
        seen = self.img_fc(self.image_encoder_dis(pictures.flatten(0, 1)).flatten(1))
        known = self.encoder(example)[:, None].expand(-1, frames, -1)
        remembered, _ = self.lstm(torch.cat([known, seen.unflatten(0, (batch, frames))], dim=2))
        landmarks = example[:, None] + self.lstm_fc(remembered)
        return self.decision(remembered).mean(dim=(1, 2)), landmarks
