"""The engine `openai`: sends the messages of each request to a server with OpenAI's chat API."""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from raft_exp.core.errors import ModelError
from raft_exp.core.records import Answer
from raft_exp.engines import OpenaiEngine, Request, Sampling
from raft_exp.engines.client.client import ChatClient, as_they_come
from raft_exp.engines.client.queue import ChatPrompt
from raft_exp.models.loading import ModelConfig

log = logging.getLogger(__name__)


def load(config: OpenaiEngine, model: ModelConfig | None, adapter: Path | None, room: Path) -> "Openai":
    """Returns an engine for the server. Raises ModelError for an adapter, ConfigError for a missing or invalid key."""
    if adapter is not None:
        raise ModelError(
            f"adapter={adapter}: engine=openai cannot load an adapter; use engine=transformers or engine=vllm"
        )
    return Openai(config)


class Openai:
    """The model of a server. Requests set temperature 0 for greedy decoding, unless `extra_body` changes it."""

    def __init__(self, config: OpenaiEngine) -> None:
        self._config, self._client = config, ChatClient(config)

    def generate(
        self,
        requests: Sequence[Request],
        answered: Collection[str] = (),
        sampling: Sampling | None = None,
        log_probabilities: bool = False,
    ) -> Iterator[Answer]:
        """Yields the answers in the order in which the server's replies arrive (`Engine.generate`).

        A reply that the server's content filter withheld is an empty answer with `filtered=True`. This reply is not
        requested again. Raises ServerError after the last answer if a request got no usable reply. `sampling` must be
        None.
        """
        assert sampling is None, "the decoding settings of a server are in its config"
        done = frozenset(answered)
        chats = (ChatPrompt(request.id, request.messages) for request in requests if request.id not in done)
        body = {"temperature": 0, "max_tokens": self._config.max_new_tokens}
        if log_probabilities:
            body["logprobs"] = True
        filtered = 0
        with closing(as_they_come(self._client.replies(chats, body))) as stream:
            for name, reply in stream:
                withheld = reply.finish == "filtered"
                filtered += withheld
                text = "" if withheld else reply.text
                yield Answer(
                    name,
                    text,
                    reply.finish == "length",
                    reply.prompt_tokens,
                    reply.new_tokens,
                    filtered=withheld,
                    log_probability=reply.log_probability if log_probabilities and text else None,
                )
        if filtered:
            log.warning("the server's content filter withheld %d replies; they are scored as empty replies", filtered)
