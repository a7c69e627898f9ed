"""OpenAI's chat protocol: requests, responses, the chunks of a streamed response, and errors."""

import dataclasses
import time
import uuid
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

from starlette.responses import JSONResponse

from raft_exp.apps.ask.stream import Kind, ReplySplitter
from raft_exp.apps.serve.batch_queue import AnsweredQuestion, FailedQuestion
from raft_exp.prompts import ReplyFormat

# Options that would change a reply and are not supported. Sampling options are ignored: decoding is greedy.
_REFUSED = (
    "tools",
    "tool_choice",
    "functions",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "stop",
    "audio",
    "modalities",
)


class ErrorDetail(TypedDict):
    """The contents of an error object."""

    message: str
    type: str
    param: None
    code: str


class ErrorBody(TypedDict):
    """An error object."""

    error: ErrorDetail


class ShownPassage(TypedDict):
    """A passage of the prompt."""

    id: str
    document_id: str
    title: str
    place: str
    source: str
    text: str


class Cited(TypedDict):
    """The fields that raft_exp adds to a message."""

    verdict: str
    note: str
    citations: list[dict[str, str | int | bool | None]]
    passages: list[ShownPassage]


class Delta(TypedDict, total=False):
    """A message, or the part of a message in a chunk."""

    role: str
    content: str
    refusal: None
    reasoning_content: str
    verdict: str
    note: str
    citations: list[dict[str, str | int | bool | None]]
    passages: list[ShownPassage]


class Choice(TypedDict):
    """The only choice of a response (with `message`) or of a chunk (with `delta`)."""

    index: int
    message: NotRequired[Delta]
    delta: NotRequired[Delta]
    logprobs: None
    finish_reason: str | None


class Usage(TypedDict):
    """Counts of tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatChunk(TypedDict):
    """A chat.completion.chunk, or (with `message` and `usage`) a chat.completion."""

    id: str
    object: str
    created: int
    model: str
    choices: list[Choice]
    usage: NotRequired[Usage]


class RefusedError(Exception):
    """A request that is refused, with OpenAI's error object."""

    def __init__(self, status: int, message: str, code: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.retry_after = status, message, code, retry_after

    @property
    def body(self) -> ErrorBody:
        """The error object, as the body of the response."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": self.message, "type": kind, "param": None, "code": self.code}}

    def response(self) -> JSONResponse:
        """Returns the HTTP response, with the header Retry-After if `retry_after` is set."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return JSONResponse(self.body, self.status, headers)


@dataclass(frozen=True)
class ChatRequest:
    """The options of a chat request."""

    question: str
    max_tokens: int | None
    stream: bool
    usage: bool  # whether a stream ends with a chunk of token counts


def read_request(request: dict[str, object], model: str, longest: int) -> ChatRequest:
    """Reads a chat request. The question is the last user message.

    `model`: name of the served model. `longest`: largest length of a question in characters. Raises RefusedError for an
    invalid request.
    """
    requested = request.get("model", model)
    if requested != model:
        raise no_model(requested, model)
    for name in _REFUSED:
        if request.get(name) not in (None, False, [], {}, "none"):
            raise _invalid(f"{name}: is not supported; remove it")
    if request.get("n") not in (None, 1):
        raise _invalid("n: only one reply per question is supported; remove n")
    form = request.get("response_format")
    if form is not None and form != {"type": "text"}:
        raise _invalid("response_format: only the type text is supported; remove it")
    question = _question(request.get("messages"))
    if len(question) > longest:
        raise _invalid(f"the question has {len(question):,} characters; at most {longest:,} are allowed")
    options = request.get("stream_options")
    usage = isinstance(options, dict) and options.get("include_usage") is True
    return ChatRequest(question, _max_tokens(request), request.get("stream") is True, usage)


def _max_tokens(request: dict[str, object]) -> int | None:
    value = request.get("max_completion_tokens", request.get("max_tokens"))
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise _invalid(f"max_tokens: got {value!r}; must be a whole number above 0")
    return value


def _question(messages: object) -> str:
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise _invalid("messages: must be a list of {role, content}")
    contents = [message.get("content") for message in messages if message.get("role") == "user"]
    if not contents:
        raise _invalid("messages: no message has the role user; add one with the question")
    content = contents[-1]
    if isinstance(content, list):
        if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
            raise _invalid("messages: only text is supported; remove all other parts")
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str) or not content.strip():
        raise _invalid("messages: the last message of the role user has no text; write the question there")
    return content


def no_model(requested: object, model: str) -> RefusedError:
    """Returns the error for a request that names another model than `model`."""
    return RefusedError(404, f"the model {requested!r} does not exist; use {model!r}", "model_not_found")


def _invalid(message: str) -> RefusedError:
    return RefusedError(400, message, "invalid_request")


def refusal(failed: FailedQuestion) -> RefusedError:
    """Returns the error for a failed question."""
    if failed.fault == "client":
        return _invalid(failed.message)
    return RefusedError(500, failed.message, "server_error")


@dataclass
class ChatResponse:
    """Builds the response to one request, complete or as chunks."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))
    _kind: Kind | None = None

    def whole(self, answered: AnsweredQuestion, reply_format: ReplyFormat) -> ChatChunk:
        """Returns a chat.completion with the same contents as the chunks of a stream."""
        message: Delta = {"role": "assistant", "content": text(answered), "refusal": None}
        message = {**message, **cited(answered)}
        if reasons := self._reasons(answered, reply_format):
            message["reasoning_content"] = reasons
        choice: Choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish(answered)}
        return self._response("chat.completion", [choice]) | {"usage": usage(answered)}

    def _reasons(self, answered: AnsweredQuestion, reply_format: ReplyFormat) -> str:
        splitter = ReplySplitter(reply_format)
        parts = [*splitter.feed(answered.reply.raw if answered.reply else ""), *splitter.end()]
        pieces = [*(self.piece(kind, text) for kind, text in parts), self.last(answered, has_answer=True)]
        return "".join(piece["choices"][0]["delta"].get("reasoning_content", "") for piece in pieces)

    def first(self) -> ChatChunk:
        """Returns the first chunk, with the role."""
        return self._piece({"role": "assistant", "content": ""})

    def piece(self, kind: Kind, text: str) -> ChatChunk:
        """Returns a chunk with a piece of the reply. Quotes are part of the reasoning, in quotation marks."""
        marks = ("\u201d" if self._kind == "quote" and kind != "quote" else "") + (
            "\u201c" if kind == "quote" and self._kind != "quote" else ""
        )
        self._kind = kind
        if kind == "answer":
            answer: Delta = {"content": text}
            if marks:
                answer["reasoning_content"] = marks
            return self._piece(answer)
        return self._piece({"reasoning_content": marks + text})

    def last(self, answered: AnsweredQuestion, has_answer: bool) -> ChatChunk:
        """Returns the last chunk of the message, with citations. `has_answer`: earlier chunks contain the answer."""
        delta: Delta = {} if has_answer else {"content": text(answered)}
        if self._kind == "quote":
            delta["reasoning_content"] = "\u201d"
        return self._piece({**delta, **cited(answered)}, finish(answered))

    def usage(self, answered: AnsweredQuestion) -> ChatChunk:
        """Returns the chunk of token counts, for `stream_options.include_usage`."""
        return self._response("chat.completion.chunk", []) | {"usage": usage(answered)}

    def _piece(self, delta: Delta, reason: str | None = None) -> ChatChunk:
        choice: Choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._response("chat.completion.chunk", [choice])

    def _response(self, kind: str, choices: list[Choice]) -> ChatChunk:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}


def text(answered: AnsweredQuestion) -> str:
    """Returns the text that any OpenAI client shows: the answer, else the raw reply, else the note."""
    if answered.answer.answer:
        return answered.answer.answer
    return (answered.reply.raw if answered.reply else "").strip() or answered.answer.note


def cited(answered: AnsweredQuestion) -> Cited:
    """Returns the fields that raft_exp adds to a message: verdict, note, citations, and the passages of the prompt."""
    passages: list[ShownPassage] = [
        {
            "id": passage.id,
            "document_id": passage.document_id,
            "title": passage.title,
            "place": passage.place,
            "source": source,
            "text": passage.text,
        }
        for passage, source in zip(answered.prompt.context, answered.prompt.sources, strict=True)
    ]
    answer = answered.answer
    citations = [dataclasses.asdict(citation) for citation in answer.citations]
    return {"verdict": answer.verdict, "note": answer.note, "citations": citations, "passages": passages}


def finish(answered: AnsweredQuestion) -> str:
    """Returns the finish_reason: `length` for a reply that was cut off, else `stop`."""
    return "length" if answered.reply and answered.reply.truncated else "stop"


def usage(answered: AnsweredQuestion) -> Usage:
    """Returns the token counts of prompt and reply; 0 if no passage was found, so that the model wrote no reply."""
    reply = answered.reply
    read, written = (reply.prompt_tokens, reply.new_tokens) if reply else (0, 0)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
