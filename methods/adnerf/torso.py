"""What the torso's field hears: the speech, and where the head is.

Source: YudongGuo/AD-NeRF @ 9fdcd7e.
"""

from __future__ import annotations

import torch
from torch import Tensor

from methods.radiance.codes import octaves

OCTAVES = 3


def angles(pose: Tensor) -> Tensor:
    """The three angles of a pose, (4, 4) camera to world -> (3,) radians."""
    return torch.stack(
        [
            torch.atan2(pose[2, 2], pose[1, 2]),
            torch.asin(-pose[0, 2]),
            torch.atan2(pose[0, 0], -pose[0, 1]),
        ]
    )


def torso_signal(heard: Tensor, pose: Tensor) -> Tensor:
    """heard: (C,), the head's signal; pose: (4, 4) -> (C + 42,)."""
    return torch.cat([heard, octaves(angles(pose), OCTAVES), octaves(pose[:3, 3], OCTAVES)])
