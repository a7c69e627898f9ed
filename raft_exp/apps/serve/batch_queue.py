"""Questions of many clients, answered in batches: one thread takes what waits, and generates for all of it at once."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from raft_exp.apps.ask.citations import CitedAnswer
from raft_exp.apps.ask.session import AskPrompt, RagSession, answer
from raft_exp.core.errors import DataError, RaftError
from raft_exp.core.records import Answer
from raft_exp.engines import Request

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question that has its reply; without one nothing was found."""

    asked: AskPrompt
    reply: Answer | None
    judged: CitedAnswer


@dataclass(frozen=True)
class FailedQuestion:
    """A question that has none."""

    message: str
    whose: Literal["client", "server"]


Event = str | AnsweredQuestion | FailedQuestion


@dataclass
class QueuedQuestion:
    """A question that waits, or is being answered. `tell` is called from the thread that answers."""

    name: str
    question: str
    most: int | None  # tokens of the reply; None: as many as the model may write
    tell: Callable[[Event], None]
    gone: threading.Event = field(default_factory=threading.Event)  # set: nobody waits for it any more
    asked: AskPrompt | None = None


class BusyError(Exception):
    """Too many questions wait. `seconds` is a guess of when one fits in."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"busy; try again in {seconds} s")
        self.seconds = seconds


class BatchQueue:
    """`most` questions are answered together; `waiting` may wait for their turn."""

    def __init__(self, asker: RagSession, most: int, waiting: int) -> None:
        self._asker, self._most, self._waiting = asker, most, waiting
        self._jobs: queue.SimpleQueue[QueuedQuestion | None] = queue.SimpleQueue()
        self._inside = 0  # jobs that wait or are being answered
        self._lock = threading.Lock()
        self._seconds = 1.0  # of a batch, lately
        self._thread = threading.Thread(target=self._work, name="raft_exp answers", daemon=True)
        self._thread.start()

    def put(self, job: QueuedQuestion) -> None:
        """Takes a question in. Raises BusyError where too many wait."""
        with self._lock:
            if self._inside >= self._waiting + self._most:
                raise BusyError(max(1, round(self._seconds * self._inside / self._most)))
            self._inside += 1
        self._jobs.put(job)

    def close(self) -> None:
        """Lets the batch that is being answered come to its end, and takes no other."""
        self._jobs.put(None)
        self._thread.join(timeout=60)

    def _work(self) -> None:
        while True:
            batch, last = self._take()
            began = time.monotonic()
            try:
                self._answer([job for job in batch if not job.gone.is_set()])
            except Exception as error:  # the next batch may do better
                log.exception("a batch failed")
                told = str(error) if isinstance(error, RaftError) else "the model failed; see the server's log"
                for job in batch:
                    job.tell(FailedQuestion(told, "server"))
            finally:
                with self._lock:
                    self._inside -= len(batch)
                    self._seconds = 0.5 * self._seconds + 0.5 * (time.monotonic() - began)
            if last:
                return

    def _take(self) -> tuple[list[QueuedQuestion], bool]:
        """What waits, up to a batch; whether it is the last."""
        batch: list[QueuedQuestion] = []
        while len(batch) < self._most:
            try:
                job = self._jobs.get(block=not batch)
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _answer(self, jobs: list[QueuedQuestion]) -> None:
        asked = [job for job in jobs if self._prompted(job)]
        reader = _Reader(asked)
        requests = [job.asked.request for job in asked if job.asked and job.asked.request]
        for reply in answer(self._asker.engine, requests, reader) if requests else ():
            job = reader.jobs[reply.id]
            assert job.asked is not None, "prompted above"
            job.tell(AnsweredQuestion(job.asked, reply, self._asker.judge(job.asked, reply)))

    def _prompted(self, job: QueuedQuestion) -> bool:
        """Whether there is something to generate: a bad question, and one for which nothing is found, end here."""
        try:
            job.asked = self._asker.prompt(job.name, job.question)
        except DataError as error:
            job.tell(FailedQuestion(str(error).removeprefix(f"question {job.name!r}: "), "client"))
            return False
        if job.asked.request is None:
            job.tell(AnsweredQuestion(job.asked, None, self._asker.judge(job.asked, None)))
        return job.asked.request is not None


class _Reader:
    """Hands each question its own pieces; ends what nobody waits for, and what is as long as was asked for."""

    def __init__(self, jobs: list[QueuedQuestion]) -> None:
        self.jobs = {job.name: job for job in jobs}

    def said(self, request: Request, text: str) -> None:
        """A piece of a reply."""
        self.jobs[request.id].tell(text)

    def enough(self, request: Request, tokens: int) -> bool:
        """Whether a reply may end."""
        job: Any = self.jobs[request.id]
        return job.gone.is_set() or (job.most is not None and tokens >= job.most)
