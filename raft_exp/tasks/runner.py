"""Sends the requests of a job to its model, stores the replies in the ledger, and applies the limits of the budget.

The work of a stage is a `TaskJob`: a list of items, each with an outcome that depends on replies only. A pass goes
through all items and sends the requests that have no reply in the ledger. When a reply arrives, its item is resolved
again. This may need another request.

Passes are repeated until a pass needs no request. This last pass writes the results in the order of the items. So the
results do not depend on the order in which the replies arrived.
"""

import logging
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from raft_exp.core.errors import BudgetError
from raft_exp.core.records import Messages
from raft_exp.engines.client.protocol import ServerReply
from raft_exp.engines.client.queue import ChatPrompt
from raft_exp.tasks import ledger
from raft_exp.tasks.backends import Backend, LazyEngine, open_backend
from raft_exp.tasks.budget import Budget, words_of
from raft_exp.tasks.display import TaskDisplay
from raft_exp.tasks.ledger import Ledger, LedgerEntry
from raft_exp.tasks.model import LocalModel, TaskModel
from raft_exp.tasks.task import Task

# Takes the messages of a request and the number of the attempt, from 0. Returns the reply; None if it has not arrived.
Ask = Callable[[Messages, int], LedgerEntry | None]
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_log = logging.getLogger(__name__)
_SAMPLE = 500  # number of items from which the number of requests is estimated


class TaskJob(Protocol[Item, Outcome]):
    """The work of a stage: items that need replies of a model, and the files with their outcomes."""

    label: str

    @property
    def task(self) -> Task:
        """The task of all requests."""

    def __len__(self) -> int:
        """The number of items."""

    def items(self) -> Iterator[Item]:
        """Yields the items, in the order of the results."""

    def name(self, item: Item) -> str:
        """Returns a unique name of an item."""

    def resolve(self, item: Item, ask: Ask) -> Outcome | None:
        """Returns the outcome of an item; None while `ask` returns no reply.

        The outcome must depend only on the item and the replies.
        """

    def start(self) -> None:
        """Begins a pass: discards the outcomes of an earlier pass."""

    def keep(self, item: Item, outcome: Outcome) -> None:
        """Stores the outcome of an item. Called in the order of the items."""


@dataclass(frozen=True)
class _PendingRequest(Generic[Item]):
    """A request of an item that has no reply yet."""

    key: str
    item: Item
    messages: Messages
    attempt: int
    name: str  # of the item and the attempt, for messages


class TaskRunner(Generic[Item, Outcome]):
    """Runs one job with one model.

    `identity`: fields that identify the model in the ledger (`model.identity`). `room`: folder for temporary
    files. `engine`: the engine of a model in this process, if several jobs share it. `prints`: whether the estimate of
    requests, tokens and cost is printed; False: it is only logged.
    """

    def __init__(
        self,
        model: TaskModel,
        identity: dict[str, object],
        job: TaskJob[Item, Outcome],
        room: Path,
        engine: LazyEngine | None = None,
        prints: bool = True,
    ) -> None:
        self._prints = prints
        self._job, self._task, self._local = job, job.task, isinstance(model, LocalModel)
        parameters = {
            **identity,
            "task": self._task.name,
            "version": self._task.version,
            "temperature": self._task.temperature,
            "top_p": self._task.top_p,
            "max_new_tokens": self._task.max_new_tokens,
            "task_body": self._task.extra_body,
        }
        attempts = range(self._task.retries + 1)
        self._parameters = [ledger.fixed({**parameters, "attempt": attempt}) for attempt in attempts]
        self._model = str(identity["model"])
        self._ledger: Ledger = ledger.opened(model.ledger, self._model)
        self._budget = Budget.of(model)
        self._backend: Backend = open_backend(model, self._task, engine or LazyEngine(room))
        self._display = TaskDisplay(job.label, len(job))
        # Requests that the server refused for good, by key. They cost nothing, so the ledger does not store them.
        self._refused: dict[str, LedgerEntry] = {}
        self._sent: dict[str, _PendingRequest[Item]] = {}  # requests in flight, by name
        self._keys: set[str] = set()  # keys of the requests in flight
        self._again: deque[_PendingRequest[Item]] = deque()  # further attempts after unusable replies
        self._elsewhere: list[str] = []  # keys that another run has claimed
        self._ends = ""  # why this pass sends no more requests: budget | interrupt; "": it still sends them
        self._open = 0  # items of this pass without an outcome
        self._interrupts = 0
        self._announced = False

    def settle(self) -> None:
        """Runs passes until every item has an outcome.

        Raises BudgetError where a limit of the budget is reached, ServerError where requests get no usable reply, and
        KeyboardInterrupt after Ctrl-C. The replies so far are in the ledger.
        """
        while self._pass():
            for _ in self._ledger.wait(self._elsewhere):
                self._check_interrupts()
            self._elsewhere.clear()

    def _pass(self) -> bool:
        """Goes through all items once. Returns whether another pass is needed."""
        self._ledger.refresh()
        self._again.clear()
        self._open, sent = 0, self._backend.sent
        self._display.restart()
        with self._display, self._interruptible():
            chats = self._chats()
            first = next(chats, None)
            if first is not None:
                self._receive(chain([first], chats))
        self._budget.ended(self._backend.sent - sent)
        self._check_interrupts()
        if self._ends and self._backend.sent == sent:
            raise BudgetError(f"{self._budget.group}.{self._budget.spent()}; {self._progress()}")
        self._ends = ""
        return bool(self._open)

    def _receive(self, chats: Iterator[ChatPrompt]) -> None:
        replies = self._backend.replies(chats, self._refuse, self._write, self._budget.requests_left())
        try:
            with closing(replies):
                for group in replies:
                    self._take(group)
                    if self._ends == "interrupt" and self._local:
                        break  # replies in flight can be dropped: a local engine charges nothing for them
        finally:
            self._ledger.release(self._keys.copy())
            self._sent.clear()
            self._keys.clear()

    def _chats(self) -> Iterator[ChatPrompt]:
        """Yields the requests of this pass one by one. Only open requests are in memory."""
        self._job.start()
        for item in self._job.items():
            if self._again:
                yield from self._retries()
            outcome, wanted = self._look(item)
            if outcome is not None:
                self._job.keep(item, outcome)
                self._display.done += 1
            else:
                self._open += 1
                yield from self._claimed(wanted)
            if self._ends:  # the other items are left to another pass
                self._open += 1
                return
        yield from self._retries()

    def _retries(self) -> Iterator[ChatPrompt]:
        while self._again:
            yield from self._claimed([self._again.popleft()])

    def _look(self, item: Item) -> tuple[Outcome | None, list[_PendingRequest[Item]]]:
        """Returns the outcome of an item (None if replies are missing), and the requests that the item still needs."""
        wanted: list[_PendingRequest[Item]] = []

        def ask(messages: Messages, attempt: int) -> LedgerEntry | None:
            key = ledger.request_key(self._parameters[attempt], messages)
            entry = self._refused.get(key) or self._ledger.get(key)
            if entry is None:
                name = self._job.name(item) + (f", attempt {attempt + 1}" if attempt else "")
                wanted.append(_PendingRequest(key, item, messages, attempt, name))
            return entry

        return self._job.resolve(item, ask), wanted

    def _claimed(self, wanted: list[_PendingRequest[Item]]) -> Iterator[ChatPrompt]:
        """Yields the requests that the budget allows and no other run has claimed."""
        for request in wanted:
            if self._ends or request.key in self._keys:
                continue
            if not self._announced:
                self._announce()
            if not self._budget.left(len(self._sent), words_of(request.messages), self._task.max_new_tokens):
                self._ends = "budget"
            elif self._ledger.claim(request.key):
                self._sent[request.name] = request
                self._keys.add(request.key)
                self._budget.started += 1
                self._display.in_flight = len(self._sent)
                yield ChatPrompt(request.name, request.messages)
            elif request.key not in self._ledger:
                self._elsewhere.append(request.key)

    def _write(self, name: str, reply: ServerReply) -> None:
        """Writes a reply to the ledger and resolves its item again. The backend sends the next request afterwards."""
        request = self._sent[name]
        cost = self._budget.pay(reply, words_of(request.messages))
        self._ledger.write([(request.key, self._row(request, reply, cost))])
        self._settled(self._done(name))

    def _take(self, group: list[tuple[str, ServerReply]]) -> None:
        """Flushes the ledger to the disk, then adds the tokens and the cost of a group of replies to the display."""
        self._ledger.sync()
        self._display.tokens += sum(reply.prompt_tokens + reply.new_tokens for _, reply in group)
        self._display.cost = self._budget.cost if self._budget.prices else None

    def _row(self, request: _PendingRequest[Item], reply: ServerReply, cost: float | None) -> dict[str, object]:
        return {
            "task": self._task.name,
            "version": self._task.version,
            "attempt": request.attempt,
            "model": self._model,
            "served_by": reply.model,
            "answer": reply.text,
            "finish": reply.finish,
            "prompt_tokens": reply.prompt_tokens,
            "new_tokens": reply.new_tokens,
            "seconds": round(reply.seconds, 4),
            "cost": cost,
        }

    def _done(self, name: str) -> _PendingRequest[Item]:
        request = self._sent.pop(name)
        self._keys.discard(request.key)
        self._ledger.release([request.key])
        self._display.in_flight = len(self._sent)
        return request

    def _settled(self, request: _PendingRequest[Item]) -> None:
        outcome, wanted = self._look(request.item)
        self._again.extend(wanted)
        self._display.done += outcome is not None
        self._display.failed += bool(wanted)

    def _refuse(self, name: str, reason: str) -> None:
        self._refused[self._sent[name].key] = LedgerEntry(reason, "refused", 0, 0, 0.0, None)
        self._settled(self._done(name))

    def _announce(self) -> None:
        """Prints or logs the requests, tokens and cost, estimated from a sample of items. Called before any request."""
        self._announced = True
        step = max(1, len(self._job) // _SAMPLE)
        sample = [self._look(item) for item in islice(self._job.items(), 0, None, step)]
        pending = [request for _, wanted in sample for request in wanted]
        requests = round(len(self._job) * len(pending) / max(1, len(sample)))
        tokens = sum(words_of(request.messages) for request in pending) / max(1, len(pending))
        known = max(0, len(self._job) - requests)
        line = self._budget.estimate(self._model, requests, tokens, self._task, known)
        if self._prints:
            self._display.say(line)
        else:
            _log.info("%s: %s", self._job.label, line)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Handles Ctrl-C in the block: the first stops sending and waits for open replies; the second ends at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(*_: object) -> None:
            self._interrupts += 1
            self._ends = "interrupt"
            if self._interrupts > 1:
                raise KeyboardInterrupt
            self._display.say(
                f"the run stops when all open requests ({len(self._sent)}) have replies; press Ctrl-C again to stop "
                "at once"
            )

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _check_interrupts(self) -> None:
        if self._interrupts:
            print(f"  {self._progress()}", file=sys.stderr)
            raise KeyboardInterrupt

    def _progress(self) -> str:
        return (
            f"{len(self._ledger):,} replies of {self._model} are stored in {self._ledger.path}; to continue, repeat "
            "the command, which requests only the missing ones"
        )
