"""Features of videos on disk: arrays, or the reason why there are none.

Each has its own file, `CACHE/features/NAME/ab/abcd....npz`, named by the digest of the video and of
everything that affects the feature. No file holds a pickle; damaged ones are computed again. All
files together stay below $BENCH_FEATURES_GIB (default 20): the longest unused are deleted first.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.lib import format as npy

from bench.contract.video import Arrays
from bench.files.digests import digest
from bench.files.lock import locked
from bench.files.one_move import in_one_move
from bench.ground.errors import BenchError, Undefined

VARIABLE: Final = "BENCH_FEATURES_GIB"
USUAL_GIB = 20.0
ROOM = 0.1  # the share of the limit that is freed when it is reached
UNSEEN = 0.05  # the share that a process writes before it counts the files of others again
REASON = "undefined.txt"  # the name within a file; arrays end in .npy
_UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


class FeatureStore:
    """Features under a folder; safe to use from several threads and processes at once."""

    def __init__(self, folder: Path, *, limit: int | None = None) -> None:
        """limit: bytes that all files may take together; None reads the environment."""
        self.folder = folder
        self._limit = limit_bytes() if limit is None else limit
        self._size = math.inf  # of all files, as far as this process knows
        self._unseen = 0
        self._counting = threading.Lock()

    def get(self, name: str, key: str, compute: Callable[[], Arrays]) -> Arrays:
        """The arrays under a key; simultaneous callers compute them only once.

        name: the feature's. compute: returns the arrays. If it raises Undefined, this is kept as
        well and raised for every caller. Other errors are not kept.
        """
        path = self.folder / name / key[:2] / f"{key}.npz"
        found = self._found(path)
        if found is None:
            with locked(self.folder / "locks" / f"{key}.lock", lasting=False):
                found = self._found(path) or self._computed(path, compute)
        if isinstance(found, Undefined):
            raise found
        return found

    def _found(self, path: Path) -> Arrays | Undefined | None:
        """The content of a file; None if it is missing or damaged."""
        try:
            found = _read(path)
        except _UNREADABLE:
            return None
        with contextlib.suppress(OSError):  # the cache may be read-only
            os.utime(path)  # marks it as used, so that others are deleted first
        return found

    def _computed(self, path: Path, compute: Callable[[], Arrays]) -> Arrays | Undefined:
        try:
            found: Arrays | Undefined = compute()
        except Undefined as absent:
            found = absent
        if self._limit:
            # Readers never see half a file; one that a power cut tore fails its check.
            with in_one_move(path, lasting=False) as part:
                _write(part, found)
                size = part.stat().st_size
            self._make_room(size)
        return found

    def _make_room(self, written: int) -> None:
        """Deletes the longest unused files if all together exceed the limit."""
        with self._counting:
            self._size += written
            self._unseen += written
            if self._size <= self._limit and self._unseen <= UNSEEN * self._limit:
                return
            files = sorted(_files(self.folder))
            self._size, self._unseen = sum(size for _, size, _ in files), 0
            if self._size <= self._limit:
                return
            for _, size, path in files:
                if self._size <= (1 - ROOM) * self._limit:
                    break
                with contextlib.suppress(OSError):
                    os.unlink(path)  # noqa: PTH108 (of a hundred thousand)
                self._size -= size


def limit_bytes() -> int:
    """How many bytes features may take on disk. Raises BenchError if this is no number."""
    named = os.environ.get(VARIABLE, "").strip()
    try:
        limit = float(named) if named else USUAL_GIB
    except ValueError:
        limit = math.nan
    if not 0 <= limit < math.inf:
        raise BenchError(
            f"{VARIABLE}: {named!r} is no size; expected how many GiB features may take on disk, "
            f"as in {USUAL_GIB:g}, or 0 to keep none"
        )
    return int(limit * 2**30)


def _read(path: Path) -> Arrays | Undefined:
    """The content of a file; raises one of _UNREADABLE if it is missing or damaged."""
    with zipfile.ZipFile(path) as archive:
        # Reading all of it compares the check sums.
        parts = {name: archive.read(name) for name in archive.namelist()}
        if archive.comment != _names_digest(parts):
            raise ValueError("a part of the file is missing")
    if REASON in parts:
        return Undefined(parts[REASON].decode())
    return {
        name.removesuffix(".npy"): npy.read_array(io.BytesIO(content), allow_pickle=False)
        for name, content in parts.items()
    }


def _write(path: Path, found: Arrays | Undefined) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        if isinstance(found, Undefined):
            archive.writestr(REASON, str(found))
        else:
            for name, array in found.items():
                content = io.BytesIO()
                npy.write_array(content, np.asanyarray(array), allow_pickle=False)
                archive.writestr(f"{name}.npy", content.getvalue())
        archive.comment = _names_digest(archive.namelist())


def _names_digest(names: Iterable[str]) -> bytes:
    """The digest of the parts' names, which shows whether a part is missing."""
    return digest(sorted(names)).encode()


def _files(folder: Path) -> Iterator[tuple[int, int, str]]:
    """For each file: when it was last used, its bytes, its path."""
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".npz"):
                path = os.path.join(place, name)  # noqa: PTH118 (of a hundred thousand)
                with contextlib.suppress(OSError):  # another process has just removed it
                    status = os.stat(path)  # noqa: PTH116
                    yield status.st_mtime_ns, status.st_size, path
