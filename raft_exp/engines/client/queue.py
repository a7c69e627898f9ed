"""The queue of a run's requests, from which the workers of all servers take the next request."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from raft_exp.engines.client.servers import Server, ServerPool

_LONGEST_SLEEP = 1.0  # seconds after which a waiting worker looks at the queue again


@dataclass(frozen=True)
class ChatPrompt:
    """One request: an id and the messages of the chat."""

    id: str
    messages: list[dict[str, str]]


@dataclass(eq=False)
class OpenRequest:
    """A request without a reply."""

    chat: ChatPrompt
    tries: int = 0  # failed attempts that count
    replies: int = 0  # number of good replies of all servers, at the time of the last failed attempt
    not_before: float = 0.0  # monotonic time of the next attempt at the same server
    failed_at: set[Server] = field(default_factory=set)  # servers that failed since the request last waited


class RequestQueue:
    """New requests, which are read one by one, and requests that go from one server to another."""

    def __init__(self, chats: Iterable[ChatPrompt], pool: ServerPool) -> None:
        self._chats, self._pool = iter(chats), pool
        self._exhausted = self._closed = False
        self._again: deque[OpenRequest] = deque()  # requests whose server failed
        self._open = 0  # requests without reply or failure
        self._news = asyncio.Event()  # set when a waiting worker may have something to do

    async def next(self, server: Server) -> OpenRequest | None:
        """Waits until the server can get a request. Returns the request; None if the run has no more requests."""
        while not self._closed:
            wait = self._pool.wait(server)
            if wait <= 0 and (request := self._take(server)):
                server.tested = server.down and self._pool.other(server)
                return request
            if self._exhausted and (self._pool.single or not self._open):
                return None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait, _LONGEST_SLEEP) if wait > 0 else _LONGEST_SLEEP):
                    await self._news.wait()
        return None

    def _take(self, server: Server) -> OpenRequest | None:
        for place, request in enumerate(self._again):
            if server not in request.failed_at or not self._pool.other(server, request.failed_at):
                del self._again[place]
                request.not_before = 0.0
                return request
        if not self._exhausted and (chat := next(self._chats, None)) is not None:
            self._open += 1
            return OpenRequest(chat)
        self._exhausted = True
        return None

    def moves(self, request: OpenRequest, server: Server) -> bool:
        """Returns whether `request` should go to another server.

        It should if it failed at `server`, and a server at which it has not failed is free.
        """
        return server in request.failed_at and self._pool.other(server, request.failed_at)

    def put_back(self, request: OpenRequest, server: Server) -> None:
        """Puts a request whose server failed back into the queue, for the other servers."""
        server.tested = False
        self._again.append(request)
        self.wake()

    def settle(self) -> None:
        """Notes that a request has a reply, or has failed."""
        self._open -= 1
        if not self._open:
            self.wake()

    def close(self) -> None:
        """Ends the run: `next` returns None."""
        self._closed = True
        self.wake()

    def wake(self) -> None:
        """Wakes the workers that wait for a request."""
        self._news.set()
        self._news = asyncio.Event()
