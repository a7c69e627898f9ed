"""What keeps one client from taking all: who may ask, how much, how often."""

import asyncio
import hmac
import json
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from raft_exp.apps.serve.openai_api import RefusedError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_DRAINED = 32 * 2**20  # bytes of a body that is too large, read so that its client hears why
_CLIENTS = 10_000  # whose last minute is remembered


@dataclass(frozen=True)
class Limits:
    """Of one server."""

    body: int = 65_536  # bytes of a request
    question: int = 4_000  # characters
    per_minute: int = 600  # requests of one client
    patience: float = 10.0  # seconds for a request's body to come


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    return host in _LOOPBACK or host.startswith("127.")


class RequestLimiter:
    """Stands before the app: a token where one is asked for, names of this machine alone where none is, and a rate."""

    def __init__(self, app: ASGIApp, limits: Limits, token: str | None) -> None:
        self._app, self._limits, self._token = app, limits, token
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await drain(receive)
            await refusal.response()(scope, receive, send)

    def _refusal(self, scope: Scope) -> RefusedError | None:
        headers = Headers(scope=scope)
        if self._token is None and _name(headers.get("host", "")) not in _LOOPBACK:
            # a page elsewhere may have made its own name point here
            return RefusedError(403, "this server answers this machine alone", "forbidden")
        if not scope["path"].startswith("/v1/"):
            return None  # the page holds nothing
        if self._token is not None:
            given = headers.get("authorization", "").removeprefix("Bearer ").encode()
            if not hmac.compare_digest(given, self._token.encode()):
                return RefusedError(401, "a token is needed: Authorization: Bearer ...", "invalid_api_key")
        return self._too_often((scope.get("client") or ("",))[0])

    def _too_often(self, client: str) -> RefusedError | None:
        now, times = time.monotonic(), self._seen.setdefault(client, deque())
        self._seen.move_to_end(client)
        if len(self._seen) > _CLIENTS:
            self._seen.popitem(last=False)
        while times and times[0] < now - 60:
            times.popleft()
        if len(times) >= self._limits.per_minute:
            wait = max(1, round(times[0] + 60 - now))
            return RefusedError(
                429, f"more than {self._limits.per_minute} requests a minute", "rate_limit_exceeded", wait
            )
        times.append(now)
        return None


def _name(host: str) -> str:
    """A Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


async def body(headers: Headers, receive: Receive, limits: Limits) -> bytes:
    """A request's body, whole. Raises RefusedError for one that is too large, or does not come."""
    too_large = RefusedError(413, f"a request has at most {limits.body:,} bytes", "request_too_large")
    if int(headers.get("content-length", "0") or "0") > limits.body:
        await drain(receive)
        raise too_large
    data = bytearray()
    try:
        async with asyncio.timeout(limits.patience):
            while True:
                message: Message = await receive()
                if message["type"] == "http.disconnect":
                    raise RefusedError(400, "the request was cut off", "invalid_request")
                data += message.get("body", b"")
                if len(data) > limits.body:
                    await drain(receive)
                    raise too_large
                if not message.get("more_body"):
                    return bytes(data)
    except TimeoutError:
        raise RefusedError(408, "the request did not come in time", "timeout") from None


async def drain(receive: Receive) -> None:
    """Reads what a client still sends, up to a limit: closing before would take the answer from it too."""
    taken, patience = 0, 10.0
    try:
        async with asyncio.timeout(patience):
            while taken < _DRAINED:
                message = await receive()
                taken += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
    except TimeoutError:
        return


def read_json(data: bytes) -> dict[str, Any]:
    """A JSON object. Raises RefusedError for anything else."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        told = str(error) if isinstance(error, json.JSONDecodeError) else "not text"
        raise RefusedError(400, f"the body is not JSON: {told}", "invalid_json") from None
    if not isinstance(found, dict):
        raise RefusedError(400, "the body must be a JSON object", "invalid_json")
    return found
