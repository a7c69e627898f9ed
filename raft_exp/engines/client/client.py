"""Sends many requests to a server with OpenAI's chat API, with limits on requests, attempts and time.

    async for name, reply in ChatClient(config).replies(chats, {"temperature": 0}):
        ...  # each reply as soon as it arrives

Requests use aiohttp and not OpenAI's own client, which needs four times as much CPU time for a request: too much for
hundreds of open requests. Retries are part of this module, as they depend on incomplete, slow and empty replies, and on
the rate limits of all requests.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from raft_exp.core.errors import ServerError
from raft_exp.engines.client import body, urls
from raft_exp.engines.client.protocol import AttemptError, ChatConfig, Ends, ResponseReader, ServerReply, key_of

if TYPE_CHECKING:
    import aiohttp

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0  # seconds of wait: before the second attempt, and the largest before any attempt
_IN_A_ROW = 20  # number of consecutive requests without a usable reply that ends the run

Refuse = Callable[[str, str], None]  # called with the id of a request that the server refuses for good, and the reason
Keep = Callable[[str, ServerReply], None]  # called with the id of a request and its reply

T = TypeVar("T")


@dataclass(frozen=True)
class ChatPrompt:
    """One request: an id and the messages of the chat."""

    id: str
    messages: list[dict[str, str]]


class ChatClient:
    """Sends requests to the server of `config`. `group`: the config group in error messages, engine or teacher.

    Raises ConfigError where the environment has no API key.
    """

    def __init__(self, config: ChatConfig, group: str = "engine") -> None:
        self._config, self._group = config, group
        self.sent = 0  # attempts of all completed calls of `replies`
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
        failed. `keep` is called with each reply before the next request is sent.

        A request fails if no attempt gets a usable reply; the other requests continue. If requests failed, raises
        ServerError at the end, or as soon as no more replies can be expected. The message has the number of failed
        requests, and the reason of the first failure.
        """
        async with _session(self._config.base_url, self._key) as session:
            reader = ResponseReader(self._config, self._key)
            run = _Run(session, self._config, self._group, reader, fields, refuse, keep)
            try:
                async for item in run.replies(chats):
                    yield item
            finally:
                await run.close()
                self.sent += run.sent
        if problem := run.problem():
            raise ServerError(
                f"{self._group}: {self._config.base_url}: {problem}; all good replies are stored; to continue, repeat "
                "the command, which requests only the missing ones"
            )


class _Run:
    """The requests of one call of `ChatClient.replies`."""

    def __init__(
        self,
        session: "aiohttp.ClientSession",
        config: ChatConfig,
        group: str,
        reader: ResponseReader,
        fields: Mapping[str, object],
        refuse: Refuse | None,
        keep: Keep | None,
    ) -> None:
        self._session, self._config, self._group, self._reader = session, config, group, reader
        self._url = config.base_url.rstrip("/") + "/chat/completions"
        self._refuse, self._keep = refuse, keep
        own = {"model": config.model, **fields, **config.extra_body}
        self._fields = {name: value for name, value in own.items() if value is not None}
        self._most = int(config.max_reply_megabytes * 1e6)
        self._tasks: list[asyncio.Task[None]] = []
        self.sent = self._good = self._in_a_row = 0
        self._failed: list[tuple[str, str]] = []
        self._ended = ""  # reason why no more requests are sent; "" while the run continues
        self._pause = 0.0  # after a rate limit: monotonic time (s) of the next request

    async def replies(self, chats: Iterable[ChatPrompt]) -> AsyncIterator[tuple[str, ServerReply]]:
        """Yields (id, reply). `in_flight` workers each send one request at a time."""
        arrived: asyncio.Queue[tuple[str, ServerReply] | None] = asyncio.Queue()
        workers = asyncio.create_task(self._run_workers(iter(chats), arrived))
        self._tasks.append(workers)
        workers.add_done_callback(lambda _: arrived.put_nowait(None))
        while (item := await arrived.get()) is not None:
            yield item
        await workers

    async def close(self) -> None:
        """Cancels the workers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run_workers(
        self, waiting: Iterator[ChatPrompt], arrived: asyncio.Queue[tuple[str, ServerReply] | None]
    ) -> None:
        """Starts the workers one after another, so that the replies do not arrive all at the same moment."""
        workers = []
        for _ in range(self._config.in_flight):
            workers.append(asyncio.create_task(self._work(waiting, arrived)))
            self._tasks.append(workers[-1])
            await asyncio.sleep(0)
            if any(worker.done() for worker in workers):  # a worker failed, the run has ended, or no request is left
                break
        await asyncio.gather(*workers)

    def problem(self) -> str:
        """Returns why requests have no reply, apart from those reported with `refuse`; "" if there are no others."""
        if self._ended:
            return f"{self._ended} (after {self._good} good replies)"
        if self._failed:
            name, reason = self._failed[0]
            return f"{len(self._failed)} of {self._good + len(self._failed)} requests got no usable reply " + (
                f"(first: {name}: {reason})"
            )
        return ""

    async def _work(
        self, waiting: Iterator[ChatPrompt], arrived: asyncio.Queue[tuple[str, ServerReply] | None]
    ) -> None:
        for chat in waiting:
            if (reply := await self._reply(chat)) is not None:
                self._good, self._in_a_row = self._good + 1, 0
                if self._keep:
                    self._keep(chat.id, reply)
                arrived.put_nowait((chat.id, reply))
            if self._ended:
                return

    async def _reply(self, chat: ChatPrompt) -> ServerReply | None:
        """Returns the reply to one request; None if the request fails or the run ends."""
        tries, good = 0, self._good
        while not self._ended:
            await self._turn()
            try:
                return await self._attempt(chat)
            except AttemptError as trouble:
                # A rate limit is no failure of this request while others get replies.
                tries += not (trouble.limited and self._good > good)
                good = self._good
                if trouble.ends == "run" or (trouble.ends == "start" and not self._good):
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
            # the random part lets the workers restart at different times
            await asyncio.sleep(min(left, 1.0) + random.random() * min(left, 1.0) / 10)

    async def _wait(self, trouble: AttemptError, tries: int) -> None:
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** max(0, tries - 1)) * (1 - random.random() / 4)
        wait = max(wait, trouble.wait or 0.0)
        if trouble.limited:  # the limit is for the account: all workers wait
            self._pause = max(self._pause, time.monotonic() + wait)
        else:
            until = time.monotonic() + wait
            while (left := until - time.monotonic()) > 0 and not self._ended:
                await asyncio.sleep(min(left, 1.0))

    async def _attempt(self, chat: ChatPrompt) -> ServerReply:
        import aiohttp

        if self._config.max_requests is not None and self.sent >= self._config.max_requests:
            raise AttemptError(
                f"{self._group}.max_requests allows no more requests ({self.sent} were sent); raise it, or set it to "
                "null for no limit",
                "run",
            )
        self.sent += 1
        began = time.monotonic()
        try:
            async with (
                asyncio.timeout(self._config.timeout),
                self._session.post(
                    self._url, json={**self._fields, "messages": chat.messages}, allow_redirects=False
                ) as response,
            ):
                text = (await body.read(response, self._most)).decode("utf-8-sig")  # with or without a BOM
        except TimeoutError:
            raise AttemptError(f"no complete reply within timeout={self._config.timeout:g} s", "nothing") from None
        except aiohttp.ClientHttpProxyError as error:  # the error's own message contains the proxy's password
            ends: Ends = "run" if error.status == 407 else "nothing"
            raise AttemptError(f"the proxy returned status {error.status}", ends) from None
        except (aiohttp.ClientError, OSError) as error:
            reason = self._reader.cleaned(str(error) or type(error).__name__)
            raise AttemptError(f"no connection ({reason})", "nothing") from None
        except body.TooLargeError:
            limit = f"max_reply_megabytes={self._config.max_reply_megabytes:g}"
            raise AttemptError(f"the reply is larger than {limit}", "nothing") from None
        except (UnicodeDecodeError, body.UnreadableError):
            raise AttemptError("the reply is not JSON", "nothing") from None
        return self._reader(response.status, response.headers, text, time.monotonic() - began)


def _session(url: str, key: str | None) -> "aiohttp.ClientSession":
    """Returns an HTTP session without a limit on connections. It uses the proxy of the environment, if there is one."""
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        auto_decompress=False,  # `body.read` does, within its limit
        timeout=aiohttp.ClientTimeout(),  # no deadline here: `_attempt` sets one for each attempt
        headers={"Accept-Encoding": "gzip, deflate"} | ({"Authorization": f"Bearer {key}"} if key else {}),
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=urls.proxy(url),
    )


def as_they_come(stream: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """Iterates over an asynchronous stream in synchronous code. The stream runs only while an item is requested."""

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
