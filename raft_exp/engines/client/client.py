"""Many requests to a server that speaks OpenAI's chat protocol: bounded in number, in tries and in time.

    async for name, reply in ChatClient(config).replies(chats, {"temperature": 0}):
        ...  # as they come; what has come is good, whatever comes later

Requests go by aiohttp, the transport of the official client: what that client adds to each (three times the work of
the request itself) is what hundreds in flight would wait for. Whether a request is sent again is decided here, where a
body that is cut, slow or empty is seen, and that other requests were told to wait.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from raft_exp.core.errors import ServerError
from raft_exp.engines.client import urls as addresses
from raft_exp.engines.client.protocol import AttemptError, ChatConfig, Ends, ResponseReader, ServerReply, key_of

if TYPE_CHECKING:
    import aiohttp

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0  # seconds before the second attempt, and before any
_IN_A_ROW = 20  # requests without a usable reply, and none with one between: the rest is not tried

Refuse = Callable[[str, str], None]  # takes a request's id, and why the server will never answer it
Keep = Callable[[str, ServerReply], None]

T = TypeVar("T")


@dataclass(frozen=True)
class ChatPrompt:
    """One request."""

    id: str
    messages: list[dict[str, str]]


class ChatClient:
    """Sends requests of one config. `group` is where that stands in the study's config, for messages.

    Raises ConfigError when the environment holds no key.
    """

    def __init__(self, config: ChatConfig, group: str = "engine") -> None:
        self._config, self._group = config, group
        self.sent = 0  # attempts of all calls of `replies` that have ended
        self._key = key_of(config, group)

    async def replies(
        self,
        chats: Iterable[ChatPrompt],
        body: Mapping[str, Any],
        refuse: Refuse | None = None,
        keep: Keep | None = None,
    ) -> AsyncIterator[tuple[str, ServerReply]]:
        """Yields (id, reply) as they come; `body` holds the fields of a request beside model and messages.

        A request that the server will not take, whenever it is asked, is told to `refuse`; without that it counts as
        one that got no usable reply. `keep` takes each reply before another request is sent in its place.

        A request without a usable reply after all its attempts does not stop the others; when all are done, or when
        it is clear that nothing more will come, ServerError says how many and why, in one line.
        """
        async with _session(self._config.base_url, self._key) as session:
            run = _Run(session, self._config, ResponseReader(self._config, self._key), body, refuse, keep)
            try:
                async for found in run.replies(chats):
                    yield found
            finally:
                await run.close()
                self.sent += run.sent
        if problem := run.problem():
            raise ServerError(
                f"{self._group}: {self._config.base_url}: {problem}; good replies are kept, and the same "
                "command asks for the others alone"
            )


class _Run:
    """The requests of one call of `ChatClient.replies`."""

    def __init__(
        self,
        session: "aiohttp.ClientSession",
        config: ChatConfig,
        reading: ResponseReader,
        body: Mapping[str, Any],
        refuse: Refuse | None,
        keep: Keep | None,
    ) -> None:
        self._session, self._config, self._reading = session, config, reading
        self._url = config.base_url.rstrip("/") + "/chat/completions"
        self._refuse, self._keep = refuse, keep
        fields = {"model": config.model, **body, **config.extra_body}
        self._body = {name: value for name, value in fields.items() if value is not None}
        self._tasks: list[asyncio.Task[None]] = []
        self.sent = self._good = self._in_a_row = 0
        self._failed: list[tuple[str, str]] = []
        self._ended = ""  # why nothing more is sent
        self._pause = 0.0  # nothing is sent before this time: the server asked for it

    async def replies(self, chats: Iterable[ChatPrompt]) -> AsyncIterator[tuple[str, ServerReply]]:
        """Yields replies while as many workers as may be in flight take the requests in turn."""
        found: asyncio.Queue[tuple[str, ServerReply] | None] = asyncio.Queue()
        everybody = asyncio.create_task(self._all_at_work(iter(chats), found))
        self._tasks.append(everybody)
        everybody.add_done_callback(lambda _: found.put_nowait(None))
        while (one := await found.get()) is not None:
            yield one
        await everybody

    async def close(self) -> None:
        """Ends the workers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _all_at_work(
        self, waiting: Iterator[ChatPrompt], found: asyncio.Queue[tuple[str, ServerReply] | None]
    ) -> None:
        """Starts one worker after the other: of requests sent together the replies come together, and wait in line."""
        workers = []
        for _ in range(self._config.in_flight):
            workers.append(asyncio.create_task(self._work(waiting, found)))
            self._tasks.append(workers[-1])
            await asyncio.sleep(0)
            if any(worker.done() for worker in workers):  # it failed, or the run ends, or no request is left
                break
        await asyncio.gather(*workers)

    def problem(self) -> str:
        """What a caller must know who thinks that there is a reply for each request."""
        if self._ended:
            return f"{self._ended} (after {self._good} good replies)"
        if self._failed:
            name, reason = self._failed[0]
            return f"{len(self._failed)} of {self._good + len(self._failed)} requests got no usable reply " + (
                f"(first: {name}: {reason})"
            )
        return ""

    async def _work(self, waiting: Iterator[ChatPrompt], found: asyncio.Queue[tuple[str, ServerReply] | None]) -> None:
        for chat in waiting:
            if (reply := await self._reply(chat)) is not None:
                self._good, self._in_a_row = self._good + 1, 0
                if self._keep:
                    self._keep(chat.id, reply)
                found.put_nowait((chat.id, reply))
            if self._ended:
                return

    async def _reply(self, chat: ChatPrompt) -> ServerReply | None:
        """The reply to one request; None when it is given up, or the run is."""
        tries, good = 0, self._good
        while not self._ended:
            await self._turn()
            try:
                return await self._attempt(chat)
            except AttemptError as trouble:
                # A limit that others get through is a queue, not a failure.
                tries += not (trouble.limited and self._good > good)
                good = self._good
                if trouble.ends == "run":
                    self._ended = self._ended or trouble.reason
                elif trouble.ends == "request" or tries >= self._config.attempts:
                    self._give_up(chat, trouble.reason, self._refuse if trouble.ends == "request" else None)
                    return None
                else:
                    await self._wait(trouble, tries)
        return None

    def _give_up(self, chat: ChatPrompt, reason: str, refuse: Refuse | None) -> None:
        if refuse:
            refuse(chat.id, reason)
        else:
            self._failed.append((chat.id, reason))
        self._in_a_row += 1
        if self._in_a_row >= _IN_A_ROW and not self._ended:
            self._ended = f"{self._in_a_row} requests in a row got no usable reply (last: {chat.id}: {reason})"

    async def _turn(self) -> None:
        while (left := self._pause - time.monotonic()) > 0 and not self._ended:
            await asyncio.sleep(min(left, 1.0) + random.random() * min(left, 1.0) / 10)  # not all at one moment

    async def _wait(self, trouble: AttemptError, tries: int) -> None:
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** max(0, tries - 1)) * (1 - random.random() / 4)
        wait = max(wait, trouble.wait or 0.0)
        if trouble.limited:  # the limit is the account's, not this request's
            self._pause = max(self._pause, time.monotonic() + wait)
        else:
            until = time.monotonic() + wait
            while (left := until - time.monotonic()) > 0 and not self._ended:
                await asyncio.sleep(min(left, 1.0))

    async def _attempt(self, chat: ChatPrompt) -> ServerReply:
        import aiohttp

        if self._config.max_requests is not None and self.sent >= self._config.max_requests:
            raise AttemptError(f"max_requests={self._config.max_requests} are sent", "run")
        self.sent += 1
        began = time.monotonic()
        try:
            async with (
                asyncio.timeout(self._config.timeout),
                self._session.post(
                    self._url, json={**self._body, "messages": chat.messages}, allow_redirects=False
                ) as response,
            ):
                text = await response.text("utf-8-sig")  # some servers begin with a byte order mark
        except TimeoutError:
            raise AttemptError(f"no whole reply within timeout={self._config.timeout:g} s", "nothing") from None
        except aiohttp.ClientHttpProxyError as error:  # whose own words name the proxy with its password
            ends: Ends = "run" if error.status == 407 else "nothing"
            raise AttemptError(f"the proxy answers with status {error.status}", ends) from None
        except (aiohttp.ClientError, OSError) as error:
            told = self._reading.cleaned(str(error) or type(error).__name__)
            raise AttemptError(f"no connection ({told})", "nothing") from None
        except UnicodeDecodeError:
            raise AttemptError("the body of the reply is not JSON", "nothing") from None
        return self._reading(response.status, response.headers, text, time.monotonic() - began)


def _session(url: str, key: str | None) -> "aiohttp.ClientSession":
    """Connections to a server, as many as are asked for, through the proxy that the environment names for it."""
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(),  # one deadline for an attempt, set where it is made
        headers={"Authorization": f"Bearer {key}"} if key else {},
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=addresses.proxy(url),
    )


def as_they_come(stream: AsyncIterator[T]) -> Generator[T, None, None]:
    """The items of an asynchronous stream for a caller that is not; the stream rests while the caller works."""
    end: Any = object()

    async def one() -> T:
        return await anext(stream, end)

    with asyncio.Runner() as runner:
        try:
            while (item := runner.run(one())) is not end:
                yield item
        finally:
            runner.run(_closed(stream))


async def _closed(stream: Any) -> None:
    await stream.aclose()
