"""A lock between processes that work in the same folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.ground.errors import BenchError


@contextmanager
def locked(path: Path, *, busy: str = "", lasting: bool = True) -> Iterator[None]:
    """Waits until no other process or thread holds the lock; the system releases a dead holder's.

    path: the lock file, created with its folder if needed; or an existing folder. busy: the message
    of the BenchError that is raised at once if another process holds the lock; without it, this one
    waits. lasting: whether the file stays; locks for thousands of things go with their holders.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
            except BlockingIOError:
                raise BenchError(busy) from None  # a held lock is no fault of the machine
            if not (lasting or _lies_at(handle, path)):
                continue  # its last holder removed the file while we waited
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
