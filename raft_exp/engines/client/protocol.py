"""OpenAI's chat API: the settings of a server, and a reader that turns a response into a reply or an error."""

import email.utils
import json
import math
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from raft_exp.core.errors import ConfigError
from raft_exp.core.schema import KeyedUnlessList, Positive, PositiveFloat, Runtime, config_dataclass
from raft_exp.engines.client import urls

_MOST_TOKENS = 100_000_000  # larger token counts of a server are ignored as errors
_PATIENCE = 600.0  # seconds; a longer Retry-After ends the run, unless another server can take the request

Finish = Literal["stop", "length", "filtered"]
_FINISH: dict[str, Finish] = {"length": "length", "content_filter": "filtered"}  # any other finish_reason: stop

Ends = Literal["nothing", "request", "start", "server", "run"]


@config_dataclass
class ChatConfig:
    """Servers with OpenAI's chat API, the model, and limits on the requests.

    Several servers must all serve the same model, because a request goes to any server that is free.
    """

    base_url: KeyedUnlessList[str | list[str]]
    model: str
    served_as: str | None  # pattern for the model name in replies; null: `model`, with or without a date
    api_key_env: Runtime[str | None]  # name of the environment variable with the API key (not the key itself)
    extra_body: dict[str, Any]  # further fields of every request; a null value removes a field
    in_flight: Runtime[Annotated[int, Field(ge=1, le=1000)]]  # number of requests at the same time, to each server
    attempts: Runtime[Positive]  # largest number of attempts for one request
    timeout: Runtime[PositiveFloat]  # seconds for one attempt, until the last byte of the reply
    max_requests: Runtime[Positive | None]  # largest number of attempts for all requests of one run
    max_reply_megabytes: Runtime[PositiveFloat] = Field(default=16.0, kw_only=True)  # size after decompression

    @model_validator(mode="after")
    def _holds_no_secret(self) -> "ChatConfig":
        urls.check_servers(self.servers)
        if self.api_key_env is not None and not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", self.api_key_env):
            raise ValueError(
                "api_key_env: must be the NAME of an environment variable, in capitals, not the key itself (the value "
                "is not shown here)"
            )
        return self

    @property
    def servers(self) -> list[str]:
        """The URLs of `base_url`, without a slash at the end."""
        return [url.rstrip("/") for url in ([self.base_url] if isinstance(self.base_url, str) else self.base_url)]


def key_of(config: ChatConfig, group: str) -> str | None:
    """Returns the API key of a server; None if it needs no key. Raises ConfigError for a missing or invalid key."""
    if config.api_key_env is None:
        return None
    key = (os.environ.get(config.api_key_env) or "").strip()
    if not key:
        raise ConfigError(
            f"{group}.api_key_env: got {config.api_key_env!r}, but this environment variable is not set; export it, or "
            f"use {group}.api_key_env=null for a server that needs no key"
        )
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(
            f"{group}.api_key_env: the value of the environment variable {config.api_key_env} is not a key, as it has "
            "line breaks or characters outside ASCII (it is not shown here); export only the key"
        )
    return key


@dataclass(frozen=True)
class ServerReply:
    """One reply. The text is "" if the model wrote nothing, or the server withheld the text (`finish="filtered"`)."""

    text: str
    finish: Finish
    model: str  # model name in the server's response, often with a date
    prompt_tokens: int  # 0 where the server does not count tokens
    new_tokens: int
    seconds: float  # duration of the successful attempt
    log_probability: float | None = None  # mean over the tokens; None where the server does not return it


class AttemptError(Exception):
    """An attempt without a usable reply.

    `ends` states the consequence:
    - "nothing": the request is sent again;
    - "request": the request fails;
    - "run": the run ends;
    - "start": the run ends if the server has had no good reply yet, otherwise the request is sent again;
    - "server": the run ends, unless another server can take the request.

    `wait`: seconds to wait, from the server's header Retry-After. `limited`: whether the reason is a rate limit.
    `down`: whether the reason is the server and not the request: no connection, no reply in time, status 5xx.
    """

    def __init__(
        self, reason: str, ends: Ends, wait: float | None = None, limited: bool = False, down: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.ends, self.wait, self.limited, self.down = reason, ends, wait, limited, down


class ResponseReader:
    """Reads the responses of a server. Its error messages never contain the API key."""

    def __init__(self, config: ChatConfig, key: str | None) -> None:
        self._config, self._key = config, key

    def __call__(self, status: int, headers: Mapping[str, str], text: str, seconds: float) -> ServerReply:
        """Returns the reply in a response (`text`: the body). Raises AttemptError if it has no usable reply."""
        if not 200 <= status < 300:
            return self._refused(status, headers, text, seconds)
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise AttemptError("the reply is not JSON", "nothing", down=True) from None
        return self._read(data, seconds)

    def cleaned(self, text: str) -> str:
        """Returns a message of the server on one line of at most 200 characters, without key and passwords."""
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
            raise AttemptError(f"the reply has no field choices[0].message{note}", "nothing") from None
        if not _same_model(self._config, str(model)):
            raise AttemptError(
                f"the reply comes from the model {self.cleaned(str(model))!r}, but model={self._config.model!r} was "
                "requested; set model to the name in the reply, or served_as to a pattern that matches it",
                "run",
            )
        usage = data.get("usage")
        return ServerReply(
            text,
            finish,
            str(model),
            _count(usage, "prompt_tokens"),
            _count(usage, "completion_tokens"),
            seconds,
            _log_probability(choice.get("logprobs")),
        )

    def _refused(self, status: int, headers: Mapping[str, str], text: str, seconds: float) -> ServerReply:
        error = _error(text)
        code, message = str(error.get("code") or ""), self.cleaned(str(error.get("message") or text))
        if "content_filter" in code or "content_policy" in code:
            return ServerReply("", "filtered", self._config.model, 0, 0, seconds)
        if status in (401, 403):
            variable = self._config.api_key_env
            refused = f"the key in {variable}" if variable else "a request without a key (api_key_env=null)"
            remedy = "export a valid key" if variable else "set api_key_env"
            raise AttemptError(f"the server does not accept {refused} (status {status}); {remedy}", "run")
        if status < 400:  # redirects are not followed: they would send the key to another server
            raise AttemptError(
                f"status {status}: the server redirects to {self.cleaned(headers.get('Location', 'another URL'))}; set "
                "base_url to the right address",
                "start",  # after a first reply, the cause is the network, e.g. a login page
                down=True,
            )
        if status in (402, 405, 407):  # no credit, wrong method, proxy login: no other request would succeed
            raise AttemptError(f"status {status}: {message}", "run")
        if status == 404:
            model = f"model={self._config.model!r}"
            raise AttemptError(
                f"status 404: the server has no {model}, or no /chat/completions at base_url ({message}); correct "
                "model, or base_url, which often ends in /v1",
                "start",
                down=True,
            )
        if code == "insufficient_quota":
            raise AttemptError("the account has no credit left (insufficient_quota); add credit", "run")
        if status in (408, 409, 429) or status >= 500:
            wait = _retry_after(headers)
            if wait is not None and wait > _PATIENCE:
                raise AttemptError(
                    f"the server accepts the next request only after {wait:.0f} s (status {status})",
                    "server",
                    wait,
                    limited=True,
                )
            raise AttemptError(f"status {status}: {message}", "nothing", wait, status == 429, down=status >= 500)
        raise AttemptError(f"status {status}: {message}", "request")


def _text(message: Mapping[str, object], finish: Finish) -> str:
    """Returns the text of a message: its content (a string, or the texts of a list of parts), or its refusal.

    Raises AttemptError for a message that has something else instead of a text, e.g. a tool call or only reasoning.
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
        raise AttemptError("the reply calls a tool and has no text; remove the tools from extra_body", "request")
    if message.get("reasoning_content") or message.get("reasoning"):
        why = "it used all of max_new_tokens; raise it" if finish == "length" else "content is empty"
        raise AttemptError(f"the reply has reasoning, but no answer ({why})", "request")
    if content is None and finish != "filtered":
        raise AttemptError("the reply has no text (content is null or has no part with a text)", "nothing")
    return ""


def _part(part: object) -> str | None:
    """Returns the text of one part of a message; None for a part of another type, e.g. reasoning or an image."""
    if isinstance(part, Mapping) and part.get("type") in ("text", "output_text"):
        part = part.get("text")
    return part if isinstance(part, str) else None


def _count(usage: object, name: str) -> int:
    """Returns a number of tokens from the field `usage`; 0 if it is missing or impossible."""
    count = usage.get(name) if isinstance(usage, Mapping) else None
    return count if isinstance(count, int) and 0 <= count < _MOST_TOKENS else 0


def _log_probability(logprobs: object) -> float | None:
    """Returns the mean log probability of the tokens of a reply; None if the field is missing or damaged."""
    tokens = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(tokens, list):
        return None
    values = [token.get("logprob") if isinstance(token, Mapping) else None for token in tokens]
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if not numbers or len(numbers) < len(values):
        return None
    mean = sum(numbers) / len(numbers)
    return round(mean, 6) if math.isfinite(mean) and mean <= 0 else None


def _error(text: str) -> Mapping[str, object]:
    """Returns the error object of an error response, with fields such as code and message; {} for another format."""
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
    """Returns the seconds to wait by the header Retry-After (a number or a date); None without a valid header."""
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
