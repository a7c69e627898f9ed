"""OpenAI's chat API: the settings of a server, and its responses as replies or as errors with their consequence."""

import email.utils
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from raft_exp.core.errors import ConfigError
from raft_exp.core.schema import Positive, PositiveFloat, Runtime, config_dataclass
from raft_exp.engines.client import urls

_MOST_TOKENS = 100_000_000  # a larger count is an error of the server
_PATIENCE = 600.0  # seconds: a longer Retry-After ends the run

Finish = Literal["stop", "length", "filtered"]
_FINISH: dict[str, Finish] = {"length": "length", "content_filter": "filtered"}  # any other finish_reason: stop

Ends = Literal["nothing", "request", "start", "run"]


@config_dataclass
class ChatConfig:
    """A server, its model, and limits on the requests."""

    base_url: str
    model: str
    served_as: str | None  # pattern of the model's name in replies; null: `model` or a dated form of it
    api_key_env: Runtime[str | None]  # the name of the environment variable with the key, never the key
    extra_body: dict[str, Any]  # further fields of every request; a null value removes a field
    in_flight: Runtime[Annotated[int, Field(ge=1, le=1000)]]
    attempts: Runtime[Positive]  # of one request
    timeout: Runtime[PositiveFloat]  # seconds of one attempt, up to the last byte of the reply
    max_requests: Runtime[Positive | None]  # attempts of all requests of one run
    max_reply_megabytes: Runtime[PositiveFloat] = Field(default=16.0, kw_only=True)  # of a response's body, unpacked

    @model_validator(mode="after")
    def _holds_no_secret(self) -> "ChatConfig":
        if "@" in self.base_url or "?" in self.base_url:
            raise ValueError(
                "base_url: contains a name, password or query; the key comes from the variable api_key_env"
            )
        try:
            urls.parsed(self.base_url)
        except ValueError:
            raise ValueError(f"base_url: got {self.base_url!r}; must be http(s)://HOST/v1 or the like") from None
        if self.api_key_env is not None and not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", self.api_key_env):
            raise ValueError(
                "api_key_env: must be the NAME of an environment variable, in capitals, not the key itself (the value "
                "is not shown here)"
            )
        return self


def key_of(config: ChatConfig, group: str) -> str | None:
    """The key of a server; None where it needs none. Raises ConfigError when the environment has no usable key."""
    if config.api_key_env is None:
        return None
    key = (os.environ.get(config.api_key_env) or "").strip()
    if not key:
        raise ConfigError(
            f"{group}.api_key_env: the environment variable of this name is not set; export it, or give null for a "
            "server that needs no key"
        )
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(
            f"{group}.api_key_env: the value of the environment variable is no key: it has line ends or letters that "
            "are not ASCII; export the key alone"
        )
    return key


@dataclass(frozen=True)
class ServerReply:
    """One reply. The text is "" where the model wrote nothing, or where the server withheld it (`filtered`)."""

    text: str
    finish: Finish
    model: str  # the server's name for it, often with a date
    prompt_tokens: int  # 0 where the server gives none
    new_tokens: int
    seconds: float  # of the successful attempt


class AttemptError(Exception):
    """An attempt without a usable reply.

    `ends` says what is given up:
    - "nothing": the request may be sent again;
    - "request": this request;
    - "run": all requests;
    - "start": all requests as long as none has had a reply, afterwards nothing.

    `wait`: seconds that the server asks for. `limited`: the server's rate limit was the reason.
    """

    def __init__(self, reason: str, ends: Ends, wait: float | None = None, limited: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.ends, self.wait, self.limited = reason, ends, wait, limited


class ResponseReader:
    """Reads the responses of a server. The key never appears in its messages."""

    def __init__(self, config: ChatConfig, key: str | None) -> None:
        self._config, self._key = config, key

    def __call__(self, status: int, headers: Mapping[str, str], text: str, seconds: float) -> ServerReply:
        """The reply in a response. Raises AttemptError where there is none."""
        if not 200 <= status < 300:
            return self._refused(status, headers, text, seconds)
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise AttemptError("the body of the reply is not JSON", "nothing") from None
        return self._read(data, seconds)

    def cleaned(self, text: str) -> str:
        """A message of the server on one line of at most 200 characters, without key and passwords."""
        masked = urls.without_password(text.replace(self._key, "***") if self._key else text)
        printable = "".join(char if char.isprintable() else " " for char in masked)  # no commands to a terminal
        return " ".join(printable.split())[:200]

    def _read(self, data: Any, seconds: float) -> ServerReply:
        try:
            choice, model = data["choices"][0], data.get("model") or self._config.model
            finish = _FINISH.get(str(choice.get("finish_reason")), "stop")
            text = _text(choice["message"], finish)
        except (AttributeError, LookupError, TypeError):
            error = data.get("error") if isinstance(data, dict) else None
            note = f" ({self.cleaned(str(error))})" if error else ""
            raise AttemptError(f"the reply has no choice with a message{note}", "nothing") from None
        if not _same_model(self._config, str(model)):
            raise AttemptError(
                f"asked for model={self._config.model!r}, and {self.cleaned(str(model))!r} answers; set model to that "
                "name, or served_as to a pattern of it",
                "run",
            )
        usage = data.get("usage")
        return ServerReply(
            text, finish, str(model), _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"), seconds
        )

    def _refused(self, status: int, headers: Mapping[str, str], text: str, seconds: float) -> ServerReply:
        error = _error(text)
        code, message = str(error.get("code") or ""), self.cleaned(str(error.get("message") or text))
        if "content_filter" in code or "content_policy" in code:
            return ServerReply("", "filtered", self._config.model, 0, 0, seconds)
        if status in (401, 403):
            variable = self._config.api_key_env
            refused = f"the key in {variable}" if variable else "a request without a key (api_key_env=null)"
            raise AttemptError(f"the server refuses {refused} (status {status})", "run")
        if status < 400:  # redirects are not followed: they would send the key to another server
            raise AttemptError(
                f"status {status}: the server redirects to {self.cleaned(headers.get('Location', 'nowhere'))}; name "
                "the right address in base_url",
                "start",  # later it is a network that asks for a login, or the like
            )
        if status in (402, 405, 407):  # no credit, no such service, a proxy: no other request fares better
            raise AttemptError(f"status {status}: {message}", "run")
        if status == 404:
            model = f"model={self._config.model!r}"
            raise AttemptError(f"status 404: no {model} there, or no /chat/completions ({message})", "start")
        if code == "insufficient_quota":
            raise AttemptError("the account has no credit left (insufficient_quota)", "run")
        if status in (408, 409, 429) or status >= 500:
            wait = _retry_after(headers)
            if wait is not None and wait > _PATIENCE:
                raise AttemptError(f"the server allows the next request only in {wait:.0f} s (status {status})", "run")
            raise AttemptError(f"status {status}: {message}", "nothing", wait, limited=status == 429)
        raise AttemptError(f"status {status}: {message}", "request")


def _text(message: Mapping[str, object], finish: Finish) -> str:
    """The text of a message: a string, or the texts of a list of parts. A refusal is a text too.

    Raises AttemptError for a message without text, which is no empty answer: a call of a tool, or reasoning alone.
    """
    content = message.get("content")
    if isinstance(content, list):
        texts = [text for part in content if (text := _part(part)) is not None]
        content = "".join(texts) if texts else None
    refusal = message.get("refusal")
    if not isinstance(content, str | None) or not isinstance(refusal, str | None):
        raise TypeError("content is no text")
    if text := content or refusal:
        return text
    if message.get("tool_calls") or message.get("function_call"):
        raise AttemptError("the reply calls a tool and has no text; leave tools out of extra_body", "request")
    if message.get("reasoning_content") or message.get("reasoning"):
        why = "it used all of max_new_tokens; raise it" if finish == "length" else "content is empty"
        raise AttemptError(f"the reply has reasoning and no answer ({why})", "request")
    if content is None and finish != "filtered":
        raise AttemptError("the reply has no text (content is null or has no part with a text)", "nothing")
    return ""


def _part(part: object) -> str | None:
    """The text of one part of a content; None for a part of another type, such as reasoning or a picture."""
    if isinstance(part, Mapping) and part.get("type") in ("text", "output_text"):
        part = part.get("text")
    return part if isinstance(part, str) else None


def _count(usage: object, name: str) -> int:
    """A count of tokens; 0 where the server gives none, or one that cannot be."""
    count = usage.get(name) if isinstance(usage, Mapping) else None
    return count if isinstance(count, int) and 0 <= count < _MOST_TOKENS else 0


def _error(text: str) -> Mapping[str, object]:
    """The fields code and message of an error response; {} where it has another form."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    error = data.get("error", data) if isinstance(data, dict) else {}
    return error if isinstance(error, dict) else {"message": error}


def _same_model(config: ChatConfig, name: str) -> bool:
    if config.served_as is not None:
        return fnmatchcase(name, config.served_as)
    model, answering = config.model.rpartition("/")[2], name.rpartition("/")[2]
    return name == config.model or bool(re.fullmatch(re.escape(model) + r"(-\d{4}(-?\d\d-?\d\d)?)?", answering))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the header Retry-After, which is a number or a date; None without it."""
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
