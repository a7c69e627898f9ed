"""The engine `openai`: the messages of each request go to a server, as they are."""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from raft_exp.core.errors import ModelError
from raft_exp.core.records import Answer
from raft_exp.engines import OpenaiEngine, Request, Sampling
from raft_exp.engines.client.client import ChatClient, ChatPrompt, as_they_come

log = logging.getLogger(__name__)


def load(config: OpenaiEngine, model: Any, adapter: Path | None, room: Path) -> "Openai":
    """Nothing is loaded; the key is looked up (ConfigError). Raises ModelError for an adapter."""
    if adapter is not None:
        raise ModelError(f"adapter={adapter}: a server's model takes none; use engine=transformers or engine=vllm")
    return Openai(config)


class Openai:
    """A server's model. Temperature 0 is as near to greedy as the protocol comes."""

    def __init__(self, config: OpenaiEngine) -> None:
        self._config, self._client = config, ChatClient(config)

    def generate(
        self, requests: Sequence[Request], answered: Collection[str] = (), sampling: Sampling | None = None
    ) -> Iterator[Answer]:
        """As `Engine.generate`; it samples as its config says.

        Raises ServerError when some request got no usable reply, behind all good answers.

        A reply that the server's content filter withheld is an empty answer that says so (`Answer.filtered`): the same
        question would be withheld again.
        """
        assert sampling is None, "a teacher asks a server itself"
        done = frozenset(answered)
        chats = (ChatPrompt(request.id, request.messages) for request in requests if request.id not in done)
        body = {"temperature": 0, "max_tokens": self._config.max_new_tokens}
        filtered = 0
        with closing(as_they_come(self._client.replies(chats, body))) as stream:
            for name, reply in stream:
                withheld = reply.finish == "filtered"
                filtered += withheld
                text = "" if withheld else reply.text
                yield Answer(
                    name, text, reply.finish == "length", reply.prompt_tokens, reply.new_tokens, filtered=withheld
                )
        if filtered:
            log.warning("%d replies were withheld by the server's content filter and count as empty", filtered)
