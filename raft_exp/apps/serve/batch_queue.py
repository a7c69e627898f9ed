"""A queue for the questions of many clients. One thread answers them in batches."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from raft_exp.apps.ask.citations import CitedAnswer
from raft_exp.apps.ask.session import AskPrompt, RagSession, answer
from raft_exp.core.errors import DataError, RaftError
from raft_exp.core.records import Answer
from raft_exp.engines import Request

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question with its reply. `reply` is None if no passage was found."""

    prompt: AskPrompt
    reply: Answer | None
    answer: CitedAnswer


@dataclass(frozen=True)
class FailedQuestion:
    """A question that could not be answered. `fault`: whether the client or the server caused the error."""

    message: str
    fault: Literal["client", "server"]


Event = str | AnsweredQuestion | FailedQuestion  # str: a piece of the reply


@dataclass(eq=False)
class QueuedQuestion:
    """A question that waits or is being answered. The thread that answers it calls `tell` with each event."""

    name: str
    question: str
    max_tokens: int | None  # of the reply; None: the model's limit
    tell: Callable[[Event], None]
    gone: threading.Event = field(default_factory=threading.Event)  # set after the response, or if the client left
    prompt: AskPrompt | None = None
    ended: bool = False  # whether it has its answer or its error


class BusyError(Exception):
    """Too many questions wait. `seconds`: the estimated time until the queue has room."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the server is busy; try again in {seconds} s")
        self.seconds = seconds


@dataclass
class QueueCounts:
    """The counts of a queue since its start. `waiting`: questions that wait or are being answered now."""

    answered: int = 0
    failed: int = 0
    refused: int = 0  # because too many questions waited
    waiting: int = 0
    batch_seconds: float = 0.0  # of all batches


class BatchQueue:
    """Answers up to `batch` questions at once; up to `waiting` more may wait."""

    def __init__(self, session: RagSession, batch: int, waiting: int) -> None:
        self._session, self._batch, self._waiting = session, batch, waiting
        self._jobs: queue.SimpleQueue[QueuedQuestion | None] = queue.SimpleQueue()
        self._inside: list[QueuedQuestion] = []  # they wait or are being answered
        self._lock = threading.Lock()
        self._seconds = 1.0  # duration of a batch, as an exponential moving average
        self._counts = QueueCounts()
        self._thread = threading.Thread(target=self._work, name="raft_exp answers", daemon=True)
        self._thread.start()

    def put(self, job: QueuedQuestion) -> None:
        """Adds a question to the queue. Raises BusyError if too many wait. Disconnected clients do not count."""
        with self._lock:
            present = sum(not job.gone.is_set() for job in self._inside)
            if present >= self._waiting + self._batch:
                self._counts.refused += 1
                raise BusyError(max(1, round(self._seconds * present / self._batch)))
            self._inside.append(job)
        self._jobs.put(job)

    def counts(self) -> QueueCounts:
        """Returns a copy of the counts."""
        with self._lock:
            return replace(self._counts, waiting=sum(not job.gone.is_set() for job in self._inside))

    def close(self) -> None:
        """Lets the thread answer the questions in the queue and end. Waits at most 60 s for this."""
        self._jobs.put(None)
        self._thread.join(timeout=60)

    def _work(self) -> None:
        while True:
            batch, last = self._take()
            start = time.monotonic()
            try:
                self._answer([job for job in batch if not job.gone.is_set()])
            except Exception as error:  # the next batch may succeed
                log.exception("a batch failed")
                message = str(error) if isinstance(error, RaftError) else "the model failed; see the server's log"
                for job in batch:
                    if not job.ended:
                        self._fail(job, message, "server")
            finally:
                with self._lock:
                    self._inside = [job for job in self._inside if job not in batch]
                    seconds = time.monotonic() - start
                    self._seconds = 0.5 * self._seconds + 0.5 * seconds
                    self._counts.batch_seconds += seconds
            if last:
                return

    def _take(self) -> tuple[list[QueuedQuestion], bool]:
        """Returns the next questions to answer, at most one batch, and whether the queue was closed."""
        batch: list[QueuedQuestion] = []
        while len(batch) < self._batch:
            try:
                job = self._jobs.get(block=not batch)
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _answer(self, jobs: list[QueuedQuestion]) -> None:
        prompted = [job for job in jobs if self._render(job)]
        listener = _BatchListener(prompted)
        requests = [job.prompt.request for job in prompted if job.prompt and job.prompt.request]
        for reply in answer(self._session.engine, requests, listener) if requests else ():
            job = listener.jobs[reply.id]
            assert job.prompt is not None, "rendered above"
            self._tell_answer(job, job.prompt, reply)

    def _render(self, job: QueuedQuestion) -> bool:
        """Renders the prompt of a question. Returns False if the question is invalid or no passage was found.

        In both cases the client has already received an event.
        """
        try:
            job.prompt = self._session.prompt(job.name, job.question)
        except DataError as error:
            self._fail(job, str(error).removeprefix(f"question {job.name!r}: "), "client")
            return False
        if job.prompt.request is None:
            self._tell_answer(job, job.prompt, None)
        return job.prompt.request is not None

    def _tell_answer(self, job: QueuedQuestion, prompt: AskPrompt, reply: Answer | None) -> None:
        answered = AnsweredQuestion(prompt, reply, self._session.judge(prompt, reply))
        job.ended = True
        job.tell(answered)
        self._counts.answered += 1

    def _fail(self, job: QueuedQuestion, message: str, fault: Literal["client", "server"]) -> None:
        job.ended = True
        job.tell(FailedQuestion(message, fault))
        self._counts.failed += 1


class _BatchListener:
    """Passes pieces of replies to their questions. Ends a reply at `max_tokens`, or if its client has disconnected."""

    def __init__(self, jobs: list[QueuedQuestion]) -> None:
        self.jobs = {job.name: job for job in jobs}

    def said(self, request: Request, text: str) -> None:
        """Passes a piece of a reply to its question."""
        self.jobs[request.id].tell(text)

    def enough(self, request: Request, tokens: int) -> bool:
        """Whether a reply must end after `tokens` tokens."""
        job = self.jobs[request.id]
        return job.gone.is_set() or (job.max_tokens is not None and tokens >= job.max_tokens)
