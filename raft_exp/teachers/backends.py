"""How a teacher is heard: chats go in, replies come out in small groups, from a server or from an engine in here."""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from raft_exp.engines.client.client import ChatClient, ChatPrompt, Keep, Refuse
from raft_exp.engines.client.protocol import ChatConfig, Finish, ServerReply
from raft_exp.teachers.tasks import Task

ReplyStream = Generator[list[tuple[str, ServerReply]], None, None]


class Backend(Protocol):
    """A model that answers the prompts of one task."""

    sent: int  # attempts so far, those without a usable reply too

    def replies(self, chats: Iterator[ChatPrompt], refuse: Refuse, keep: Keep, left: int | None) -> ReplyStream:
        """Yields (id, reply) in groups, as they come. Takes chats one by one, as they can be sent.

        Each reply goes to `keep` before a chat is sent in its place. Sends at most `left` attempts.
        Raises ServerError at the end when some chat got no usable reply.
        """


class ApiBackend:
    """The chats are sent from a thread of their own, so that writing replies down holds nothing up."""

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
        """As `Voice.replies`. Raises ConfigError when the environment holds no key."""
        client = ChatClient(replace(self._config, max_requests=left), "teacher")
        found: queue.SimpleQueue[tuple[str, ServerReply] | None] = queue.SimpleQueue()
        sending = _Sending(client.replies(chats, self._body, refuse, keep), found)
        sending.start()
        try:
            while (one := found.get()) is not None:
                group = [one]
                while not found.empty() and (one := found.get()) is not None:
                    group.append(one)
                yield group
                if one is None:
                    break
        finally:
            sending.end()
            self.sent += client.sent
        if sending.error:
            raise sending.error


class _Sending(threading.Thread):
    """Runs an event loop; puts a client's replies into `found`, and None behind the last."""

    def __init__(
        self,
        replies: AsyncIterator[tuple[str, ServerReply]],
        found: "queue.SimpleQueue[tuple[str, ServerReply] | None]",
    ) -> None:
        super().__init__(daemon=True)
        self._replies, self._found = replies, found
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """The thread."""
        try:
            self._task = self._loop.create_task(self._send())
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # told in the thread that waits for replies
            self.error = error
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            self._found.put(None)

    async def _send(self) -> None:
        async for one in self._replies:
            self._found.put(one)

    def end(self) -> None:
        """Ends the thread; what is in flight is lost."""
        if self.is_alive() and self._task:
            with contextlib.suppress(RuntimeError):  # the thread has ended between the question and this call
                self._loop.call_soon_threadsafe(self._task.cancel)
        self.join(10)


class EngineBackend:
    """A model in this process, loaded when the first prompt comes."""

    def __init__(self, teacher: Any, task: Task, room: Path) -> None:
        self._teacher, self._task, self._room = teacher, task, room
        self.sent = 0

    def replies(self, chats: Iterator[ChatPrompt], refuse: Refuse, keep: Keep, left: int | None) -> ReplyStream:
        """As `Voice.replies`; refuses prompts for which the model has no room."""
        from raft_exp import engines
        from raft_exp.engines import Request, Sampling
        from raft_exp.models import loading as models
        from raft_exp.models.tokens import encode_prompt

        model, task = self._teacher.model, self._task
        engine, tokenizer = None, models.load_tokenizer(model.name_or_path, model.revision)
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


def open_backend(teacher: Any, task: Task, room: Path) -> Backend:
    """The voice of a teacher. `room` is a folder where an engine may keep what it needs while it loads."""
    return ApiBackend(teacher, task) if teacher.name == "openai" else EngineBackend(teacher, task, room)
