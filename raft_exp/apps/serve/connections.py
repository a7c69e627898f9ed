"""Limits on connections: their number, and the time in which the head of a request must arrive.

A connection without a complete request head (slow client, port scanner) is closed after `HEAD_SECONDS`. It is closed
earlier if there are too many connections. So slow clients do not block other clients, and the process does not run out
of file descriptors.
"""

import asyncio
import os
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
ACCEPTED = 16  # connections that asyncio accepts in one turn of its loop
_MOST = 512
_TURNS = 6  # largest number of turns of the loop until a refused connection has freed its file descriptor
_RESERVE = 64  # file descriptors for the rest of the process


def most_connections() -> int:
    """Returns the number of connections that the limit on file descriptors allows, at most 512."""
    try:
        import resource
    except ImportError:  # no POSIX system
        return _MOST
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        used = len(os.listdir("/dev/fd"))
    except OSError:
        used = 32
    return max(8, min(_MOST, limit - used - _TURNS * ACCEPTED - _RESERVE))


class LimitedProtocol(H11Protocol):
    """uvicorn's HTTP protocol with the limits of this module. `most`: largest number of open connections."""

    most = _MOST

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accepts a connection. If there are too many, closes the oldest one without a complete request head."""
        super().connection_made(transport)
        self._await_head()
        if len(self.connections) > self.most:
            waiting = [other for other in self.connections if isinstance(other, LimitedProtocol) and other._late]
            oldest = min(waiting, key=lambda other: cast(asyncio.TimerHandle, other._late).when())
            oldest.close()

    def data_received(self, data: bytes) -> None:
        """Receives a part of a request (a hook of asyncio)."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:  # the head of the next request has begun
            self._await_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cleans up after the end of the connection (a hook of asyncio)."""
        self._stop_waiting()
        super().connection_lost(exc)

    def close(self) -> None:
        """Closes the connection without a response."""
        self._stop_waiting()
        self.connections.discard(self)
        self.transport.abort()

    def _await_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self.close)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
