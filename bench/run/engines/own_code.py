"""Which state of this project's code a process runs, so that no two machines run different ones."""

from __future__ import annotations

import functools
from pathlib import Path

from bench.files.digests import digest, file_sha256

_PACKAGES = ("bench", "methods", "metrics")


@functools.cache
def own_code_digest() -> str:
    """The digest of every Python file of ours that decides results, read once per process."""
    root = Path(__file__).resolve().parents[3]
    files = sorted(path for name in _PACKAGES for path in (root / name).rglob("*.py"))
    return digest({path.relative_to(root).as_posix(): file_sha256(path) for path in files})
