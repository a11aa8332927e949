"""The layers that ATVGnet's networks share, with the published names.

Source: lelechen63/ATVGnet @ 02d8f8f, models.py and convolutional_rnn (the convolutional GRU, there
part of another package).
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

Recurrence: TypeAlias = Literal["none", "time"]


def convolution(
    inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, padding: int = 1, norm: bool
) -> nn.Sequential:
    """Convolution, batch normalisation (then without bias) if `norm`, ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=not norm),
        *([nn.BatchNorm2d(outputs)] if norm else []),
        nn.ReLU(),
    ]
    return nn.Sequential(*layers)


def doubling(inputs: int, outputs: int, *, bias: bool = False) -> list[nn.Module]:
    """Transposed convolution that doubles height and width, batch normalisation, ReLU."""
    return [
        nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, 1, bias=bias),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


class Residual(nn.Module):
    """Two convolutions with dropout between them, added to the input."""

    def __init__(self, channels: int, *, dropout: float = 0.5) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        y: Tensor = x + self.conv_block(x)
        return y


class ConvolutionalGRU(nn.Module):
    """A gated recurrent unit whose products are 3x3 convolutions of dilation 2."""

    DILATION = 2

    def __init__(self, inputs: int, memory: int) -> None:
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.empty(3 * memory, inputs, 3, 3))
        self.weight_hh_l0 = nn.Parameter(torch.empty(3 * memory, memory, 3, 3))
        self.bias_ih_l0 = nn.Parameter(torch.empty(3 * memory))
        self.bias_hh_l0 = nn.Parameter(torch.empty(3 * memory))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(memory), 1 / math.sqrt(memory))

    def forward(self, x: Tensor, recurrence: Recurrence) -> Tensor:
        """(B, T, inputs, H, W) to (B, T, memory, H, W).

        recurrence: "time" carries the state from frame to frame; "none" starts every frame from
        zero, which is what the official program does with a batch of one.
        """
        batch, frames = x.shape[:2]
        driven = self._convolved(x.flatten(0, 1), self.weight_ih_l0, self.bias_ih_l0)
        memory = self.weight_hh_l0.shape[1]
        if recurrence == "none":
            state = x.new_zeros(batch * frames, memory, *x.shape[3:])
            alone = self._step(driven, state)
            return alone.reshape(batch, frames, *alone.shape[1:])
        driven = driven.reshape(batch, frames, *driven.shape[1:])
        state = x.new_zeros(batch, memory, *x.shape[3:])
        states: list[Tensor] = []
        for frame in range(frames):
            state = self._step(driven[:, frame], state)
            states.append(state)
        return torch.stack(states, dim=1)

    def _step(self, driven: Tensor, state: Tensor) -> Tensor:
        kept = self._convolved(state, self.weight_hh_l0, self.bias_hh_l0)
        reset_in, update_in, new_in = driven.chunk(3, dim=1)
        reset_kept, update_kept, new_kept = kept.chunk(3, dim=1)
        reset = torch.sigmoid(reset_in + reset_kept)
        update = torch.sigmoid(update_in + update_kept)
        new = torch.tanh(new_in + reset * new_kept)
        return new + update * (state - new)

    def _convolved(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.conv2d(x, weight, bias, padding=self.DILATION, dilation=self.DILATION)
