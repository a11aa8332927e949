"""The networks of LPIPS, for the metric and for training losses; the linear layers are shipped."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

LINEAR = Path(__file__).with_name("linear.safetensors")


@cache
def linear_digest() -> str:
    """The SHA-256 of the shipped linear layers, 64 hexadecimal digits."""
    return hashlib.sha256(LINEAR.read_bytes()).hexdigest()
