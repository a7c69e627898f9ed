"""The web application: /v1/chat/completions, /v1/models, /health, /metrics, and the web page."""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import TypedDict, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.exceptions import HTTPException

from raft_exp.apps.ask.session import RagSession
from raft_exp.apps.ask.stream import ReplySplitter
from raft_exp.apps.serve import openai_api
from raft_exp.apps.serve.batch_queue import (
    AnsweredQuestion,
    BatchQueue,
    BusyError,
    Event,
    FailedQuestion,
    QueuedQuestion,
)
from raft_exp.apps.serve.limits import Limits, RequestLimiter, drain, read_body, read_json
from raft_exp.apps.serve.openai_api import ChatChunk, ChatRequest, ChatResponse, ErrorBody, RefusedError
from raft_exp.prompts import ReplyFormat

T = TypeVar("T")
PAGE = Path(__file__).with_name("page.html")


class _Model(TypedDict):
    """An entry of /v1/models."""

    id: str
    object: str
    created: int
    owned_by: str


def create(session: RagSession, batches: BatchQueue, limits: Limits, token: str | None) -> RequestLimiter:
    """Builds the ASGI application. `token`: the API key that clients must send; None: no key is needed."""

    @contextlib.asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(batches.close)

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=running)
    page, policy = _page()
    routes = _Routes(session, batches, limits)
    app.add_api_route("/", lambda: HTMLResponse(page, headers=policy), methods=["GET"])
    app.add_api_route("/health", routes.health, methods=["GET"])
    app.add_api_route("/metrics", routes.metrics, methods=["GET"])
    app.add_api_route("/v1/models", routes.models, methods=["GET"])
    app.add_api_route("/v1/models/{name:path}", routes.model, methods=["GET"])
    app.add_api_route("/v1/chat/completions", routes.chat, methods=["POST"], response_model=None)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(404, _unknown)
    app.add_exception_handler(405, _unknown)
    app.add_exception_handler(Exception, _broken)
    return RequestLimiter(app, limits, token)


def _page() -> tuple[str, dict[str, str]]:
    """Returns the web page, and HTTP headers that allow only the script of this page."""
    page = PAGE.read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return error.response()


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path} is not served here"
    return RefusedError(error.status_code, message, "not_found").response()


async def _broken(_: Request, error: Exception) -> Response:
    return RefusedError(500, "the server failed; see its log", "server_error").response()


class _Routes:
    def __init__(self, session: RagSession, batches: BatchQueue, limits: Limits) -> None:
        self._session, self._batches, self._limits = session, batches, limits

    async def health(self) -> Response:
        """Returns status 200 and the name of the model, even if the queue is full."""
        return JSONResponse({"status": "ok", "model": self._session.name})

    async def metrics(self) -> Response:
        """Returns the counts of the queue in Prometheus' text format."""
        counts = self._batches.counts()
        lines = [
            *_metric("raft_exp_questions_answered_total", "counter", "Questions with a reply", counts.answered),
            *_metric("raft_exp_questions_failed_total", "counter", "Questions that ended in an error", counts.failed),
            *_metric(
                "raft_exp_questions_refused_total",
                "counter",
                "Questions refused because the queue was full",
                counts.refused,
            ),
            *_metric(
                "raft_exp_questions_waiting", "gauge", "Questions that wait or are being answered", counts.waiting
            ),
            *_metric("raft_exp_batch_seconds_total", "counter", "Seconds of all batches", counts.batch_seconds),
        ]
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")

    async def models(self) -> Response:
        """Returns the list of models, which has one entry."""
        return JSONResponse({"object": "list", "data": [self._model()]})

    async def model(self, name: str) -> Response:
        """Returns the entry of the served model. Raises RefusedError for any other name."""
        if name != self._session.name:
            raise openai_api.no_model(name, self._session.name)
        return JSONResponse(self._model())

    def _model(self) -> _Model:
        return {"id": self._session.name, "object": "model", "created": 0, "owned_by": "raft_exp"}

    async def chat(self, request: Request) -> Response:
        """Answers one question, in one response or as a stream of server-sent events."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            await drain(request.receive)  # otherwise a form on another web page could post here
            raise RefusedError(415, "the header Content-Type must be application/json", "invalid_request")
        data = read_json(await read_body(request.headers, request.receive, self._limits))
        chat_request = openai_api.read_request(data, self._session.name, self._limits.question)
        chat = ChatResponse(self._session.name)
        job, events = self._put(chat.id, chat_request)
        if chat_request.stream:
            stream = _pieces(chat, chat_request, events, self._session.reply_format)
            first = await _unless_gone(anext(stream), request, job)  # an error up to here has its own HTTP status
            return StreamingResponse(_events(first, stream, job), media_type="text/event-stream")
        answered = await _unless_gone(_end(events), request, job)
        job.gone.set()
        return JSONResponse(chat.whole(answered, self._session.reply_format))

    def _put(self, name: str, request: ChatRequest) -> tuple[QueuedQuestion, "asyncio.Queue[Event]"]:
        loop, events = asyncio.get_running_loop(), asyncio.Queue[Event]()

        def tell(event: Event) -> None:
            with contextlib.suppress(RuntimeError):  # the server has stopped
                loop.call_soon_threadsafe(events.put_nowait, event)

        job = QueuedQuestion(name, request.question, request.max_tokens, tell)
        try:
            self._batches.put(job)
        except BusyError as busy:
            raise RefusedError(503, str(busy), "overloaded", busy.seconds) from None
        return job, events


def _metric(name: str, kind: str, what: str, value: float) -> list[str]:
    return [f"# HELP {name} {what}.", f"# TYPE {name} {kind}", f"{name} {value}"]


async def _unless_gone(coming: Awaitable[T], request: Request, job: QueuedQuestion) -> T:
    """Returns the result of `coming`. If the client disconnects before, raises RefusedError.

    After any error, sets `job.gone`, so that the queue leaves out the question.
    """
    wait, leaving = asyncio.ensure_future(coming), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({wait, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not wait.done():
            job.gone.set()
            raise RefusedError(499, "the client has disconnected", "gone")
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
    """Waits for the complete reply and returns it. Raises RefusedError for a failed question."""
    while True:
        event = await events.get()
        if isinstance(event, FailedQuestion):
            raise openai_api.refusal(event)
        if isinstance(event, AnsweredQuestion):
            return event


async def _pieces(
    chat: ChatResponse, request: ChatRequest, events: "asyncio.Queue[Event]", reply_format: ReplyFormat
) -> AsyncIterator[ChatChunk]:
    """Yields the chunks of a reply as they are generated. Raises RefusedError for a failed question."""
    splitter, has_answer, begun = ReplySplitter(reply_format), False, False
    while True:
        event = await events.get()
        if isinstance(event, FailedQuestion):
            raise openai_api.refusal(event)
        if not begun:
            yield chat.first()
            begun = True
        pieces = splitter.end() if isinstance(event, AnsweredQuestion) else splitter.feed(event)
        for kind, text in pieces:
            has_answer = has_answer or kind == "answer"
            yield chat.piece(kind, text)
        if isinstance(event, AnsweredQuestion):
            yield chat.last(event, has_answer)
            if request.usage:
                yield chat.usage(event)
            return


async def _events(first: ChatChunk, rest: AsyncIterator[ChatChunk], job: QueuedQuestion) -> AsyncIterator[str]:
    """Formats chunks as server-sent events. At the end, also after an error, sets `job.gone`, which ends the reply."""
    try:
        yield _event(first)
        async for piece in rest:
            yield _event(piece)
    except RefusedError as error:
        yield _event(error.body)
    finally:
        job.gone.set()
    yield "data: [DONE]\n\n"


def _event(value: ChatChunk | ErrorBody) -> str:
    return f"data: {json.dumps(value)}\n\n"
