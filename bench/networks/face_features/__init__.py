"""The network behind the metric `perceptual`, shipped; see `network` for what it is."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from bench.ground.errors import BenchError

WEIGHTS = Path(__file__).with_name("face_features.safetensors")


@cache
def digest() -> str:
    """The SHA-256 of the shipped weights, 64 hexadecimal digits."""
    if not WEIGHTS.is_file():
        raise BenchError(f"{WEIGHTS}: the shipped network's weights are missing; reinstall")
    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
