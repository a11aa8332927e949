"""The digest of the code of this project that a process runs: all machines must run the same."""

from __future__ import annotations

import functools
from pathlib import Path

from bench.files.digests import digest, file_sha256

_PACKAGES = ("bench", "methods", "metrics")


@functools.cache
def own_code_digest() -> str:
    """The digest of all our Python files that affect results, computed once per process."""
    root = Path(__file__).resolve().parents[3]
    files = sorted(path for name in _PACKAGES for path in (root / name).rglob("*.py"))
    return digest({path.relative_to(root).as_posix(): file_sha256(path) for path in files})
