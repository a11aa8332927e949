"""The shipped landmark network, trained by this project; see README.md beside it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from bench.ground.errors import BenchError

WEIGHTS = Path(__file__).with_name("landmarks_small.safetensors")


@cache
def digest() -> str:
    """The SHA-256 of the shipped weights, 64 hexadecimal digits."""
    if not WEIGHTS.is_file():
        raise BenchError(f"{WEIGHTS}: the weights of landmarks_small are missing; reinstall")
    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
