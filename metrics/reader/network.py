"""The lip reader's network: a mouth's frames in, the chances of each unit in each half frame out.

Its eyes are those of the sync scorer `sync_small`, from whose weights training starts: they have
learnt from sound what matters in a mouth. Defined here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from metrics.lse.sync_small.network import (
    DIMENSIONS,
    WINDOW,
    PictureNetwork,
    standardised_windows,
)

CHANNELS = 192
SPREADS = (1, 2, 4, 8)  # frames between what each layer of the context looks at
KERNEL = 5
STEPS = 2  # answers a frame: Mandarin has up to 14 phonemes a second


class Context(nn.Module):
    """What the frames around say of a frame: a convolution over time, with a way around it."""

    def __init__(self, spread: int, *, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(CHANNELS)
        self.around = nn.Conv1d(
            CHANNELS, CHANNELS, KERNEL, dilation=spread, padding=KERNEL // 2 * spread
        )
        self.mixed = nn.Linear(CHANNELS, CHANNELS)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, CHANNELS) to the same."""
        y = self.around(self.norm(x).transpose(1, 2)).transpose(1, 2)
        y = functional.dropout(functional.gelu(y), self.dropout, self.training)
        return x + self.mixed(y)


class ReaderNetwork(nn.Module):
    """Mouths to the logarithms of the chances of `classes` units, STEPS times a frame."""

    def __init__(self, classes: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.eyes = PictureNetwork()
        self.enter = nn.Linear(DIMENSIONS, CHANNELS)
        self.context = nn.ModuleList(Context(spread, dropout=dropout) for spread in SPREADS)
        self.norm = nn.LayerNorm(CHANNELS)
        self.out = nn.Linear(CHANNELS, STEPS * classes)

    def train(self, mode: bool = True) -> ReaderNetwork:
        """As for every network; the eyes keep their norms, for a few clips are too few for them."""
        super().train(mode)
        self.eyes.eval()
        return self

    def forward(self, mouths: Tensor) -> Tensor:
        """(B, T, 56, 64, 3) uint8 RGB to (B, STEPS T, classes), logarithms of chances."""
        return self.understand(self.see(mouths))

    def see(self, mouths: Tensor) -> Tensor:
        """(B, T, 56, 64, 3) uint8 RGB to (B, T, 256): the five frames around each frame.

        Beyond its ends a clip goes on with its first and last frame.
        """
        count, frames = mouths.shape[:2]
        beyond = WINDOW // 2
        index = torch.arange(-beyond, frames + beyond).clamp(0, frames - 1)  # (T + 4,)
        padded = mouths[:, index].flatten(0, 1)  # (B (T + 4), 56, 64, 3)
        starts = torch.arange(frames) + (frames + 2 * beyond) * torch.arange(count)[:, None]
        seen = self.eyes(standardised_windows(padded, starts.flatten()))
        # Embeddings have length 1; what follows expects numbers of about 1.
        return (seen * DIMENSIONS**0.5).view(count, frames, DIMENSIONS)

    def understand(self, seen: Tensor) -> Tensor:
        """(B, T, 256) to (B, STEPS T, classes), logarithms of chances."""
        x = self.enter(seen)
        for layer in self.context:
            x = layer(x)
        answers = self.out(self.norm(x))  # (B, T, STEPS classes)
        count, frames, wide = answers.shape
        return functional.log_softmax(
            answers.view(count, STEPS * frames, wide // STEPS).float(), dim=2
        )
