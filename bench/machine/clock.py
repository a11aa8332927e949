"""The current time, and for how long at least one of several threads did real work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@dataclass
class Span:
    """The duration of one piece of work, set when it ends."""

    seconds: float = 0.0


class Clock:
    """Adds up the time in which any thread is busy; the rest of the wall time is overhead."""

    def __init__(self) -> None:
        self.busy_seconds = 0.0
        self._active = 0
        self._since = 0.0
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[Clock], tuple[()]]:
        """In another process a clock starts anew: nobody adds up the time of several."""
        return Clock, ()

    @contextmanager
    def busy(self) -> Iterator[Span]:
        """Times one piece of decoding, encoding or a plugin's own work."""
        span = Span()
        start = time.perf_counter()
        with self._lock:
            if self._active == 0:
                self._since = start
            self._active += 1
        try:
            yield span
        finally:
            end = time.perf_counter()
            span.seconds = end - start
            with self._lock:
                self._active -= 1
                if self._active == 0:
                    self.busy_seconds += end - self._since
