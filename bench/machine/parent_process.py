"""Ends a helper process together with the process that started it, however that one ended."""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing.connection import wait


def end_with_parent() -> None:
    """Makes this process end as soon as the one that started it is gone; a pool's initializer.

    A pool's processes wait for work for ever. A parent that was ended by `kill -9` can no longer
    stop them: they would keep their memory, and write beside the run that takes its place.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
