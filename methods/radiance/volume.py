"""Colours along a ray, put together; samples where the first look found something.

Source: YudongGuo/AD-NeRF @ 9fdcd7e, after Mildenhall et al., ECCV 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LEAST_DENSITY = 1e-6  # so that the density never stops learning entirely
BEYOND = 1e10  # length of the last sample: nothing shines through it


@dataclass(frozen=True)
class Integral:
    """What N rays see.

    colour: (N, 3) in [0, 1], the background included. weights: (N, S), of each sample; the last is
    the background's. foreground: (N, 3), the colour without the background. depth, disparity,
    opacity: (N,); opacity counts the background and is always 1.
    """

    colour: Tensor
    weights: Tensor
    foreground: Tensor
    depth: Tensor

    @property
    def opacity(self) -> Tensor:
        return self.weights.sum(-1)

    @property
    def disparity(self) -> Tensor:
        return 1.0 / torch.clamp(self.depth / self.opacity, min=1e-10)

    @property
    def last_weight(self) -> Tensor:
        """The share of the background, (N,)."""
        return self.weights[:, -1]


def integrated(raw: Tensor, depths: Tensor, lengths: Tensor, background: Tensor) -> Integral:
    """The integral along N rays of S samples.

    raw: (N, S, 4): red, green, blue before the sigmoid, density before the ReLU. depths: (N, S)
    rising, in multiples of the ray. lengths: (N,) of the rays' directions. background: (N, 3) in
    [0, 1]: it takes the place of the last sample's colour.
    """
    steps = torch.cat([depths.diff(dim=-1), torch.full_like(depths[:, :1], BEYOND)], dim=-1)
    density = torch.relu(raw[..., 3]) + LEAST_DENSITY
    alpha = 1.0 - torch.exp(-density * (steps * lengths[:, None]))
    passing = torch.cat([torch.ones_like(alpha[:, :1]), 1.0 - alpha + 1e-10], dim=-1)
    weights = alpha * torch.cumprod(passing, dim=-1)[:, :-1]
    seen = torch.sigmoid(raw[:, :-1, :3])
    foreground = (weights[:, :-1, None] * seen).sum(1)
    colour = foreground + weights[:, -1:] * background
    return Integral(colour, weights, foreground, (weights * depths).sum(-1))


def drawn_from(edges: Tensor, weights: Tensor, places: Tensor) -> Tensor:
    """Samples by inverse transform of a piecewise constant density.

    edges: (N, E) rising. weights: (N, E - 1). places: (N, S) in [0, 1], evenly spaced or drawn.
    """
    share = weights + 1e-5
    share = share / share.sum(-1, keepdim=True)
    total = torch.cat([torch.zeros_like(share[:, :1]), share.cumsum(-1)], dim=-1)  # (N, E)
    after = torch.searchsorted(total, places.contiguous(), right=True)
    below, above = (after - 1).clamp(min=0), after.clamp(max=total.shape[-1] - 1)
    low, high = total.gather(-1, below), total.gather(-1, above)
    width = torch.where(high - low < 1e-5, torch.ones_like(high), high - low)
    start, end = edges.gather(-1, below), edges.gather(-1, above)
    return start + (places - low) / width * (end - start)
