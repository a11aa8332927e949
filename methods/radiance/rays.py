"""Rays through pixels: OpenGL's camera, which looks along -z.

Source: YudongGuo/AD-NeRF @ 9fdcd7e, `get_rays`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rays:
    """N rays: origins and directions, both (N, 3); directions have z = -1 seen from the camera."""

    origins: Tensor
    directions: Tensor

    @property
    def lengths(self) -> Tensor:
        """(N,)."""
        return self.directions.norm(dim=-1)  # type: ignore[no-any-return]

    @property
    def unit(self) -> Tensor:
        """The directions with length 1, (N, 3)."""
        return self.directions / self.lengths[:, None]

    def at(self, depths: Tensor) -> Tensor:
        """The points at (N, S) multiples of the directions, (N, S, 3)."""
        return self.origins[:, None] + self.directions[:, None] * depths[..., None]


def rays_through(
    pixels: Tensor, pose: Tensor, *, focal: Tensor | float, centre: Tensor | tuple[float, float]
) -> Rays:
    """pixels: (N, 2) x y. pose: (4, 4) or (N, 4, 4), camera to world. focal: pixels."""
    if not isinstance(centre, Tensor):
        centre = pixels.new_tensor(centre)
    x, y = ((pixels - centre) / (focal[..., None] if isinstance(focal, Tensor) else focal)).unbind(
        -1
    )
    seen = torch.stack([x, -y, -torch.ones_like(x)], dim=-1)
    turned = (seen[..., None, :] * pose[..., :3, :3]).sum(-1)
    return Rays(pose[..., :3, 3].expand_as(turned), turned)
