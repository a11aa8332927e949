"""Separates failures of the machine from failures of a method or a file.

A full or read-only disk, too many open files, too little memory: such a state passes, so a failure
recorded for it would be wrong the next day. A run that meets one stops with a message, and
continues when it is started again.
"""

from __future__ import annotations

import errno
import math
import mmap
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.files.paths import cache_dir
from bench.ground.errors import MachineFault

_CODES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EFBIG: "the file would be larger than the system allows (ulimit -f)",
    errno.EMFILE: "too many files are open (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENOMEM: "memory is short",
    errno.EAGAIN: "no further process or thread can be started (ulimit -u)",
    errno.EIO: "the disk cannot be read or written",
    errno.ESTALE: "the network disk is gone",
    errno.ENOTCONN: "the network disk is gone",
    errno.EHOSTDOWN: "the network disk is gone",
    errno.ENODEV: "the disk is gone",
}
# Codes that FFmpeg also uses for a file that ends too early or declares an enormous size.
_FILES_TOO = frozenset({errno.EIO, errno.ENOMEM, errno.EAGAIN, errno.ENODEV, errno.EFBIG})

# Messages of libraries and of separate programs whose errors carry no code.
_WORDS = {
    os.strerror(errno.ENOSPC): _CODES[errno.ENOSPC],
    os.strerror(errno.EDQUOT): _CODES[errno.EDQUOT],
    os.strerror(errno.EMFILE): _CODES[errno.EMFILE],
    os.strerror(errno.ENFILE): _CODES[errno.ENFILE],
    f"[Errno {errno.ENOMEM}]": _CODES[errno.ENOMEM],
    "DefaultCPUAllocator": _CODES[errno.ENOMEM],  # torch
    "can't allocate memory": _CODES[errno.ENOMEM],
    "ArrayMemoryError": _CODES[errno.ENOMEM],  # numpy
    "Insufficient memory": _CODES[errno.ENOMEM],  # OpenCV
    "std::bad_alloc": _CODES[errno.ENOMEM],
    "can't start new thread": _CODES[errno.EAGAIN],
    "CUDA out of memory": "the GPU's memory is short",
    "CUDA error: out of memory": "the GPU's memory is short",
    "CUBLAS_STATUS_ALLOC_FAILED": "the GPU's memory is short",
    "CUDNN_STATUS_ALLOC_FAILED": "the GPU's memory is short",
}
_ASKED = re.compile(r"tried to allocate (\d+) bytes")  # torch, on a CPU
_PROBE_BYTES = 1 << 20
_PLENTY_BYTES = 1 << 30  # a disk that reports this much free space is not full
_QUOTA_BYTES = 1 << 16
_SPARE_BYTES = 256 << 20


def machine_fault(error: BaseException, *, ours: tuple[Path, ...] = ()) -> str | None:
    """The machine's state that caused an error, in words; None if the machine did not cause it.

    The error's causes are examined, too. ours: folders that we write to; a file in them without
    write permission counts as the machine's fault.
    """
    causes = list(_causes(error))
    if any(_may_be_a_damaged_file(cause) for cause in causes):
        return None if _has_memory() else _CODES[errno.ENOMEM]
    for cause in causes:
        if isinstance(cause, MachineFault):
            return str(cause)
        if _exceeds_all_memory(cause):
            return None  # no state of this machine could satisfy that
        if isinstance(cause, MemoryError):
            return _CODES[errno.ENOMEM]
        if isinstance(cause, OSError):
            if cause.errno in _CODES:
                return f"{_CODES[cause.errno]}{_file_name(cause)}"
            if isinstance(cause, PermissionError) and _is_in(cause.filename, ours):
                return f"{cause.filename} may not be written"
        if type(cause).__name__ == "OutOfMemoryError":  # torch's; torch may not be imported
            return "the GPU's memory is short"
        message = str(cause)
        for words, meaning in _WORDS.items():
            if words in message:
                return meaning
    return None


def raise_machine_fault(error: BaseException, *, ours: tuple[Path, ...] = ()) -> None:
    """Raises MachineFault if the machine caused the error; else does nothing.

    To be called wherever an error would be recorded as a failure, or passed over.
    """
    if isinstance(error, MachineFault):
        raise error
    fault = machine_fault(error, ours=ours)
    if fault is not None:
        raise MachineFault(fault) from error


def raise_full_disk(*folders: Path) -> None:
    """Raises MachineFault if a disk is full: these folders', the cache's or the temporary folder's.

    To be called after a failure: a separate program may have met the full disk without saying so,
    and some libraries report only that writing failed.
    """
    for folder in (*folders, cache_dir(), Path(tempfile.gettempdir())):
        if not folder.is_dir():
            continue
        try:
            has_plenty = shutil.disk_usage(folder).free >= _PLENTY_BYTES
            # The disk's free space does not show a quota: only writing does.
            wanted = _QUOTA_BYTES if has_plenty else _PROBE_BYTES
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(wanted))
                file.flush()
        except OSError as error:
            # A read-only cache is common, and no failure.
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise MachineFault(f"{_CODES[error.errno]}: {folder}") from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _may_be_a_damaged_file(error: BaseException) -> bool:
    """Whether it is an FFmpeg error that damaged files cause as well as the machine."""
    is_of_ffmpeg = any(base.__name__ == "FFmpegError" for base in type(error).__mro__)
    return is_of_ffmpeg and getattr(error, "errno", None) in _FILES_TOO


def _exceeds_all_memory(error: BaseException) -> bool:
    """Whether numpy or torch was asked for more memory than the machine has in all."""
    wanted = 0
    if isinstance(error, MemoryError) and hasattr(error, "shape") and hasattr(error, "dtype"):
        wanted = math.prod(error.shape) * error.dtype.itemsize  # numpy's
    elif isinstance(error, RuntimeError) and (asked := _ASKED.search(str(error))):
        wanted = int(asked[1])
    return wanted > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _has_memory() -> bool:
    try:
        mmap.mmap(-1, _SPARE_BYTES).close()
    except (OSError, MemoryError):
        return False
    return True


def _file_name(error: OSError) -> str:
    return f": {error.filename}" if error.filename else ""


def _is_in(name: object, folders: tuple[Path, ...]) -> bool:
    if not isinstance(name, str):
        return False
    path = Path(name).absolute()
    return any(path.is_relative_to(folder.absolute()) for folder in folders)


def fault_message(fault: str) -> str:
    """The command line's message for a fault of the machine."""
    return (
        f"{fault}. This is the machine's fault and no result: nothing was recorded for it, and "
        "earlier records are kept. Fix it, then run the same command again: it continues."
    )
