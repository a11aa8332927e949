"""Limits how often a client may send requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

KEYS = 10_000  # clients to remember; with more, those with a full bucket are dropped


class RateLimit:
    """A token bucket per key: at most `burst` requests at once, `per_second` on average."""

    def __init__(
        self, *, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens left, and when
        self._lock = threading.Lock()

    def allows(self, key: str) -> bool:
        """Whether this key may send another request now; an allowed request is counted."""
        now = self._clock()
        with self._lock:
            if len(self._buckets) >= KEYS:
                self._forget(now)
            left = self._left(key, now)
            if left < 1:
                return False
            self._buckets[key] = (left - 1, now)
            return True

    def _left(self, key: str, now: float) -> float:
        left, then = self._buckets.get(key, (self._burst, now))
        return min(self._burst, left + (now - then) * self._per_second)

    def _forget(self, now: float) -> None:
        full = [key for key in self._buckets if self._left(key, now) >= self._burst]
        for key in full or list(self._buckets)[: KEYS // 2]:
            del self._buckets[key]
