"""The cache folder, whose content can be rebuilt; the folders of data and of weights."""

from __future__ import annotations

import os
from pathlib import Path

DATA = "BENCH_DATA"


def cache_dir() -> Path:
    """The cache folder: $BENCH_CACHE, else the user's cache folder. Not created here.

    Absolute, because programs that are given its files run in other working folders.
    """
    named = os.environ.get("BENCH_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("talking-face-bench"))


def data_dir() -> Path:
    """Where pulled data sets lie: $BENCH_DATA, else the user's data folder. Not created here."""
    named = os.environ.get(DATA)
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("talking-face-bench"))


def weights_dirs() -> list[Path]:
    """Folders searched for weights, in order: those of $BENCH_WEIGHTS, then the cache's own."""
    named = os.environ.get("BENCH_WEIGHTS", "")
    folders = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    return [*folders, cache_dir() / "weights"]
