"""Tells a failure of the machine from one of a method or a file: it is no verdict on either.

A full disk, a read-only one, no more files, no more memory: each comes and goes, so that what a
cell said of it would stand in the records for ever and be wrong the next day. A run that meets one
stops with a sentence and goes on when it is called again.
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

from bench.errors import MachineFault
from bench.files.paths import cache_dir

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
# What FFmpeg also says of a file that ends too early, or that claims to be enormous.
_FILES_TOO = frozenset({errno.EIO, errno.ENOMEM, errno.EAGAIN, errno.ENODEV, errno.EFBIG})

# Words of libraries, and of programs that ran apart from us, where no number came with the error.
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
_PLENTY_BYTES = 1 << 30  # so much free by the disk's own account is no full disk
_QUOTA_BYTES = 1 << 16
_SPARE_BYTES = 256 << 20


def machine_fault(error: BaseException, *, ours: tuple[Path, ...] = ()) -> str | None:
    """In words, what of the machine an error comes from; None where it says nothing of it.

    The error's causes are looked at too. ours: folders that we write to, so that one of their files
    which may not be written is the machine's fault as well.
    """
    causes = list(_causes(error))
    if any(_is_of_a_file(cause) for cause in causes):
        return None if _has_memory() else _CODES[errno.ENOMEM]
    for cause in causes:
        if isinstance(cause, MachineFault):
            return str(cause)
        if _is_beyond_reach(cause):
            return None  # whoever asks for that is wrong on this machine every day
        if isinstance(cause, MemoryError):
            return _CODES[errno.ENOMEM]
        if isinstance(cause, OSError):
            if cause.errno in _CODES:
                return f"{_CODES[cause.errno]}{_named(cause)}"
            if isinstance(cause, PermissionError) and _is_in(cause.filename, ours):
                return f"{cause.filename} may not be written"
        if type(cause).__name__ == "OutOfMemoryError":  # torch's, which is not imported for this
            return "the GPU's memory is short"
        said = str(cause)
        for words, meaning in _WORDS.items():
            if words in said:
                return meaning
    return None


def raise_machine_fault(error: BaseException, *, ours: tuple[Path, ...] = ()) -> None:
    """Raises MachineFault where the error is the machine's; else does nothing.

    For every place that would write an error down as a failure, or go on without what failed.
    """
    if isinstance(error, MachineFault):
        raise error
    fault = machine_fault(error, ours=ours)
    if fault is not None:
        raise MachineFault(fault) from error


def raise_full_disk(*folders: Path) -> None:
    """Raises MachineFault where a folder takes no more bytes.

    To be asked when something failed: a program that ran apart may have met the full disk and told
    nobody, and some libraries only say that it did not work.
    """
    for folder in (*folders, cache_dir(), Path(tempfile.gettempdir())):
        if not folder.is_dir():
            continue
        try:
            has_plenty = shutil.disk_usage(folder).free >= _PLENTY_BYTES
            # A quota shows in no account of the disk: only writing meets it.
            wanted = _QUOTA_BYTES if has_plenty else _PROBE_BYTES
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(wanted))
                file.flush()
        except OSError as error:
            # A cache that we may only read is a usual thing, and no failure.
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise MachineFault(f"{_CODES[error.errno]}: {folder}") from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _is_of_a_file(error: BaseException) -> bool:
    """Whether it is an error of FFmpeg that damaged files cause as well as machines."""
    is_of_ffmpeg = any(base.__name__ == "FFmpegError" for base in type(error).__mro__)
    return is_of_ffmpeg and getattr(error, "errno", None) in _FILES_TOO


def _is_beyond_reach(error: BaseException) -> bool:
    """Whether numpy or torch was asked for more than all memory that the machine has."""
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


def _named(error: OSError) -> str:
    return f": {error.filename}" if error.filename else ""


def _is_in(name: object, folders: tuple[Path, ...]) -> bool:
    if not isinstance(name, str):
        return False
    path = Path(name).absolute()
    return any(path.is_relative_to(folder.absolute()) for folder in folders)


def told(fault: str) -> str:
    """What the command line says of a fault."""
    return (
        f"{fault}. That is the machine's state and no verdict: nothing was recorded of it, and "
        "what was recorded before is kept. Mend it, then run the same command again: it goes on."
    )
