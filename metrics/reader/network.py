"""The lip reader's network: what is seen of a mouth in, the chances of each unit out. Defined here.

Its eyes are those of the sync scorer `sync_small`, as they are: they have learnt from sound what
matters in a mouth. Trained is what makes sense of what they see over time.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bench.networks.checkpoints import read_state
from metrics.lse import sync_small
from metrics.lse.sync_small.network import (
    DIMENSIONS,
    WINDOW,
    PictureNetwork,
    standardised_windows,
)

CHANNELS = 192
SPREADS = (1, 2, 4, 8)  # frames between what each layer looks at
KERNEL = 5
STEPS = 2  # answers a frame: Mandarin has up to 14 phonemes a second
GLANCES = 64  # windows at once
_EYES = "picture."  # the prefix of the eyes' weights in the sync scorer's file


@cache
def eyes() -> PictureNetwork:
    """The picture network of the shipped sync scorer, on the CPU."""
    network = PictureNetwork()
    state = {
        name.removeprefix(_EYES): value
        for name, value in read_state(sync_small.WEIGHTS).items()
        if name.startswith(_EYES)
    }
    network.load_state_dict(state, strict=False)  # counters of batches are not kept
    return network.eval()


def seen(mouths: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the eyes see of a mouth, (T, 56, 64, 3) uint8 RGB: (T, 256), the frames around each.

    Beyond its ends a clip goes on with its first and last frame.
    """
    frames = len(mouths)
    beyond = WINDOW // 2
    around = np.arange(-beyond, frames + beyond).clip(0, frames - 1)
    padded = torch.from_numpy(mouths[around])  # (T + 4, 56, 64, 3)
    with torch.inference_mode():
        parts = [
            eyes()(standardised_windows(padded, starts))
            for starts in torch.split(torch.arange(frames), GLANCES)
        ]
    return np.asarray(torch.cat(parts).numpy())


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
        mixed: Tensor = self.mixed(y)
        return x + mixed


class ReaderNetwork(nn.Module):
    """What is seen of mouths to logarithms of the chances of `classes` units, STEPS a frame."""

    def __init__(self, classes: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.enter = nn.Linear(DIMENSIONS, CHANNELS)
        self.context = nn.ModuleList(Context(spread, dropout=dropout) for spread in SPREADS)
        self.norm = nn.LayerNorm(CHANNELS)
        self.out = nn.Linear(CHANNELS, STEPS * classes)
        self.dropout = dropout

    def forward(self, sights: Tensor) -> Tensor:
        """(B, T, 256), of length 1 each, to (B, STEPS T, classes), logarithms of chances."""
        # Scaled to numbers of about 1.
        x = self.enter(sights * DIMENSIONS**0.5)
        x = functional.dropout(x, self.dropout, self.training)
        for layer in self.context:
            x = layer(x)
        answers = self.out(self.norm(x))  # (B, T, STEPS classes)
        count, frames, wide = answers.shape
        return functional.log_softmax(
            answers.view(count, STEPS * frames, wide // STEPS).float(), dim=2
        )
