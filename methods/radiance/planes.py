"""Three planes of features around a head, each at several sizes, without a table that is shared.

Below 128 cells a dense plane is no larger than ER-NeRF's hash table, and one fused kernel reads it
(measured for this project: BASELINES_NERF_DIFF's section 2.4).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

PAIRS = ((0, 1), (1, 2), (0, 2))  # the coordinates of the planes: xy, yz, xz
SPREAD = 0.1  # of the first values


class DensePlanes(nn.Module):
    """Features of points, (N, 3) in [-1, 1] -> (N, width): of xy, then yz, then xz."""

    def __init__(self, cells: tuple[int, ...] = (24, 64, 128), channels: int = 6) -> None:
        super().__init__()
        self.sizes = nn.ParameterList(
            nn.Parameter(SPREAD * torch.randn(3, channels, side, side)) for side in cells
        )
        self.width = 3 * channels * len(cells)

    def forward(self, points: Tensor) -> Tensor:
        places = torch.stack([points[:, list(pair)] for pair in PAIRS])  # (3, N, 2)
        grid = places[:, :, None]
        found = [
            functional.grid_sample(plane, grid, align_corners=True, padding_mode="zeros")[..., 0]
            for plane in self.sizes
        ]  # each (3, C, N)
        return torch.cat(found, dim=1).flatten(0, 1).T
