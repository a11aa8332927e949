"""The connections of a served study: those that ask for nothing never stand in a rater's way."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 15.0  # in which a request must be there whole, from the first byte to the last
MOST = 1000  # at once; for one more, the one that has waited longest without asking is closed


class Connection(H11Protocol):
    """One connection, closed where a request does not become whole in time.

    uvicorn bounds only the time between two requests. Where as many are open as may be, a new one
    takes the place of the oldest that asks for nothing at the moment; where all are busy, it is
    closed itself. Raters never wait for those who only hold a line.
    """

    _since = 0.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Makes room where there is none, and begins to wait for the first request."""
        self._since = time.monotonic()
        if not self._has_room():
            transport.abort()
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Takes what came; a request that began must end in time."""
        self._since = time.monotonic()
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Goes on; a request that began in the same packet as the one before must end, too."""
        super().on_response_complete()
        if self.conn.trailing_data[0]:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the time limit."""
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
        """Whether a request has yet to come, or to become whole."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _give_up(self) -> None:
        self._deadline = None
        self.logger.warning("closed a connection: no whole request in %g s", REQUEST_SECONDS)
        self.transport.abort()

    def _has_room(self) -> bool:
        open_ones: list[Any] = [one for one in self.connections if not one.transport.is_closing()]
        if len(open_ones) < MOST:
            return True
        idle = [one for one in open_ones if one._is_asking()]
        if idle:
            min(idle, key=lambda one: one._since).transport.abort()
        return bool(idle)
