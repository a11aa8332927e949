"""Lets processes that share a folder do a piece of work there one after another."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def locked(path: Path, *, lasting: bool = True) -> Iterator[None]:
    """Waits until no other process or thread is inside; the system frees the lock of a dead one.

    path: the lock's file, made if need be, its folder too. lasting: whether the file stays; where
    there are locks for thousands of things, it goes with its holder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not (lasting or _lies_at(file, path)):
                continue  # its last holder took the file away while we waited
            try:
                yield
            finally:
                if not lasting:
                    path.unlink(missing_ok=True)
            return


def _lies_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
