"""Lets processes that share a folder do a piece of work there one at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError


@contextmanager
def locked(path: Path, *, busy: str = "") -> Iterator[None]:
    """Waits until no other process is inside; the system frees the lock of one that died.

    path: the lock's file, made if need be, its folder too; or a folder that is there. busy: what
    BenchError says where another process is inside, instead of waiting for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            raise BenchError(busy) from None  # a lock that is held is not the machine's state
        yield
    finally:
        os.close(handle)
