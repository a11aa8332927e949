"""The way around a residual block, as both encoders of PC-AVS have it."""

from __future__ import annotations

from torch import nn


def shortcut(entering: int, leaving: int, stride: int) -> nn.Module:
    """The identity, or what makes the input (B, entering, H, W) as large as the block's output."""
    if stride == 1 and entering == leaving:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(entering, leaving, 1, stride, bias=False), nn.BatchNorm2d(leaving)
    )
