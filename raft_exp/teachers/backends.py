"""The two sources of a teacher's replies: a server, or an engine in this process."""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from raft_exp.engines.client.client import ChatClient, ChatPrompt, Keep, Refuse
from raft_exp.engines.client.protocol import ChatConfig, Finish, ServerReply
from raft_exp.teachers.model import LocalTeacher, ModelTeacher, OpenaiTeacher
from raft_exp.teachers.tasks import Task

ReplyStream = Generator[list[tuple[str, ServerReply]], None, None]


class Backend(Protocol):
    """A model that replies to the prompts of one task."""

    sent: int  # attempts so far, with those that got no usable reply

    def replies(self, chats: Iterator[ChatPrompt], refuse: Refuse, keep: Keep, left: int | None) -> ReplyStream:
        """Yields (id, reply) in groups, as soon as they arrive. Takes each chat only when it can be sent.

        `keep` gets each reply before the next chat is sent in its place; `refuse` gets each chat that can never be
        answered. At most `left` attempts are sent (None: no limit).
        Raises ServerError at the end when some chat got no usable reply.
        """


class ApiBackend:
    """A server. A second thread sends the chats, so that the caller's work on replies delays no request."""

    def __init__(self, config: ChatConfig, task: Task) -> None:
        self._config = config
        self._body = {
            "temperature": task.temperature,
            "top_p": task.top_p,
            "max_tokens": task.max_new_tokens,
            **task.extra_body,
        }
        self.sent = 0

    def replies(self, chats: Iterator[ChatPrompt], refuse: Refuse, keep: Keep, left: int | None) -> ReplyStream:
        """Sends the chats to the server (`Backend.replies`). Raises ConfigError when the environment has no key."""
        client = ChatClient(replace(self._config, max_requests=left), "teacher")
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
    """Runs an event loop in a thread; puts the replies of a client into `arrived`, then None."""

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
        """The body of the thread."""
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
        """Ends the thread; replies to requests in flight are lost."""
        if self.is_alive() and self._task:
            with contextlib.suppress(RuntimeError):  # the thread may have ended since the check
                self._loop.call_soon_threadsafe(self._task.cancel)
        self.join(10)


class EngineBackend:
    """A model in this process, loaded for the first prompt."""

    def __init__(self, teacher: LocalTeacher, task: Task, room: Path) -> None:
        self._teacher, self._task, self._room = teacher, task, room
        self.sent = 0

    def replies(self, chats: Iterator[ChatPrompt], refuse: Refuse, keep: Keep, left: int | None) -> ReplyStream:
        """Answers the chats with the model (`Backend.replies`), but refuses prompts that are too long for it."""
        from raft_exp import engines
        from raft_exp.engines import Request, Sampling
        from raft_exp.models.loading import tokenizer_of
        from raft_exp.models.tokens import encode_prompt

        model, task = self._teacher.model, self._task
        engine, tokenizer = None, tokenizer_of(model)
        room = model.max_length - task.max_new_tokens
        while window := list(islice(chats, min(self._teacher.window, self._teacher.window if left is None else left))):
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
            engine = engine or engines.load(self._teacher.engine, model, None, self._room)
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


def open_backend(teacher: ModelTeacher, task: Task, room: Path) -> Backend:
    """The backend of a teacher. `room` is a folder for temporary files while an engine is loaded."""
    if isinstance(teacher, OpenaiTeacher):
        return ApiBackend(teacher, task)
    return EngineBackend(teacher, task, room)
