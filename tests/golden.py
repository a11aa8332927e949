"""Reference values of the development data's folder `golden`, and how far others are from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor


def golden_values(shared: Path, name: str) -> dict[str, Tensor]:
    """The arrays of `golden/NAME.npz`. shared: the development data."""
    with np.load(shared / "golden" / f"{name}.npz") as arrays:
        return {key: torch.from_numpy(np.asarray(arrays[key])) for key in arrays}


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest, relative to the largest absolute value expected."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())
