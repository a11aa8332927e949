"""Faces as the network sees them, and back: the rows from `top` on, in [-1, 1].

Source: soumik-kanad/diff2lip @ 0655a45, guided_diffusion/tfg_data_util.py.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from methods.diff2lip.sizes import Filling, Size


def seen(faces: Tensor, size: Size) -> Tensor:
    """Faces (B, 3, S, S) in [0, 1] as pictures (B, 3, rows, S) in [-1, 1]."""
    return 2.0 * faces[:, :, size.top :] - 1.0


def condition(pictures: Tensor, size: Size, filling: Filling, noise: Tensor) -> Tensor:
    """What is known of pictures (B, 3, rows, S): the rows above the hidden ones.

    filling: what stands in the hidden rows: `noise`, of the same shape, or grey.
    """
    below = noise[:, :, size.seen :]
    if filling == "grey":
        below = torch.zeros_like(below)
    return torch.cat([pictures[:, :, : size.seen], below], dim=2)


def lower(pictures: Tensor, size: Size) -> Tensor:
    """The drawn rows of pictures as lower halves of faces, (B, 3, h, S) in about [0, 1]."""
    return 0.5 * pictures[:, :, size.seen :] + 0.5


def resized(faces: Tensor, side: int) -> Tensor:
    """Faces (B, 3, S, S) as (B, 3, side, side); what is large is averaged, not skipped."""
    if faces.shape[3] == side:
        return faces
    return functional.interpolate(faces, (side, side), mode="bilinear", antialias=True)
