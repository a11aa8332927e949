"""Losses on pixels, and how sharp a mouth is: for generators of faces (B, 3, 96, 96) in [0, 1].

Sources: doi 10.11896/jsjkx.241200067, eq. 10 (L1); Denton et al. 2015, "Deep generative image
models using a Laplacian pyramid" (the bands of `pyramid_loss`).
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from bench.networks.face_crops import SIZE

Region: TypeAlias = tuple[slice, slice]  # rows and columns

# Rows and columns of the mouth in a 96x96 face, as the harness's tracks place it (measured on all
# three corpora: 19..79, 48..86).
MOUTH = (slice(50, 90), slice(20, 76))


def weights_map(
    lower: float, mouth: float, device: torch.device, *, where: Region = MOUTH
) -> Tensor:
    """The weight of each pixel, (96, 96), 1 on average: the lower half and the mouth count more.

    lower, mouth: weights relative to the upper half's. where: the mouth.
    """
    counted = torch.ones(SIZE, SIZE, device=device)
    counted[SIZE // 2 :] = lower
    counted[where] = mouth
    return counted / counted.mean()


def reconstruction_loss(made: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """Mean absolute difference (eq. 10), weighted by `counted`, (H, W) or (B, 1, H, W)."""
    return ((made - target).abs() * counted).mean()


def pyramid_loss(made: Tensor, target: Tensor, *, levels: int = 3) -> Tensor:
    """Mean absolute difference of the lower halves' Laplacian bands, so that edges count."""
    a, b = made[:, :, SIZE // 2 :], target[:, :, SIZE // 2 :]
    total = torch.zeros((), device=made.device)
    for _ in range(levels):
        small_a, small_b = functional.avg_pool2d(a, 2), functional.avg_pool2d(b, 2)
        band_a = a - functional.interpolate(small_a, scale_factor=2.0, mode="bilinear")
        band_b = b - functional.interpolate(small_b, scale_factor=2.0, mode="bilinear")
        total = total + (band_a - band_b).abs().mean()
        a, b = small_a, small_b
    return total


def sharpness(faces: Tensor) -> Tensor:
    """The variance of the Laplacian of the mouth in grey, (B,); grey levels 0..255."""
    red, green, blue = faces[:, :, MOUTH[0], MOUTH[1]].float().unbind(1)
    grey = 255.0 * (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]  # (B, 1, h, w)
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]], device=grey.device)
    return functional.conv2d(grey, kernel[None, None]).flatten(1).var(dim=1)
