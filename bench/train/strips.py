"""Pictures of a network's output on held-out clips, to look at during training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.files.one_move import in_one_move
from bench.ground.types import Frames


def write_strip(path: Path, rows: Sequence[Frames]) -> None:
    """Writes rows of frames as one PNG, in one move.

    rows: each (N, H, W, 3) uint8 RGB, side by side; all rows equally wide.
    """
    import cv2

    picture = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    is_written, data = cv2.imencode(".png", picture[:, :, ::-1])
    assert is_written
    path.parent.mkdir(parents=True, exist_ok=True)
    with in_one_move(path) as part:
        part.write_bytes(data.tobytes())
