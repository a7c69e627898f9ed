"""Limits on access: the token, the size of a request, and the number of requests per client and minute."""

import asyncio
import hmac
import json
import time
from collections import OrderedDict, deque
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from raft_exp.apps.serve.openai_api import RefusedError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_DRAINED = 32 * 2**20  # bytes that are read of a body that is too large, so that its client reads the response
_CLIENTS = 10_000  # clients whose last minute is recorded


@dataclass(frozen=True)
class Limits:
    """The limits of a server for one request or client."""

    body: int = 65_536  # bytes of a request
    question: int = 4_000  # characters
    per_minute: int = 600  # requests of one client
    patience: float = 10.0  # seconds in which the body must arrive


def is_loopback(host: str) -> bool:
    """Whether an address can be reached only from this machine."""
    return host in _LOOPBACK or host.startswith("127.")


class RequestLimiter:
    """ASGI middleware: checks access, and limits the requests of a client per minute.

    With a token, requests to /v1/ and /metrics must send it. Without a token, the Host header of each request must name
    this machine. The limit per minute is for /v1/ and /metrics.
    """

    def __init__(self, app: ASGIApp, limits: Limits, token: str | None) -> None:
        self._app, self._limits, self._token = app, limits, token
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request to the application, or refuses it."""
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
            # DNS rebinding: a web page may have made its own name point to this machine
            return RefusedError(
                403,
                "this server answers only requests that are addressed to localhost; use localhost in the URL, or start "
                "the server with token_env=NAME",
                "forbidden",
            )
        if not scope["path"].startswith("/v1/") and scope["path"] != "/metrics":
            return None  # the page and /health contain no data
        if self._token is not None:
            sent = headers.get("authorization", "").removeprefix("Bearer ").encode()
            if not hmac.compare_digest(sent, self._token.encode()):
                return RefusedError(
                    401, "a token is needed; send the header Authorization: Bearer TOKEN", "invalid_api_key"
                )
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
                429,
                f"more than {self._limits.per_minute} requests per minute; try again in {wait} s",
                "rate_limit_exceeded",
                wait,
            )
        times.append(now)
        return None


def _name(host: str) -> str:
    """Returns a Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


async def read_body(headers: Headers, receive: Receive, limits: Limits) -> bytes:
    """Reads the body of a request. Raises RefusedError if it is too large, incomplete or too slow."""
    too_large = RefusedError(
        413, f"the request is too large; at most {limits.body:,} bytes are allowed", "request_too_large"
    )
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
        raise RefusedError(408, "the request did not arrive in time", "timeout") from None


async def drain(receive: Receive) -> None:
    """Reads and discards the rest of a request, up to a limit, because a client may read no response while it sends."""
    size, patience = 0, 10.0
    try:
        async with asyncio.timeout(patience):
            while size < _DRAINED:
                message = await receive()
                size += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
    except TimeoutError:
        return


def read_json(data: bytes) -> dict[str, object]:
    """Parses the body of a request as a JSON object. Raises RefusedError for other data."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError) else "not text, or nested too deeply"
        raise RefusedError(400, f"the body is not JSON: {reason}", "invalid_json") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "the body must be a JSON object", "invalid_json")
    return value
