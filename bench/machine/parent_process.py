"""Ends a worker process when its parent process ends, for whatever reason."""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing.connection import wait


def end_with_parent() -> None:
    """Ends this process as soon as its parent has ended; call it as a pool's initializer.

    Pool processes wait for work for ever. A parent killed by `kill -9` cannot stop them: they would
    keep their memory, and write into the folder of the run that is started next.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
