"""What a metric last computed from one video, for the next measurement with the same one.

All videos of a case are measured with the same reference, one after the other.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from bench.contract.video import Video

Found = TypeVar("Found")


class LastOf(Generic[Found]):
    """Remembers what was computed from the last video; it keeps the result, not the video."""

    def __init__(self) -> None:
        self._last: tuple[weakref.ref[Video], Found] | None = None

    def of(self, video: Video, compute: Callable[[], Found]) -> Found:
        """The result of `compute` for this video, computed again only if the last was another."""
        last = self._last
        if last is not None and last[0]() is video:
            return last[1]
        found = compute()
        self._last = weakref.ref(video), found
        return found
