"""OpenAI's shapes: what a request may ask for, replies whole and in pieces, refusals."""

import dataclasses
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse

from raft_exp.apps.ask.stream import Kind, ReplySplitter
from raft_exp.apps.serve.batch_queue import AnsweredQuestion, FailedQuestion
from raft_exp.prompts import ReplyFormat

# What would change a reply and cannot be had here is refused; settings of sampling change nothing: it is greedy.
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


class RefusedError(Exception):
    """A request that is not answered, in OpenAI's form."""

    def __init__(self, status: int, message: str, code: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.retry_after = status, message, code, retry_after

    @property
    def body(self) -> dict[str, Any]:
        """The error object."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": self.message, "type": kind, "param": None, "code": self.code}}

    def response(self) -> JSONResponse:
        """The answer to the request."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return JSONResponse(self.body, self.status, headers)


@dataclass(frozen=True)
class ChatRequest:
    """What a chat request asks for."""

    question: str
    most: int | None
    stream: bool
    usage: bool  # in a last piece of its own


def read_request(request: dict[str, Any], model: str, longest: int) -> ChatRequest:
    """Reads a chat request; the question is the last user message. Raises RefusedError."""
    named = request.get("model", model)
    if named != model:
        raise no_model(named, model)
    for name in _REFUSED:
        if request.get(name) not in (None, False, [], {}, "none"):
            raise _invalid(f"{name} cannot be had here")
    if request.get("n") not in (None, 1):
        raise _invalid("n: there is one reply to a question; leave it out")
    form = request.get("response_format")
    if form is not None and form != {"type": "text"}:
        raise _invalid("response_format: replies have the form that the model was trained to; leave it out")
    question = _question(request.get("messages"))
    if len(question) > longest:
        raise _invalid(f"the question has {len(question):,} characters; at most {longest:,} are taken")
    options = request.get("stream_options")
    usage = isinstance(options, dict) and options.get("include_usage") is True
    return ChatRequest(question, _most(request), request.get("stream") is True, usage)


def _most(request: dict[str, Any]) -> int | None:
    given = request.get("max_completion_tokens", request.get("max_tokens"))
    if given is not None and (not isinstance(given, int) or isinstance(given, bool) or given < 1):
        raise _invalid(f"max_tokens: got {given!r}; must be a whole number above 0")
    return given


def _question(messages: Any) -> str:
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise _invalid("messages: must be a list of {role, content}")
    asked = [one.get("content") for one in messages if one.get("role") == "user"]
    if not asked:
        raise _invalid("messages: none of the role user, so nothing is asked")
    content = asked[-1]
    if isinstance(content, list):
        if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
            raise _invalid("messages: only text can be asked")
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str) or not content.strip():
        raise _invalid("messages: the last one of the role user has no text")
    return content


def no_model(named: Any, model: str) -> RefusedError:
    """There is one model."""
    return RefusedError(404, f"the model {named!r} does not exist; there is {model!r}", "model_not_found")


def _invalid(message: str) -> RefusedError:
    return RefusedError(400, message, "invalid_request")


def refusal(failed: FailedQuestion) -> RefusedError:
    """Why a question has no reply."""
    if failed.whose == "client":
        return _invalid(failed.message)
    return RefusedError(500, failed.message, "server_error")


@dataclass
class ChatResponse:
    """One conversation on the wire."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))
    _kind: Kind | None = None

    def whole(self, found: AnsweredQuestion, reply_format: ReplyFormat) -> dict[str, Any]:
        """A chat.completion, with what the pieces would say."""
        message = {"role": "assistant", "content": text(found), "refusal": None, **beside(found)}
        if reasons := self._reasons(found, reply_format):
            message["reasoning_content"] = reasons
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish(found)}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage(found)}

    def _reasons(self, found: AnsweredQuestion, reply_format: ReplyFormat) -> str:
        splitter = ReplySplitter(reply_format)
        said = [*splitter.feed(found.reply.raw if found.reply else ""), *splitter.end()]
        pieces = [*(self.piece(kind, text) for kind, text in said), self.last(found, told=True)]
        return "".join(piece["choices"][0]["delta"].get("reasoning_content", "") for piece in pieces)

    def first(self) -> dict[str, Any]:
        """The first chat.completion.chunk: who speaks."""
        return self._piece({"role": "assistant", "content": ""})

    def piece(self, kind: Kind, said: str) -> dict[str, Any]:
        """More of the reply: quotes stand in quotation marks, among the reasoning."""
        marks = ("\u201d" if self._kind == "quote" and kind != "quote" else "") + (
            "\u201c" if kind == "quote" and self._kind != "quote" else ""
        )
        self._kind = kind
        if kind == "answer":
            return self._piece({"content": said} | ({"reasoning_content": marks} if marks else {}))
        return self._piece({"reasoning_content": marks + said})

    def last(self, found: AnsweredQuestion, told: bool) -> dict[str, Any]:
        """The last one with a choice: what is cited. `told`: the answer has been said."""
        content = {} if told else {"content": text(found)}
        closing = {"reasoning_content": "\u201d"} if self._kind == "quote" else {}
        return self._piece({**content, **closing, **beside(found)}, finish(found))

    def usage(self, found: AnsweredQuestion) -> dict[str, Any]:
        """The piece that `stream_options.include_usage` asks for."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage(found)}

    def _piece(self, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def text(found: AnsweredQuestion) -> str:
    """What a client that knows nothing of us shows: the answer, or why there is none."""
    if found.judged.answer:
        return found.judged.answer
    return (found.reply.raw if found.reply else "").strip() or found.judged.note


def beside(found: AnsweredQuestion) -> dict[str, Any]:
    """What we add to a message: verdict, citations, and the passages that were shown."""
    passages = [
        {
            "id": passage.id,
            "document_id": passage.document_id,
            "title": passage.title,
            "place": passage.place,
            "source": source,
            "text": passage.text,
        }
        for passage, source in zip(found.asked.context, found.asked.sources, strict=True)
    ]
    citations = [dataclasses.asdict(one) for one in found.judged.citations]
    return {"verdict": found.judged.verdict, "note": found.judged.note, "citations": citations, "passages": passages}


def finish(found: AnsweredQuestion) -> str:
    """How the reply ended."""
    return "length" if found.reply and found.reply.truncated else "stop"


def usage(found: AnsweredQuestion) -> dict[str, int]:
    """Tokens that were read and written."""
    read, written = (found.reply.prompt_tokens, found.reply.new_tokens) if found.reply else (0, 0)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
