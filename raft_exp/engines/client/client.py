"""Sends many requests to servers with OpenAI's chat API, with limits on requests, attempts and time.

    async for name, reply in ChatClient(config).replies(chats, {"temperature": 0}):
        ...  # each reply as soon as it arrives

Requests use aiohttp and not OpenAI's own client, which needs four times as much CPU time for a request: too much for
hundreds of open requests. This module retries requests itself, because retries depend on incomplete, slow and empty
replies, and on the rate limits of all requests.

Each server has `in_flight` workers, and all workers take their requests from one queue. So a request goes to a server
that is free. If a server fails and another one is free, the request goes back to the queue.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Mapping
from typing import TypeVar

from raft_exp.core.errors import ServerError
from raft_exp.engines.client.attempt import Sender, open_session
from raft_exp.engines.client.protocol import AttemptError, ChatConfig, ServerReply, key_of
from raft_exp.engines.client.queue import ChatPrompt, OpenRequest, RequestQueue
from raft_exp.engines.client.servers import Server, ServerPool

log = logging.getLogger(__name__)

# Seconds: the wait before the second attempt, and the longest wait. Only a server's Retry-After can make it longer.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
_IN_A_ROW = 20  # number of consecutive requests without a usable reply that ends the run

Refuse = Callable[[str, str], None]  # called with the id of a request that the server refuses for good, and the reason
Keep = Callable[[str, ServerReply], None]  # called with the id of a request and its reply

T = TypeVar("T")


class ChatClient:
    """Sends requests to the servers of `config`. `group`: the config group in error messages, engine or teacher.

    Raises ConfigError where the API key is missing in the environment, or invalid.
    """

    def __init__(self, config: ChatConfig, group: str = "engine") -> None:
        self._config, self._group = config, group
        self.sent = 0  # attempts of all calls of `replies` that have ended
        self._key = key_of(config, group)

    async def replies(
        self,
        chats: Iterable[ChatPrompt],
        fields: Mapping[str, object],
        refuse: Refuse | None = None,
        keep: Keep | None = None,
    ) -> AsyncGenerator[tuple[str, ServerReply], None]:
        """Yields (id, reply) as replies arrive. `fields`: fields of each request in addition to model and messages.

        `refuse` is called for each request that the server refuses for good; without `refuse`, such a request counts as
        failed. `keep` is called with each reply as soon as it arrives, before this method yields it.

        A request fails if no attempt gets a usable reply; the other requests continue. If requests failed, raises
        ServerError at the end, with their number and the reason of the first failure. Raises ServerError earlier if no
        more replies can be expected, with the reason. Raises ConfigError if the environment sets an unusable proxy.
        """
        async with open_session(self._key) as session:
            sender = Sender(session, self._config, self._key)
            run = _Run(sender, self._config, self._group, chats, fields, refuse, keep)
            try:
                async for item in run.replies():
                    yield item
            finally:
                await run.close()
                self.sent += run.sent
        if problem := run.problem():
            raise ServerError(
                f"{self._group}: {problem}; all good replies are stored; to continue, repeat the command, which "
                "requests only the missing ones"
            )


class _Run:
    """The requests of one call of `ChatClient.replies`."""

    def __init__(
        self,
        sender: Sender,
        config: ChatConfig,
        group: str,
        chats: Iterable[ChatPrompt],
        fields: Mapping[str, object],
        refuse: Refuse | None,
        keep: Keep | None,
    ) -> None:
        self._sender, self._config, self._group = sender, config, group
        self._refuse, self._keep = refuse, keep
        own = {"model": config.model, **fields, **config.extra_body}
        self._fields = {name: value for name, value in own.items() if value is not None}
        self._pool = ServerPool(config.servers)
        self._queue = RequestQueue(chats, self._pool)
        self._tasks: list[asyncio.Task[None]] = []
        self.sent = self._good = self._in_a_row = 0
        self._failed: list[tuple[str, str]] = []
        self._ended = ""  # reason why no more requests are sent; "" while the run continues

    async def replies(self) -> AsyncIterator[tuple[str, ServerReply]]:
        """Yields (id, reply). Each server has `in_flight` workers, which send one request at a time."""
        arrived: asyncio.Queue[tuple[str, ServerReply] | None] = asyncio.Queue()
        workers = asyncio.create_task(self._run_workers(arrived))
        self._tasks.append(workers)
        workers.add_done_callback(lambda _: arrived.put_nowait(None))
        while (item := await arrived.get()) is not None:
            yield item
        await workers

    async def close(self) -> None:
        """Cancels the workers, and returns when all have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run_workers(self, arrived: asyncio.Queue[tuple[str, ServerReply] | None]) -> None:
        """Starts the workers one after another, until all run or one of them has ended."""
        workers = []
        for server in self._pool.servers * self._config.in_flight:
            workers.append(asyncio.create_task(self._work(server, arrived)))
            self._tasks.append(workers[-1])
            await asyncio.sleep(0)
            if any(worker.done() for worker in workers):  # a worker failed, the run has ended, or no request is left
                break
        await asyncio.gather(*workers)

    def problem(self) -> str:
        """Returns why requests have no reply; "" if all have one. Requests reported with `refuse` do not count."""
        server = f"{self._config.servers[0]}: " if self._pool.single else ""  # else the reason names the server
        if self._ended:
            return f"{server}{self._ended} (after {self._good} good replies)"
        if self._failed:
            name, reason = self._failed[0]
            return f"{server}{len(self._failed)} of {self._good + len(self._failed)} requests got no usable reply " + (
                f"(first: {name}: {reason})"
            )
        return ""

    async def _work(self, server: Server, arrived: asyncio.Queue[tuple[str, ServerReply] | None]) -> None:
        while (request := await self._queue.next(server)) is not None:
            if (reply := await self._reply(request, server)) is not None:
                self._good, self._in_a_row = self._good + 1, 0
                if self._keep:
                    self._keep(request.chat.id, reply)
                arrived.put_nowait((request.chat.id, reply))
                self._queue.settle()

    async def _reply(self, request: OpenRequest, server: Server) -> ServerReply | None:
        """Returns the reply to one request; None if the request fails, goes to another server, or the run ends."""
        while not self._ended:
            await self._wait(request, server)
            if self._queue.moves(request, server):
                self._queue.put_back(request, server)
                return None
            if self._config.max_requests is not None and self.sent >= self._config.max_requests:
                self._end(
                    f"{self._group}.max_requests allows no more requests ({self.sent} were sent); raise it, or set it "
                    "to null for no limit"
                )
                return None
            self.sent += 1
            try:
                reply = await self._sender(server, {**self._fields, "messages": request.chat.messages})
            except AttemptError as trouble:
                if self._fails(request, server, trouble):
                    return None
            else:
                server.replies += 1
                self._responded(server)
                return reply
        return None

    def _fails(self, request: OpenRequest, server: Server, trouble: AttemptError) -> bool:
        """Records a failed attempt. Returns whether this failure ends the request or the run."""
        reason = trouble.reason if self._pool.single else f"{server.url}: {trouble.reason}"
        other = self._pool.other(server)
        if trouble.ends == "run" or (
            (trouble.ends == "start" and not server.replies) or (trouble.ends == "server" and not other)
        ):
            self._end(reason)
            return True
        # An attempt does not count if the server was down before and another one is free, or if it met a rate limit and
        # other requests got replies since the last failed attempt.
        lasts = (trouble.down and server.down and other) or (trouble.limited and self._good > request.replies)
        request.tries += not lasts
        request.replies = self._good
        self._note(request, server, trouble, reason)
        if trouble.ends == "request":
            self._give_up(request, trouble.reason, self._refuse)
        elif request.tries >= self._config.attempts:
            self._give_up(request, reason, None)
        else:
            return False
        return True

    def _note(self, request: OpenRequest, server: Server, trouble: AttemptError, reason: str) -> None:
        """Updates the state of a server after a failed attempt, and the time of the request's next attempt."""
        wait = max(_wait_before(request.tries), trouble.wait or 0.0)
        if trouble.limited:  # the limit is for the account: all workers of the server wait
            self._responded(server)
            server.rest(wait)
        elif trouble.down:
            server.failed(max(_wait_before(server.failures + 1), trouble.wait or 0.0))
            if server.failures == 2 and server.tested:  # the server failed before, and in a test
                log.warning("%s: %s; its requests go to the other servers", self._group, reason)
            server.tested = False
        else:
            self._responded(server)
        if trouble.limited or trouble.down:
            request.failed_at.add(server)
        if not trouble.limited:
            request.not_before = time.monotonic() + wait

    def _responded(self, server: Server) -> None:
        if server.failures > 1:
            log.warning("%s: %s replies again", self._group, server.url)
        was_down, server.tested = server.down, False
        server.responded()
        if was_down:
            self._queue.wake()

    async def _wait(self, request: OpenRequest, server: Server) -> None:
        """Waits until the rate limit of the server and the pause after a failed attempt are over.

        Returns at once if another server can take the request, or if the run has ended.
        """
        while not self._ended and not self._queue.moves(request, server):
            left = max(server.rests_until, request.not_before) - time.monotonic()
            if left <= 0:
                if server in request.failed_at:
                    request.failed_at.clear()
                return
            # the random part lets the workers restart at different times
            await asyncio.sleep(min(left, 1.0) + random.random() * min(left, 1.0) / 10)

    def _give_up(self, request: OpenRequest, reason: str, refuse: Refuse | None) -> None:
        name = request.chat.id
        if refuse:
            refuse(name, reason)
        else:
            self._failed.append((name, reason))
        self._in_a_row += 1
        if self._in_a_row >= _IN_A_ROW:
            self._end(f"{self._in_a_row} requests in a row got no usable reply (last: {name}: {reason})")
        self._queue.settle()

    def _end(self, reason: str) -> None:
        """Ends the run: no more requests are sent."""
        self._ended = self._ended or reason
        self._queue.close()


def _wait_before(attempt: int) -> float:
    """Returns the seconds to wait after `attempt` failed attempts.

    The wait doubles with each attempt, up to `_LONGEST_WAIT`. A random part of at most a quarter is subtracted.
    """
    return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** max(0, attempt - 1)) * (1 - random.random() / 4)


def as_they_come(stream: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """Iterates over an asynchronous stream in synchronous code. The event loop runs only during each `next` call."""

    async def following() -> tuple[T] | None:
        try:
            return (await anext(stream),)
        except StopAsyncIteration:
            return None

    with asyncio.Runner() as runner:
        try:
            while (item := runner.run(following())) is not None:
                yield item[0]
        finally:
            runner.run(_close(stream))


async def _close(stream: AsyncGenerator[T, None]) -> None:
    await stream.aclose()
