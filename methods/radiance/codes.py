"""What networks are given in place of bare coordinates: octaves of sines, spherical harmonics.

Source: YudongGuo/AD-NeRF @ 9fdcd7e; Fictionarry/ER-NeRF @ 0cf72d8, whose kernels agree with it.
"""

from __future__ import annotations

import torch
from torch import Tensor

HARMONICS = 16  # of degree 0 to 3


def octaves(x: Tensor, count: int) -> Tensor:
    """(..., D) -> (..., D (1 + 2 count)): x, sin x, cos x, sin 2x, cos 2x, ..., without pi."""
    waves = [wave(x * 2.0**octave) for octave in range(count) for wave in (torch.sin, torch.cos)]
    return torch.cat([x, *waves], dim=-1)


def octaves_width(inputs: int, count: int) -> int:
    """The last dimension of what `octaves` gives."""
    return inputs * (1 + 2 * count)


def harmonics(directions: Tensor) -> Tensor:
    """Unit directions, (..., 3) -> the real spherical harmonics of degree 0 to 3, (..., 16)."""
    x, y, z = directions.unbind(-1)
    xx, yy, zz, xy, yz, xz = x * x, y * y, z * z, x * y, y * z, x * z
    return torch.stack(
        [
            torch.full_like(x, 0.28209479177387814),
            -0.48860251190291987 * y,
            0.48860251190291987 * z,
            -0.48860251190291987 * x,
            1.0925484305920792 * xy,
            -1.0925484305920792 * yz,
            0.94617469575755997 * zz - 0.31539156525251999,
            -1.0925484305920792 * xz,
            0.54627421529603959 * (xx - yy),
            0.59004358992664352 * y * (yy - 3.0 * xx),
            2.8906114426405538 * xy * z,
            0.45704579946446572 * y * (1.0 - 5.0 * zz),
            0.3731763325901154 * z * (5.0 * zz - 3.0),
            0.45704579946446572 * x * (1.0 - 5.0 * zz),
            1.4453057213202769 * z * (xx - yy),
            0.59004358992664352 * x * (3.0 * yy - xx),
        ],
        dim=-1,
    )
