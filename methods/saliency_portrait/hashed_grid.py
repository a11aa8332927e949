"""A grid of features in a plane, at several sizes, whose finer ones share the rows of a table.

Source: Müller et al., SIGGRAPH 2022, as Fictionarry/ER-NeRF @ 0cf72d8 (`gridencoder`) has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

PRIME = 2654435761
SMALLEST = 1e-4  # of the first values
WORD = 0xFFFFFFFF


@dataclass(frozen=True)
class GridSize:
    """coarsest, finest: cells along a side. table: rows that a size has at most, a power of 2.

    shared_by: how a cell of a size with more cells finds its row: by "hash", or "tiled", by its
    number modulo the number of rows.
    """

    levels: int = 12
    channels: int = 1
    coarsest: int = 64
    finest: int = 512
    table: int = 2**14
    shared_by: Literal["hash", "tiled"] = "hash"

    @property
    def width(self) -> int:
        """Features of a point."""
        return self.levels * self.channels

    def scale(self, level: int) -> float:
        """What a place in [0, 1] is multiplied by: the cells along a side, less one."""
        octaves = math.log2(self.finest / self.coarsest) / max(self.levels - 1, 1)
        return float(2.0 ** (level * octaves) * self.coarsest - 1.0)

    def corners(self, level: int) -> int:
        """Corners of cells along a side."""
        return math.ceil(self.scale(level)) + 2

    def rows(self, level: int) -> int:
        """Rows of the table: a multiple of 8."""
        return min(self.table, math.ceil(self.corners(level) ** 2 / 8) * 8)


HEAD_PLANE = GridSize()
TORSO_PLANE = GridSize(16, 2, 16, 2048, 2**16, "tiled")


class HashedGrid(nn.Module):
    """Features of places in a plane. 163,584 parameters of a head's plane, 1,111,040 of a torso."""

    offsets: Tensor

    def __init__(self, size: GridSize = HEAD_PLANE) -> None:
        super().__init__()
        self.size = size
        rows = [size.rows(level) for level in range(size.levels)]
        ends = [sum(rows[:level]) for level in range(size.levels + 1)]
        self.embeddings = nn.Parameter(torch.empty(ends[-1], size.channels))
        nn.init.uniform_(self.embeddings, -SMALLEST, SMALLEST)
        self.register_buffer("offsets", torch.tensor(ends, dtype=torch.int32))
        self._starts = ends

    @property
    def width(self) -> int:
        return self.size.width

    def forward(self, places: Tensor) -> Tensor:
        """places: (N, 2) in [-1, 1] -> (N, levels * channels); zero for places outside."""
        unit = (places + 1.0) / 2.0
        is_inside = ((unit >= 0) & (unit <= 1)).all(-1, keepdim=True)
        levels = [self._at(level, unit) for level in range(self.size.levels)]
        return torch.cat(levels, dim=-1) * is_inside

    def _at(self, level: int, unit: Tensor) -> Tensor:
        """The features of one size, between the four corners around each place."""
        at = unit.clamp(0, 1) * self.size.scale(level) + 0.5
        corner = at.detach().floor()
        share = at - corner
        found = torch.zeros(len(unit), self.size.channels, device=unit.device, dtype=unit.dtype)
        for right in (0, 1):
            for up in (0, 1):
                across = share[:, 0] if right else 1 - share[:, 0]
                down = share[:, 1] if up else 1 - share[:, 1]
                cell = corner.long() + torch.tensor([right, up], device=unit.device)
                row = self._starts[level] + self._row(level, cell)
                found = found + (across * down)[:, None] * self.embeddings[row]
        return found

    def _row(self, level: int, cell: Tensor) -> Tensor:
        """cell: (N, 2) -> (N,), in the size's part of the table."""
        x, y = cell[:, 0], cell[:, 1]
        rows, corners = self.size.rows(level), self.size.corners(level)
        if self.size.shared_by == "hash" and corners**2 > rows:
            return (x ^ ((y * PRIME) & WORD)) % rows
        # As the official kernel: no second coordinate where one row of cells fills the table.
        return (x + y * corners * (corners <= rows)) % rows
