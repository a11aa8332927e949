"""Being told to stop by another signal than Ctrl-C's, and ending as after Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGHUP)  # `kill`, batch systems; a terminal that was closed


class Stopped(KeyboardInterrupt):
    """As Ctrl-C, sent as another signal. number: the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stoppable() -> Iterator[None]:
    """Lets those signals break the block off as Ctrl-C does, so that workers and locks are ended.

    One that the process was started to ignore, as under nohup, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def signal_of(error: KeyboardInterrupt) -> int:
    """The number of the signal that broke the work off."""
    return error.number if isinstance(error, Stopped) else int(signal.SIGINT)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)
