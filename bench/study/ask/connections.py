"""Connections of the study server: idle or incomplete ones cannot keep raters out."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 15.0  # time limit for receiving a request, from its first byte to its last
MOST = 1000  # connections at once; for one more, the one that was idle longest is closed


class Connection(H11Protocol):
    """One connection; it is closed if a request does not arrive completely in time.

    uvicorn itself limits only the time between two requests. If MOST connections are open, a new
    one replaces the one that has been idle longest; if none is idle, the new one is closed. So
    raters never wait for connections that are held open without a request.
    """

    _since = 0.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Frees a place if all are taken, and starts the time limit of the first request."""
        self._since = time.monotonic()
        if not self._has_room():
            transport.abort()
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Accepts bytes; a request that has begun must end in time."""
        self._since = time.monotonic()
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Starts the time limit also for a request that began in the previous one's packet."""
        super().on_response_complete()
        if self.conn.trailing_data[0]:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancels the time limit."""
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if not self._is_asking():
            self._stop_watching()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self._give_up)

    def _stop_watching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_asking(self) -> bool:
        """Whether the connection is idle or its request is still incomplete."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _give_up(self) -> None:
        self._deadline = None
        self.logger.warning("closed a connection: no complete request in %g s", REQUEST_SECONDS)
        self.transport.abort()

    def _has_room(self) -> bool:
        open_ones: list[Any] = [one for one in self.connections if not one.transport.is_closing()]
        if len(open_ones) < MOST:
            return True
        idle = [one for one in open_ones if one._is_asking()]
        if idle:
            min(idle, key=lambda one: one._since).transport.abort()
        return bool(idle)
