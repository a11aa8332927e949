"""The shipped scorer's two small networks and their inputs: a mouth window and cepstra.

Defined here. This file has every step from a crop or a sound to an embedding, so that training and
scoring cannot diverge.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

WINDOW = 5  # frames of one embedding
COLUMNS = 20  # cepstral columns of one embedding, 10 ms each
COLUMNS_PER_FRAME = 4
COEFFICIENTS = 13
HEIGHT, WIDTH = 56, 64  # pixels, input of the picture network
DIMENSIONS = 256  # of an embedding, before the constant coordinate

# The mouth window in the 224x224 crop of the `tracked` front end, where the face box is 160 pixels
# high and centred on row 80, column 112: from under the nose to under the chin.
MOUTH_TOP, MOUTH_BOTTOM, MOUTH_LEFT, MOUTH_RIGHT = 82, 166, 64, 160

# Typical spread of the liftered cepstra 1 to 12 of loud frames, so that none dominates.
SPREAD = np.array([17, 11, 14, 13, 18, 14, 14, 12, 13, 9, 10, 9], dtype=np.float32)
FAINT = 6.0  # log energy below which a whole clip counts as silent (16-bit amplitudes near 10)
RANGE = 10.0  # nepers of energy below the loudest that count as sound: about 43 dB


class Block(nn.Module):
    """Two 3x3 convolutions that halve height and width, with a skip connection."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.around = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / 2, W / 2)."""
        y = torch.relu_(self.first_norm(self.first(x)))
        return torch.relu_(self.second_norm(self.second(y)) + self.around(x))


class PictureNetwork(nn.Module):
    """Maps five frames of a mouth to one embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3 * WINDOW, 32, 5, stride=2, padding=2, bias=False)
        self.stem_norm = nn.BatchNorm2d(32)
        self.blocks = nn.Sequential(Block(32, 64), Block(64, 128), Block(128, 256))
        self.out = nn.Linear(256, DIMENSIONS)

    def forward(self, windows: Tensor) -> Tensor:
        """(B, 15, 56, 64), standardised, to (B, 256) of length 1."""
        x = torch.relu_(self.stem_norm(self.stem(windows)))  # (B, 32, 28, 32)
        x = self.blocks(x).amax(dim=(2, 3))  # (B, 256); the maximum over space tolerates shifts
        return functional.normalize(self.out(x).float(), dim=1)


class SoundNetwork(nn.Module):
    """Maps 0.2 s of cepstra to one embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(COEFFICIENTS, 128, 5, padding=2, bias=False),
            nn.BatchNorm1d(128),
            nn.ReLU(),
            nn.Conv1d(128, 128, 3, padding=1, bias=False),
            nn.BatchNorm1d(128),
            nn.ReLU(),
            nn.Conv1d(128, 192, 4, stride=2, padding=1, bias=False),  # 10 columns
            nn.BatchNorm1d(192),
            nn.ReLU(),
            nn.Conv1d(192, 192, 3, padding=1, bias=False),
            nn.BatchNorm1d(192),
            nn.ReLU(),
            nn.Conv1d(192, 256, 4, stride=2, padding=1, bias=False),  # 5 columns
            nn.BatchNorm1d(256),
            nn.ReLU(),
        )
        self.out = nn.Linear(256 * COLUMNS // 4, DIMENSIONS)

    def forward(self, windows: Tensor) -> Tensor:
        """(B, 13, 20), standardised, to (B, 256) of length 1."""
        x = self.layers(windows).flatten(1)  # (B, 1280)
        return functional.normalize(self.out(x).float(), dim=1)


class SyncNetwork(nn.Module):
    """Both networks."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = PictureNetwork()
        self.sound = SoundNetwork()


def standardised_windows(frames: Tensor, starts: Tensor) -> Tensor:
    """Windows of five frames as input of the picture network, (B, 15, 56, 64) float32.

    frames: (T, 56, 64, 3) uint8 RGB. starts: (B,) first frames. Each window's mean colour is
    subtracted and the rest divided by its spread, which reduces the influence of light and skin; a
    flat window stays flat.
    """
    index = starts[:, None] + torch.arange(WINDOW)  # (B, 5)
    pixels = frames.float().mul_(1.0 / 255.0)  # (T, 56, 64, 3)
    mean = pixels.mean(dim=(1, 2))[index].mean(dim=1)  # (B, 3)
    square = pixels.square().mean(dim=(1, 2))[index].mean(dim=1)  # (B, 3)
    spread = (square - mean.square()).mean(dim=1).clamp_(min=0.04**2).sqrt_()  # (B,)
    # Windows overlap, so bytes are gathered, a pixel at once, and rows are standardised as a whole.
    colours = np.ascontiguousarray(frames.numpy()).view("V3")[..., 0]  # (T, 56, 64)
    stacked = np.stack([colours[starts.numpy() + k] for k in range(WINDOW)], axis=-1)
    rows = torch.from_numpy(stacked.view(np.uint8).reshape(len(starts), HEIGHT, -1))
    x = rows.float().mul_(1.0 / 255.0)  # (B, 56, 64 * 15)
    x -= mean.repeat(1, WIDTH * WINDOW)[:, None]
    x /= spread[:, None, None]
    # Channels last in memory, the fastest layout for convolutions.
    return x.view(len(starts), HEIGHT, WIDTH, 3 * WINDOW).permute(0, 3, 1, 2)


def standardised_cepstra(cepstra: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cepstra of a whole clip, (13, M) float32, without the effects of loudness and channel.

    Row 0 becomes the energy relative to the clip's loudest frame, -1 if 43 dB below or less. From
    the other rows, the mean over the clip's loud frames is subtracted; they are divided by their
    typical spread and fade out with the energy, so that the spectrum of silence has no influence.
    """
    energy = cepstra[0]  # (M,)
    loudest = max(float(np.percentile(energy, 95)), FAINT)
    below = np.maximum(energy - loudest, -RANGE)  # (M,) in [-10, about 3]
    loud = below > -0.6 * RANGE
    centre = cepstra[1:, loud].mean(axis=1) if loud.any() else np.zeros(COEFFICIENTS - 1)
    gate = np.clip((below + RANGE) / 3.0, 0.0, 1.0)
    shape = (cepstra[1:] - centre[:, None]) / SPREAD[:, None] * gate
    standard = np.concatenate([below[None] / (0.5 * RANGE) + 1.0, np.clip(shape, -4.0, 4.0)])
    return np.asarray(standard, dtype=np.float32)


def sound_windows(standard: NDArray[np.float32], starts: NDArray[np.int64]) -> Tensor:
    """The 20 columns that belong to the five frames from each start, (B, 13, 20) float32.

    standard: (13, M) from `standardised_cepstra`. Columns after the end count as silence.
    """
    index = COLUMNS_PER_FRAME * starts[:, None] + np.arange(COLUMNS)  # (B, 20)
    missing = int(index.max()) + 1 - standard.shape[1]
    if missing > 0:
        silence = np.zeros((COEFFICIENTS, missing), dtype=np.float32)
        silence[0] = -1.0
        standard = np.concatenate([standard, silence], axis=1)
    return torch.from_numpy(np.ascontiguousarray(standard[:, index].transpose(1, 0, 2)))


def mouth_windows(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mouth window, (T, 56, 64, 3) RGB, of each of the (T, 224, 224, 3) BGR crops."""
    import cv2

    mouths = np.empty((len(crops), HEIGHT, WIDTH, 3), dtype=np.uint8)
    for mouth, crop in zip(mouths, crops, strict=True):
        window = crop[MOUTH_TOP:MOUTH_BOTTOM, MOUTH_LEFT:MOUTH_RIGHT]
        small = cv2.resize(window, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        cv2.cvtColor(small, cv2.COLOR_BGR2RGB, dst=mouth)
    return mouths


def with_constant(embeddings: Tensor) -> NDArray[np.float32]:
    """Embeddings with a last coordinate of 1, (N, 257) float32.

    Distances between them do not change. The distance to the zero rows with which LSE pads the
    sound becomes the square root of 2, that of unrelated windows, so padding has no effect.
    """
    extended = functional.pad(embeddings, (0, 1), value=1.0)
    return np.asarray(extended.numpy(), dtype=np.float32)
