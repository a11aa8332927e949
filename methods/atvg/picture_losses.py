"""Which pixels count how much in VG-net's training, and how landmarks count.

Source: Chen et al., CVPR 2019; lelechen63/ATVGnet @ 02d8f8f, vgnet.py (the share + 0.5; 100 for the
heights of the mouth's points).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bench.train.pixel_losses import weights_map
from methods.atvg.landmarks import Scheme
from methods.atvg.settings import PictureSettings

LEAST = 0.5  # added to VG-net's share
HEIGHTS = 100.0  # of the mouth's points, inside the square
# Rows and columns of the mouth in an upright 96x96 face (`alignment.TEMPLATE`).
MOUTH = (slice(60, 92), slice(26, 74))


def counted(share: Tensor, stills: Tensor, targets: Tensor, settings: PictureSettings) -> Tensor:
    """The weight of each pixel, (F, 1, S, S); without gradients.

    share: (F, 1, S, S), VG-net's own. stills, targets: (F, 3, S, S) in [-1, 1].
    """
    with torch.no_grad():
        weights = share + LEAST
        if settings.mouth != 1.0:
            weights = weights * weights_map(1.0, settings.mouth, share.device, where=MOUTH)
        if settings.moved:
            change = 0.5 * (targets - stills).abs().mean(dim=1, keepdim=True)
            near = functional.avg_pool2d(change, 5, stride=1, padding=2, count_include_pad=False)
            moved = 1.0 + settings.moved * near
            weights = weights * (moved / moved.mean())
        return weights


def landmark_loss(read: Tensor, true: Tensor, scheme: Scheme) -> Tensor:
    """The official error of landmarks, (B, T, 2 P): the mouth's heights count 100-fold."""
    weights = torch.ones(true.shape[-1], device=true.device)
    weights[[2 * point + 1 for point in scheme.mouth]] = HEIGHTS
    return ((read - true) * weights).square().mean()
