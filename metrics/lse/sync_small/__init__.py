"""The shipped scorer: a small SyncNet trained by this project; see README.md beside it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ground.errors import BenchError

if TYPE_CHECKING:
    from metrics.lse.core import Scorer

WEIGHTS = Path(__file__).with_name("sync_small.safetensors")


@cache
def digest() -> str:
    """The SHA-256 of the shipped weights, 64 hexadecimal digits."""
    if not WEIGHTS.is_file():
        raise BenchError(f"{WEIGHTS}: the shipped scorer's weights are missing; reinstall")
    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()


def load(device: str, *, weights: Path | None = None) -> Scorer:
    """The scorer on a device. weights: a file from `bench train` in place of the shipped one.

    Raises BenchError if the file is missing or is not one of this network.
    """
    from metrics.lse.sync_small.scorer import SmallSync

    return SmallSync(weights or WEIGHTS, device=device)
