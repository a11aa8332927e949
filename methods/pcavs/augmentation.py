"""What training does to the frames that give the pose, so that the pose says nothing else.

Hangz-nju-cuhk/Talking-Face_PC-AVS @ 201d2b9 changes their colours, perspective and sharpness, so
that who it is must come from the still. Squeezing stands in for part of the perspective here.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LIGHT, TINT = 0.3, 0.1  # of gain, for all colours and for each
SQUEEZE = 0.03  # of the width
TILT = 0.02  # of the perspective: how much larger one edge is than the middle
BLUR = 5  # pixels of 224 over which a blurred picture is averaged


def disguised(pictures: Tensor, owners: Tensor, random: torch.Generator) -> Tensor:
    """Pictures (F, 3, H, W) in [0, 1] with other colours and form, the same for each clip's frames.

    owners: (F,), 0..D - 1.
    """
    count = int(owners.max()) + 1

    def drawn(*shape: int) -> Tensor:
        values = 2.0 * torch.rand(count, *shape, generator=random) - 1.0
        return values.to(pictures.device)[owners]

    gain = (1.0 + LIGHT * drawn(1)) * (1.0 + TINT * drawn(3))  # (F, 3)
    coloured = (pictures * gain[..., None, None] + 0.1 * drawn(1, 1, 1)).clamp(0.0, 1.0)
    rows, columns = (torch.linspace(-1, 1, n, device=pictures.device) for n in pictures.shape[2:])
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    depth = 1.0 + TILT * (drawn(1, 1) * x + drawn(1, 1) * y)  # (F, H, W)
    across = 1.0 + SQUEEZE * drawn(1, 1)
    grid = torch.stack([x * across * depth, y * depth], dim=-1)
    return functional.grid_sample(coloured, grid, padding_mode="border", align_corners=True)


def estranged(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Pictures (D, N, 3, H, W) in [0, 1], N of each of D items, as the published networks get them.

    The colours of another item's (mean and deviation of each channel), by a drawn share; then as
    `disguised`; then blurred by a drawn share. The same for an item's N frames.
    """
    items, frames = pictures.shape[:2]
    mean, deviation = (
        statistic(pictures, dim=(1, 3, 4), keepdim=True) for statistic in (torch.mean, torch.std)
    )
    as_other = (pictures - mean) / (deviation + 1e-3)
    as_other = as_other * deviation.roll(1, 0) + mean.roll(1, 0)
    shares = torch.rand(2, items, 1, 1, 1, 1, generator=random).to(pictures.device)
    coloured = torch.lerp(pictures, as_other, shares[0]).clamp(0.0, 1.0).flatten(0, 1)
    owners = torch.arange(items, device=pictures.device).repeat_interleave(frames)
    changed = disguised(coloured, owners, random)
    edge = BLUR // 2
    padded = functional.pad(changed, (edge, edge, edge, edge), mode="replicate")
    blurred = functional.avg_pool2d(padded, BLUR, 1)
    return torch.lerp(changed.view_as(pictures), blurred.view_as(pictures), shares[1])
