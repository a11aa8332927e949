"""The shipped scorers: a small SyncNet trained by this project, twice; see README.md beside it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench.files.digests import file_sha256
from bench.ground.errors import BenchError

if TYPE_CHECKING:
    from metrics.lse.core import Scorer

SHIPPED = {
    name: Path(__file__).with_name(f"{name}.safetensors") for name in ("sync_small", "sync_wide")
}
WEIGHTS = SHIPPED["sync_small"]


@cache
def digest(name: str = "sync_small") -> str:
    """The SHA-256 of a shipped scorer's weights, 64 hexadecimal digits."""
    weights = SHIPPED[name]
    if not weights.is_file():
        raise BenchError(f"{weights}: the shipped scorer's weights are missing; reinstall")
    return file_sha256(weights)


def load(device: str, *, weights: Path | None = None) -> Scorer:
    """The scorer on a device. weights: a file from `bench train` in place of the shipped one.

    Raises BenchError if the file is missing or is not one of this network.
    """
    from metrics.lse.sync_small.scorer import SmallSync

    return SmallSync(weights or WEIGHTS, device=device)
