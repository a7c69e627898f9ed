"""The backends that generate the replies of a model: a server, or an engine in this process."""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from raft_exp.engines.client.client import ChatClient, Keep, Refuse
from raft_exp.engines.client.protocol import Finish, ServerReply
from raft_exp.engines.client.queue import ChatPrompt
from raft_exp.tasks.model import LocalModel, ServerModel, TaskModel
from raft_exp.tasks.task import Task

if TYPE_CHECKING:
    from raft_exp.engines import Engine

ReplyStream = Generator[list[tuple[str, ServerReply]], None, None]


class Backend(Protocol):
    """A model that replies to the prompts of one task."""

    sent: int  # number of attempts so far, including failed ones

    def replies(self, chats: Iterator[ChatPrompt], refuse: Refuse, keep: Keep, left: int | None) -> ReplyStream:
        """Yields groups of (id, reply) as soon as they arrive. Reads a chat only when it can be sent.

        Calls `keep` with each reply before it sends the next chat, and `refuse` with each chat that the model can never
        answer. Sends at most `left` attempts (None: no limit). At the end, raises ServerError if a chat got no usable
        reply.
        """


class ApiBackend:
    """A server with OpenAI's chat API. A second thread sends the chats, so that the caller does not delay requests."""

    def __init__(self, config: ServerModel, task: Task) -> None:
        self._config = config
        self._body = {
            "temperature": task.temperature,
            "top_p": task.top_p,
            "max_tokens": task.max_new_tokens,
            **task.extra_body,
        }
        self.sent = 0

    def replies(self, chats: Iterator[ChatPrompt], refuse: Refuse, keep: Keep, left: int | None) -> ReplyStream:
        """Sends the chats to the server (`Backend.replies`).

        Raises ConfigError where the API key is missing or invalid, or the environment sets an unusable proxy.
        """
        client = ChatClient(replace(self._config, max_requests=left), self._config.group)
        arrived: queue.SimpleQueue[tuple[str, ServerReply] | None] = queue.SimpleQueue()
        sending = _Sending(client.replies(chats, self._body, refuse, keep), arrived)
        sending.start()
        try:
            while (reply := arrived.get()) is not None:
                group = [reply]
                while not arrived.empty() and (reply := arrived.get()) is not None:
                    group.append(reply)
                yield group
                if reply is None:
                    break
        finally:
            sending.end()
            self.sent += client.sent
        if sending.error:
            raise sending.error


class _Sending(threading.Thread):
    """A thread that runs a client's event loop. It puts each reply into the queue `arrived`, and None at the end."""

    def __init__(
        self,
        replies: AsyncIterator[tuple[str, ServerReply]],
        arrived: "queue.SimpleQueue[tuple[str, ServerReply] | None]",
    ) -> None:
        super().__init__(daemon=True)
        self._replies, self._arrived = replies, arrived
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Runs the event loop until all replies have arrived. Stores an error in `error`."""
        try:
            self._task = self._loop.create_task(self._send())
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # `replies` raises it in the caller's thread
            self.error = error
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            self._arrived.put(None)

    async def _send(self) -> None:
        async for reply in self._replies:
            self._arrived.put(reply)

    def end(self) -> None:
        """Cancels the open requests, whose replies are lost, and waits up to 10 seconds for the end of the thread."""
        if self.is_alive() and self._task:
            with contextlib.suppress(RuntimeError):  # the thread may have ended since the check
                self._loop.call_soon_threadsafe(self._task.cancel)
        self.join(10)


class LazyEngine:
    """The engine of a model in this process, loaded when it is first needed. Jobs of one model can share it.

    `room`: folder for temporary files while the engine is loaded.
    """

    def __init__(self, room: Path) -> None:
        self._room = room
        self._loaded: Engine | None = None

    def of(self, local: LocalModel) -> "Engine":
        """Returns the engine of the model `local`, which must be the same in all calls.

        Raises ModelError if the model cannot be loaded.
        """
        from raft_exp import engines

        if self._loaded is None:
            self._loaded = engines.load(local.engine, local.model, None, self._room)
        return self._loaded


class EngineBackend:
    """A model in this process, which is loaded at the first prompt."""

    def __init__(self, local: LocalModel, task: Task, engine: LazyEngine) -> None:
        self._local, self._task, self._engine = local, task, engine
        self.sent = 0

    def replies(self, chats: Iterator[ChatPrompt], refuse: Refuse, keep: Keep, left: int | None) -> ReplyStream:
        """Generates the replies with the model (`Backend.replies`), and reads `window` chats at a time.

        Refuses prompts that are too long for the model. Raises ModelError where the model cannot be loaded.
        """
        from raft_exp.engines import Request, Sampling
        from raft_exp.models.loading import tokenizer_of
        from raft_exp.models.tokens import encode_prompt

        model, task = self._local.model, self._task
        tokenizer = tokenizer_of(model)
        room = model.max_length - task.max_new_tokens
        while window := list(islice(chats, min(self._local.window, self._local.window if left is None else left))):
            requests = []
            for chat in window:
                ids = encode_prompt(tokenizer, chat.messages)
                if len(ids) <= room:
                    requests.append(Request(chat.id, ids, chat.messages))
                else:
                    refuse(chat.id, f"the prompt has {len(ids)} tokens, and model.max_length leaves room for {room}")
            self.sent += len(requests)
            left = None if left is None else left - len(requests)
            if not requests:
                continue
            engine = self._engine.of(self._local)
            before = time.perf_counter()
            sampling = Sampling(task.temperature or 0.0, 1.0 if task.top_p is None else task.top_p, task.max_new_tokens)
            for answer in engine.generate(requests, sampling=sampling):
                now = time.perf_counter()
                finish: Finish = "length" if answer.truncated else "stop"
                counts = answer.prompt_tokens, answer.new_tokens
                reply = ServerReply(answer.raw, finish, model.name_or_path, *counts, now - before)
                before = now
                keep(answer.id, reply)
                yield [(answer.id, reply)]


def open_backend(model: TaskModel, task: Task, engine: LazyEngine) -> Backend:
    """Returns the backend of a model. `engine`: the engine of a model in this process."""
    if isinstance(model, ServerModel):
        return ApiBackend(model, task)
    return EngineBackend(model, task, engine)
