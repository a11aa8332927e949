"""Checks that a file still has the bytes of its recorded digest.

Each process reads a file for this once, and again when its size, times or inode change. A disk or
cache that flips a bit changes none of these, so digests found by earlier processes are not trusted.
"""

from __future__ import annotations

import functools
import logging
import os
from pathlib import Path

from bench.files.digests import file_sha256

LOG = logging.getLogger("bench.files.intact")
Stamp = tuple[int, int, int, int]


def stamp_of(status: os.stat_result) -> Stamp:
    """Size, modification time, change time and inode: one changes when a file is rewritten."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def sha256_here(path: Path) -> str:
    """The SHA-256 of a file as read by this process; raises OSError where it cannot be read."""
    return _sha256(path, stamp_of(path.stat()))


def is_intact(path: Path, sha256: str) -> bool:
    """Whether a file exists and has this SHA-256; a different one is logged."""
    try:
        found = sha256_here(path)
    except FileNotFoundError:
        return False
    if found != sha256:
        LOG.warning("%s: is damaged: SHA-256 %s instead of %s", path, found, sha256)
    return found == sha256


@functools.lru_cache(maxsize=65_536)
def _sha256(path: Path, _stamp: Stamp) -> str:
    return file_sha256(path)
