"""AD-NeRF's field: a point, a direction and a signal to a colour and a density.

Source: YudongGuo/AD-NeRF @ 9fdcd7e, `FaceNeRF`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from methods.radiance.codes import octaves, octaves_width


@dataclass(frozen=True)
class FieldSize:
    """The size of a field; the defaults are the official ones.

    signal: width of what it hears, 64 for the head and 106 for the torso. depth, width: of the
    layers before the density. again_after: the layer after which the input is put in front again.
    views: layers that know the direction, half as wide. position, direction: octaves of the codes.
    """

    signal: int = 64
    depth: int = 8
    width: int = 256
    again_after: int = 4
    views: int = 3
    position: int = 10
    direction: int = 4

    @property
    def inputs(self) -> int:
        """Width of the code of a position with the signal."""
        return octaves_width(3, self.position) + self.signal

    @property
    def half(self) -> int:
        """Width of the layers that know the direction."""
        return self.width // 2


HEAD, TORSO = FieldSize(), FieldSize(signal=106)


class Field(nn.Module):
    """A radiance field. 661,636 parameters as the head, 683,140 as the torso.

    `feature_linear` is never used; official weights have it.
    """

    def __init__(self, size: FieldSize = HEAD) -> None:
        super().__init__()
        self.size = size
        width, half = size.width, size.half
        entering = [size.inputs] + [
            width + size.inputs * (layer == size.again_after) for layer in range(size.depth - 1)
        ]
        self.pts_linears = nn.ModuleList(nn.Linear(each, width) for each in entering)
        first = width + octaves_width(3, size.direction)
        self.views_linears = nn.ModuleList(
            nn.Linear(half if layer else first, half) for layer in range(size.views)
        )
        self.feature_linear = nn.Linear(width, width)
        self.alpha_linear = nn.Linear(width, 1)
        self.rgb_linear = nn.Linear(half, 3)

    def forward(self, points: Tensor, directions: Tensor, signal: Tensor) -> Tensor:
        """points, unit directions: (N, 3); signal: (N, S) or (S,) -> (N, 4).

        Red, green, blue and density, before any activation.
        """
        heard = signal.expand(len(points), -1)
        position = octaves(points, self.size.position)
        return self.of_codes(position, heard, octaves(directions, self.size.direction))

    def of_codes(self, position: Tensor, signal: Tensor, direction: Tensor) -> Tensor:
        """The same from codes that are already made."""
        given = torch.cat([position, signal], dim=-1)
        hidden = given
        for layer, linear in enumerate(self.pts_linears):
            hidden = torch.relu(linear(hidden))
            if layer == self.size.again_after:
                hidden = torch.cat([given, hidden], dim=-1)
        density = self.alpha_linear(hidden)
        hidden = torch.cat([hidden, direction], dim=-1)
        for linear in self.views_linears:
            hidden = torch.relu(linear(hidden))
        return torch.cat([self.rgb_linear(hidden), density], dim=-1)
