"""The frame that shows a network what the person looks like: which one, for each shown frame.

Source: Rudrabha/Wav2Lip, inference.py (the frame itself); the others are defined here.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Reference: TypeAlias = Literal["same", "first", "other"]


def reference_frames(
    shown: NDArray[np.int64], recorded: int, reference: Reference
) -> NDArray[np.int64]:
    """The index of the reference frame of each shown frame, (T,).

    shown: (T,) in 0..recorded - 1. reference: the frame itself, whose mouth is the true one; the
    recording's first frame; or the frame half a recording away, cyclically.
    """
    if reference == "same":
        return shown
    if reference == "first":
        return np.zeros_like(shown)
    return (shown + recorded // 2) % recorded
