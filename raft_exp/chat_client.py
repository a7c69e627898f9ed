"""Many requests to a server that speaks OpenAI's chat protocol: bounded in number, in tries and in time.

    async for name, reply in ChatClient(config).replies(chats, {"temperature": 0}):
        ...  # as they come; what has come is good, whatever comes later

Requests go by aiohttp, the transport of the official client: what that client adds to each (three times the work of
the request itself) is what hundreds in flight would wait for. Whether a request is sent again is decided here, where a
body that is cut, slow or empty is seen, and that other requests were told to wait.
"""

import asyncio
import email.utils
import json
import os
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, model_validator

from raft_exp import addresses
from raft_exp.errors import ConfigError, ServerError
from raft_exp.schema import Positive, PositiveFloat, Runtime, config_dataclass

if TYPE_CHECKING:
    import aiohttp

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0  # seconds before the second attempt, and before any
_PATIENCE = 600.0  # seconds: a server that says Retry-After more than this has ended the run
_IN_A_ROW = 20  # requests without a usable reply, and none with one between: the rest is not tried

Finish = Literal["stop", "length", "filtered"]
_FINISH: dict[str, Finish] = {"length": "length", "content_filter": "filtered"}  # whatever else a server says: stop

Ends = Literal["nothing", "request", "run"]
Refuse = Callable[[str, str], None]  # takes a request's id, and why the server will never answer it
Keep = Callable[[str, "Reply"], None]

T = TypeVar("T")


@config_dataclass
class ChatConfig:
    """A server, a model of it, and how hard it may be asked."""

    base_url: str
    model: str
    served_as: str | None  # pattern of the model's name in replies, where that is not `model` or a dated form of it
    api_key_env: Runtime[str | None]  # the name of the environment variable with the key, never the key
    extra_body: dict[str, Any]  # further fields of every request; null takes one of ours away
    in_flight: Runtime[Annotated[int, Field(ge=1, le=1000)]]
    attempts: Runtime[Positive]  # for one request
    timeout: Runtime[PositiveFloat]  # seconds for one attempt, to the last byte of the reply
    max_requests: Runtime[Positive | None]  # attempts of one run, all together

    @model_validator(mode="after")
    def _holds_no_secret(self) -> "ChatConfig":
        if "@" in self.base_url or "?" in self.base_url:
            raise ValueError("base_url: holds a name, password or query; a key comes from the variable api_key_env")
        try:
            addresses.parsed(self.base_url)
        except ValueError:
            raise ValueError(f"base_url: got {self.base_url!r}; must be http(s)://HOST/v1 or the like") from None
        if self.api_key_env is not None and not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", self.api_key_env):
            raise ValueError(
                "api_key_env: must be the NAME of an environment variable, in capitals, not the key itself (what was "
                "given is not shown here)"
            )
        return self


@dataclass(frozen=True)
class Chat:
    """One request."""

    id: str
    messages: list[dict[str, str]]


@dataclass(frozen=True)
class Reply:
    """One reply. An empty text is what the model said; `filtered` means that the server withheld its words."""

    text: str
    finish: Finish
    model: str  # as the server calls it: its dated name
    prompt_tokens: int  # 0 where the server does not say
    new_tokens: int
    seconds: float  # of the attempt that it came from


class ChatClient:
    """Sends requests of one config. `group` is where that stands in the study's config, for messages.

    Raises ConfigError when the environment holds no key.
    """

    def __init__(self, config: ChatConfig, group: str = "engine") -> None:
        self._config, self._group = config, group
        self.sent = 0  # attempts of all calls of `replies` that have ended
        self._key = key_of(config, group)

    async def replies(
        self, chats: Iterable[Chat], body: Mapping[str, Any], refuse: Refuse | None = None, keep: Keep | None = None
    ) -> AsyncIterator[tuple[str, Reply]]:
        """Yields (id, reply) as they come; `body` holds the fields of a request beside model and messages.

        A request that the server will not take, whenever it is asked, is told to `refuse`; without that it counts as
        one that got no usable reply. `keep` takes each reply before another request is sent in its place.

        A request without a usable reply after all its attempts does not stop the others; when all are done, or when
        it is clear that nothing more will come, ServerError says how many and why, in one line.
        """
        async with _session(self._config.base_url, self._key) as session:
            run = _Run(session, self._config, self._cleaned, body, refuse, keep)
            try:
                async for found in run.replies(chats):
                    yield found
            finally:
                await run.close()
                self.sent += run.sent
        if problem := run.problem():
            raise ServerError(f"{self._group}: {self._config.base_url}: {problem}; good replies are kept, and the same "
                              "command asks for the others alone")  # fmt: skip

    def _cleaned(self, text: str) -> str:
        """A server's own words, in one short line without the key."""
        told = addresses.without_password(text.replace(self._key, "***") if self._key else text)
        return " ".join(told.split())[:200]


def key_of(config: ChatConfig, group: str) -> str | None:
    """The key of a server; None where it needs none. Raises ConfigError when the environment does not hold it."""
    if config.api_key_env is None:
        return None
    key = (os.environ.get(config.api_key_env) or "").strip()
    if not key:
        raise ConfigError(
            f"{group}.api_key_env: the environment variable that it names is not set; export it, or give null for a "
            "server that needs no key"
        )
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(
            f"{group}.api_key_env: what the environment variable holds is no key: it has line ends or letters that are "
            "not ASCII; export the key alone"
        )
    return key


class _AttemptError(Exception):
    """An attempt without a usable reply. `ends`: nothing, so another attempt; this request; or the run."""

    def __init__(self, reason: str, ends: Ends, wait: float | None = None, limited: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.ends, self.wait, self.limited = reason, ends, wait, limited


class _Run:
    """The requests of one call of `ChatClient.replies`."""

    def __init__(
        self, session: "aiohttp.ClientSession", config: ChatConfig, cleaned: Any, body: Mapping[str, Any],
        refuse: Refuse | None, keep: Keep | None,
    ) -> None:  # fmt: skip
        self._session, self._config, self._cleaned = session, config, cleaned
        self._url = config.base_url.rstrip("/") + "/chat/completions"
        self._refuse, self._keep = refuse, keep
        fields = {"model": config.model, **body, **config.extra_body}
        self._body = {name: value for name, value in fields.items() if value is not None}
        self._workers: list[asyncio.Task[None]] = []
        self.sent = self._good = self._in_a_row = 0
        self._failed: list[tuple[str, str]] = []
        self._ended = ""  # why nothing more is sent
        self._pause = 0.0  # nothing is sent before this time: the server asked for it

    async def replies(self, chats: Iterable[Chat]) -> AsyncIterator[tuple[str, Reply]]:
        """Yields replies while as many workers as may be in flight take the requests in turn."""
        found: asyncio.Queue[tuple[str, Reply] | None] = asyncio.Queue()
        waiting = iter(chats)
        self._workers = [asyncio.create_task(self._work(waiting, found)) for _ in range(self._config.in_flight)]
        everybody = asyncio.gather(*self._workers)
        everybody.add_done_callback(lambda _: found.put_nowait(None))
        while (one := await found.get()) is not None:
            yield one
        await everybody

    async def close(self) -> None:
        """Ends the workers."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

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

    async def _work(self, waiting: Iterator[Chat], found: asyncio.Queue[tuple[str, Reply] | None]) -> None:
        for chat in waiting:
            if (reply := await self._reply(chat)) is not None:
                self._good, self._in_a_row = self._good + 1, 0
                if self._keep:
                    self._keep(chat.id, reply)
                found.put_nowait((chat.id, reply))
            if self._ended:
                return

    async def _reply(self, chat: Chat) -> Reply | None:
        """The reply to one request; None when it is given up, or the run is."""
        tries, good = 0, self._good
        while not self._ended:
            await self._turn()
            try:
                return await self._attempt(chat)
            except _AttemptError as trouble:
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

    def _give_up(self, chat: Chat, reason: str, refuse: Refuse | None) -> None:
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

    async def _wait(self, trouble: _AttemptError, tries: int) -> None:
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** max(0, tries - 1)) * (1 - random.random() / 4)
        wait = max(wait, trouble.wait or 0.0)
        if trouble.limited:  # the limit is the account's, not this request's
            self._pause = max(self._pause, time.monotonic() + wait)
        else:
            until = time.monotonic() + wait
            while (left := until - time.monotonic()) > 0 and not self._ended:
                await asyncio.sleep(min(left, 1.0))

    async def _attempt(self, chat: Chat) -> Reply:
        import aiohttp

        if self._config.max_requests is not None and self.sent >= self._config.max_requests:
            raise _AttemptError(f"max_requests={self._config.max_requests} are sent", "run")
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
            raise _AttemptError(f"no whole reply within timeout={self._config.timeout:g} s", "nothing") from None
        except aiohttp.ClientHttpProxyError as error:  # whose own words name the proxy with its password
            ends: Ends = "run" if error.status == 407 else "nothing"
            raise _AttemptError(f"the proxy answers with status {error.status}", ends) from None
        except (aiohttp.ClientError, OSError) as error:
            told = self._cleaned(str(error) or type(error).__name__)
            raise _AttemptError(f"no connection ({told})", "nothing") from None
        except UnicodeDecodeError:
            raise _AttemptError("the body of the reply is not JSON", "nothing") from None
        seconds = time.monotonic() - began
        if not 200 <= response.status < 300:
            return self._refused(response.status, response.headers, text, seconds)
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):  # cut, or something else
            raise _AttemptError("the body of the reply is not JSON", "nothing") from None
        return self._read(data, seconds)

    def _read(self, data: Any, seconds: float) -> Reply:
        try:
            choice, model = data["choices"][0], data.get("model") or self._config.model
            message, usage = choice["message"], data.get("usage") or {}
            text = message.get("content") or message.get("refusal") or ""
            counts = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError):
            told = data.get("error") if isinstance(data, dict) else None
            note = f" ({self._cleaned(str(told))})" if told else ""
            raise _AttemptError(f"the reply holds no choice with a message{note}", "nothing") from None
        if not _same_model(self._config, str(model)):
            raise _AttemptError(
                f"asked for model={self._config.model!r}, and {self._cleaned(str(model))!r} answers; name that one, or "
                "set served_as to a pattern of its name",
                "run",
            )
        finish = _FINISH.get(str(choice.get("finish_reason")), "stop")
        return Reply(str(text), finish, str(model), *counts, seconds)

    def _refused(self, status: int, headers: Mapping[str, str], text: str, seconds: float) -> Reply:
        error = _error(text)
        code, told = str(error.get("code") or ""), self._cleaned(str(error.get("message") or text))
        if status in (401, 403):
            where = self._config.api_key_env
            held = f"the key in {where}" if where else "a request without a key (api_key_env=null)"
            raise _AttemptError(f"the server refuses {held} (status {status})", "run")
        if status < 400:  # a key is not sent on to wherever a server points
            raise _AttemptError(
                f"status {status}: the server sends on to {self._cleaned(headers.get('Location', 'nowhere'))}; name "
                "the right address in base_url",
                "run",
            )
        if status in (402, 405, 407):  # no credit, no such service, a proxy: no other request fares better
            raise _AttemptError(f"status {status}: {told}", "run")
        if status == 404:
            asked = f"model={self._config.model!r}"
            raise _AttemptError(f"status 404: no {asked} there, or no /chat/completions ({told})", "run")
        if "content_filter" in code or "content_policy" in code:
            return Reply("", "filtered", self._config.model, 0, 0, seconds)
        if code == "insufficient_quota":
            raise _AttemptError("the account has no credit left (insufficient_quota)", "run")
        if status in (408, 409, 429) or status >= 500:
            wait = _retry_after(headers)
            if wait is not None and wait > _PATIENCE:
                raise _AttemptError(f"the server says to come back in {wait:.0f} s (status {status})", "run")
            raise _AttemptError(f"status {status}: {told}", "nothing", wait, limited=status == 429)
        raise _AttemptError(f"status {status}: {told}", "request")


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


def _error(text: str) -> Mapping[str, Any]:
    """What a server tells of an error, in the protocol's form; empty where it has another."""
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    error = data.get("error", data) if isinstance(data, dict) else {}
    return error if isinstance(error, dict) else {"message": error}


def _same_model(config: ChatConfig, name: str) -> bool:
    if config.served_as is not None:
        return fnmatchcase(name, config.served_as)
    asked, named = config.model.rpartition("/")[2], name.rpartition("/")[2]
    return name == config.model or bool(re.fullmatch(re.escape(asked) + r"(-\d{4}(-?\d\d-?\d\d)?)?", named))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: a number, or a date."""
    told = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", told):
        return float(told)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(told).timestamp() - time.time())
    except ValueError:
        return None


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
