"""The cache folder, whose content can be rebuilt, and the folders searched for weights."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """The cache folder: $BENCH_CACHE, else the user's cache folder. Not created here.

    Absolute, because programs that are given its files run in other working folders.
    """
    named = os.environ.get("BENCH_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("talking-face-bench"))


def weights_dirs() -> list[Path]:
    """Folders searched for weights, in order: those of $BENCH_WEIGHTS, then the cache's own."""
    named = os.environ.get("BENCH_WEIGHTS", "")
    folders = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    return [*folders, cache_dir() / "weights"]
