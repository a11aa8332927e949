"""Writes files and folders that appear under their name only once complete and on the disk."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STALE_SECONDS = 7 * 86_400.0  # after this a part from another machine is surely left over

_PART = re.compile(
    r"\.(?:(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-(?P<start>\d+)-)?[0-9a-f]{32}\.part"
)


@contextmanager
def in_one_move(target: Path, *, lasting: bool = True) -> Iterator[Path]:
    """A new path beside `target` for a file or folder, which is moved to `target` at the end.

    A file replaces an older one; a folder that another process wrote in the meantime stays. If the
    block raises, nothing is left; what a killed process leaves is removed by the next process that
    writes into this folder. lasting: the content is on the disk before the name is, even after a
    power cut; False suits files that their readers check and write again.
    """
    part = part_beside(target)
    lasting = lasting and not _PART.fullmatch(target.name)  # else the outer move syncs it
    try:
        yield part
        if lasting:
            _to_disk(part)
        try:
            part.replace(target)
        except OSError:
            if not (part.is_dir() and target.is_dir()):
                raise
        if lasting:
            _sync(target.parent)
    finally:
        _remove(part)


def part_beside(target: Path) -> Path:
    """A new path in `target`'s folder that no other process or thread uses.

    `sweep` recognises it by its name, and removes it if its process ended without doing so.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _swept_once(target.parent)
    return target.with_name(_part_name())


def sweep(folder: Path) -> None:
    """Removes the parts of ended processes from a folder and the folders below.

    Whether a process on another machine has ended cannot be known; its parts are removed after a
    week without a change. Parts that we may not remove stay.
    """
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            if _PART.fullmatch(name) and _is_left_over(Path(place, name)):
                _remove(Path(place, name))
        folders[:] = [name for name in folders if not _PART.fullmatch(name)]


@functools.lru_cache(maxsize=4096)
def _swept_once(folder: Path) -> None:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        left = [entry.path for entry in entries if _PART.fullmatch(entry.name)]
        for path in map(Path, left):
            if _is_left_over(path):
                _remove(path)


def _part_name() -> str:
    process = os.getpid()
    return f".{_machine()}-{process}-{_start_of(process) or 0}-{uuid.uuid4().hex}.part"


@functools.cache
def _machine() -> str:
    """Identifies the machine or container, within which process numbers are unique."""
    space = ""
    with contextlib.suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]


def _is_left_over(part: Path) -> bool:
    """Whether the process that wrote a part has ended."""
    match = _PART.fullmatch(part.name)
    assert match is not None
    if match["machine"] != _machine():
        try:
            return time.time() - part.stat().st_mtime > STALE_SECONDS
        except OSError:
            return False  # removed in the meantime
    start = _start_of(int(match["process"]))
    is_known = start != 0 and int(match["start"]) != 0
    return start is None or (is_known and int(match["start"]) != start)


def _start_of(process: int) -> int | None:
    """When a process started, in clock ticks; 0 if unknown, None if there is no such process."""
    try:
        line = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
        return int(line.rpartition(")")[2].split()[19])
    except OSError:
        try:
            os.kill(process, 0)
        except (ProcessLookupError, OverflowError):
            return None
        except PermissionError:
            return 0
        return 0


def _to_disk(path: Path) -> None:
    if path.is_dir():
        for place, _, files in os.walk(path):
            for name in files:
                _sync(Path(place, name))
            _sync(Path(place))
    else:
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(part: Path) -> None:
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
