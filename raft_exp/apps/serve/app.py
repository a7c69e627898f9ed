"""The endpoint: /v1/chat/completions, /v1/models, and the page."""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse

from raft_exp.apps.ask.session import RagSession
from raft_exp.apps.ask.stream import ReplySplitter
from raft_exp.apps.serve import limits as guard
from raft_exp.apps.serve import openai_api
from raft_exp.apps.serve.batch_queue import (
    AnsweredQuestion,
    BatchQueue,
    BusyError,
    Event,
    FailedQuestion,
    QueuedQuestion,
)
from raft_exp.apps.serve.limits import Limits, RequestLimiter
from raft_exp.apps.serve.openai_api import ChatRequest, ChatResponse, RefusedError

T = TypeVar("T")
PAGE = Path(__file__).with_name("page.html")


def create(asker: RagSession, batches: BatchQueue, limits: Limits, token: str | None) -> Any:
    """The app; with a token it answers those alone who know it."""

    @contextlib.asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(batches.close)

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=running)
    page, policy = _page()
    served = _Served(asker, batches, limits)
    app.add_api_route("/", lambda: HTMLResponse(page, headers=policy), methods=["GET"])
    app.add_api_route("/v1/models", served.models, methods=["GET"])
    app.add_api_route("/v1/models/{name:path}", served.model, methods=["GET"])
    app.add_api_route("/v1/chat/completions", served.chat, methods=["POST"], response_model=None)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(404, _unknown)
    app.add_exception_handler(405, _unknown)
    app.add_exception_handler(Exception, _broken)
    return RequestLimiter(app, limits, token)


def _page() -> tuple[str, dict[str, str]]:
    """The page, and the headers that let it run its own script alone."""
    page = PAGE.read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


async def _refused(_: Request, error: Any) -> Response:
    return error.response()  # type: ignore[no-any-return]


async def _unknown(request: Request, error: Any) -> Response:
    told = RefusedError(error.status_code, f"{request.method} {request.url.path} is not served here", "not_found")
    return told.response()


async def _broken(_: Request, error: Any) -> Response:
    return RefusedError(500, "the server failed; see its log", "server_error").response()


class _Served:
    def __init__(self, asker: RagSession, batches: BatchQueue, limits: Limits) -> None:
        self._asker, self._batches, self._limits = asker, batches, limits

    async def models(self) -> Response:
        """The one model."""
        return JSONResponse({"object": "list", "data": [self._model()]})

    async def model(self, name: str) -> Response:
        """The one model, or none."""
        if name != self._asker.name:
            raise openai_api.no_model(name, self._asker.name)
        return JSONResponse(self._model())

    def _model(self) -> dict[str, Any]:
        return {"id": self._asker.name, "object": "model", "created": 0, "owned_by": "raft_exp"}

    async def chat(self, request: Request) -> Response:
        """One question, answered whole or in pieces."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            await guard.drain(request.receive)  # a form of another page could be posted here otherwise
            raise RefusedError(415, "the content type must be application/json", "invalid_request")
        data = guard.read_json(await guard.body(request.headers, request.receive, self._limits))
        asked = openai_api.read_request(data, self._asker.name, self._limits.question)
        chat = ChatResponse(self._asker.name)
        job, events = self._put(chat.id, asked)
        if asked.stream:
            stream = _pieces(chat, asked, events, self._asker.reply_format)
            first = await _unless_gone(anext(stream), request, job)  # where there is no reply, that has its own status
            return StreamingResponse(_events(first, stream, job), media_type="text/event-stream")
        found = await _unless_gone(_end(events), request, job)
        job.gone.set()
        return JSONResponse(chat.whole(found, self._asker.reply_format))

    def _put(self, name: str, asked: ChatRequest) -> tuple[QueuedQuestion, "asyncio.Queue[Event]"]:
        loop, events = asyncio.get_running_loop(), asyncio.Queue[Event]()

        def tell(event: Event) -> None:
            with contextlib.suppress(RuntimeError):  # the server has stopped meanwhile
                loop.call_soon_threadsafe(events.put_nowait, event)

        job = QueuedQuestion(name, asked.question, asked.most, tell)
        try:
            self._batches.put(job)
        except BusyError as busy:
            raise RefusedError(503, str(busy), "overloaded", busy.seconds) from None
        return job, events


async def _unless_gone(coming: Awaitable[T], request: Request, job: QueuedQuestion) -> T:
    """What comes, as long as the client is there: one that goes away frees its place."""
    wait, leaving = asyncio.ensure_future(coming), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({wait, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not wait.done():
            job.gone.set()
            raise RefusedError(499, "the client has gone", "gone")
        return await wait
    except BaseException:
        job.gone.set()
        raise
    finally:
        for task in (wait, leaving):
            task.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _end(events: "asyncio.Queue[Event]") -> AnsweredQuestion:
    """The finished reply. Raises RefusedError where there is none."""
    while True:
        event = await events.get()
        if isinstance(event, FailedQuestion):
            raise openai_api.refusal(event)
        if isinstance(event, AnsweredQuestion):
            return event


async def _pieces(
    chat: ChatResponse, asked: ChatRequest, events: "asyncio.Queue[Event]", reply_format: Any
) -> AsyncIterator[dict[str, Any]]:
    """The chunks of a reply, as they come. Raises RefusedError where there is none."""
    splitter, told, begun = ReplySplitter(reply_format), False, False
    while True:
        event = await events.get()
        if isinstance(event, FailedQuestion):
            raise openai_api.refusal(event)
        if not begun:
            yield chat.first()
            begun = True
        said = splitter.end() if isinstance(event, AnsweredQuestion) else splitter.feed(event)
        for kind, text in said:
            told = told or kind == "answer"
            yield chat.piece(kind, text)
        if isinstance(event, AnsweredQuestion):
            yield chat.last(event, told)
            if asked.usage:
                yield chat.usage(event)
            return


async def _events(
    first: dict[str, Any], rest: AsyncIterator[dict[str, Any]], job: QueuedQuestion
) -> AsyncIterator[str]:
    """As server-sent events. Where the client goes away, or a batch fails in the middle, the place is free again."""
    try:
        yield _event(first)
        async for piece in rest:
            yield _event(piece)
    except RefusedError as error:
        yield _event(error.body)
    finally:
        job.gone.set()
    yield "data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value)}\n\n"
