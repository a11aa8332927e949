"""Lets processes that share a folder do a piece of work there one at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError


@contextmanager
def locked(path: Path, *, busy: str = "", lasting: bool = True) -> Iterator[None]:
    """Waits until no other process or thread is inside; the system frees the lock of a dead one.

    path: the lock's file, made if need be, its folder too; or a folder that is there. busy: what
    BenchError says where another process is inside, instead of waiting for it. lasting: whether the
    file stays; where there are locks for thousands of things, it goes with its holder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
            except BlockingIOError:
                raise BenchError(busy) from None  # a lock that is held is not the machine's state
            if not (lasting or _lies_at(handle, path)):
                continue  # its last holder took the file away while we waited
            try:
                yield
            finally:
                if not lasting:
                    path.unlink(missing_ok=True)
            return
        finally:
            os.close(handle)


def _lies_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
