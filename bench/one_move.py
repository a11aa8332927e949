"""Files and folders that appear under their name only when they are whole."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def in_one_move(target: Path) -> Iterator[Path]:
    """A path beside `target`, nothing there yet, for a file or folder that is moved there at last.

    A file takes the place of an older one; a folder that another process made meanwhile stays as
    it is. Where the block raises, nothing is left.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{uuid.uuid4().hex}.part")  # its own for each process and thread
    try:
        yield part
        try:
            part.replace(target)
        except OSError:
            if not (part.is_dir() and target.is_dir()):
                raise
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
