"""Where a stage asks its teacher: through the ledger, within the budget, shown as it goes.

A stage's work is a `Job`: items, and for each what becomes of it, found by asking. What has no answer yet is noted,
sent, and looked at again when its reply comes. All items are gone through until one pass needs nothing any more: that
pass writes the result, in the items' order, so that it is the same whenever and in whichever order replies came.
"""

import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

from raft_exp.core.errors import BudgetError
from raft_exp.core.records import Messages
from raft_exp.engines.client.client import ChatPrompt
from raft_exp.engines.client.protocol import ServerReply
from raft_exp.teachers import ledger
from raft_exp.teachers.backends import Backend, open_backend
from raft_exp.teachers.budget import Budget, words_of
from raft_exp.teachers.display import TeacherDisplay
from raft_exp.teachers.ledger import Ledger, LedgerEntry
from raft_exp.teachers.tasks import Task

Ask = Callable[
    [Messages, int], LedgerEntry | None
]  # messages, and which attempt it is; None: the reply has not come yet

_SAMPLE = 500  # items that the estimate is made from


class TeacherJob(Protocol):
    """What a stage wants to know of its teacher."""

    label: str

    @property
    def task(self) -> Task:
        """What is asked."""

    def __len__(self) -> int:
        """How many items there are."""

    def items(self) -> Iterator[Any]:
        """The items, in the order of the result."""

    def name(self, item: Any) -> str:
        """What an item is called."""

    def resolve(self, item: Any, ask: Ask) -> Any | None:
        """What becomes of an item; None while a reply is missing. Decided by the replies alone."""

    def start(self) -> None:
        """A pass begins: what an earlier one kept is forgotten."""

    def keep(self, item: Any, outcome: Any) -> None:
        """Takes what became of an item, in the order of the items."""


@dataclass(frozen=True)
class _PendingRequest:
    """A request that has to be sent, for an item."""

    key: str
    item: Any
    messages: Messages
    attempt: int
    name: str  # of the item and the attempt, for messages


class TeacherRunner:
    """Asks one task of one teacher. `identity` is what tells its model from others (with the weights' content)."""

    def __init__(self, teacher: Any, identity: dict[str, Any], job: TeacherJob, room: Path) -> None:
        self._job, self._task, self._teacher = job, job.task, teacher
        asked = {
            **identity,
            "task": self._task.name,
            "version": self._task.version,
            "temperature": self._task.temperature,
            "top_p": self._task.top_p,
            "max_new_tokens": self._task.max_new_tokens,
            "task_body": self._task.extra_body,
        }
        self._asked = [ledger.fixed({**asked, "attempt": attempt}) for attempt in range(self._task.retries + 1)]
        self._model = str(identity["model"])
        self._ledger: Ledger = ledger.opened(teacher.ledger, self._model)
        self._budget = Budget.of(teacher)
        self._voice: Backend = open_backend(teacher, self._task, room)
        self._display = TeacherDisplay(job.label, len(job))
        self._refused: dict[str, LedgerEntry] = {}  # by the server, for good; not in the ledger: nothing was paid
        self._sent: dict[str, _PendingRequest] = {}  # under way, by name
        self._keys: set[str] = set()  # of those
        self._again: deque[_PendingRequest] = deque()  # noted when a reply came that cannot be used
        self._elsewhere: list[str] = []  # another run is asking them
        self._ends = ""  # why this pass sends nothing more: budget | interrupt
        self._open = 0  # items of this pass that wait for a reply
        self._interrupts = 0
        self._announced = False

    def settle(self) -> None:
        """Asks until every item of the job is kept. Raises BudgetError, ServerError; the ledger has what came."""
        while self._pass():
            for _ in self._ledger.wait(self._elsewhere):
                self._check_interrupts()
            self._elsewhere.clear()

    def _pass(self) -> bool:
        """Goes through all items; whether another pass is needed."""
        self._ledger.refresh()
        self._again.clear()
        self._open, sent = 0, self._voice.sent
        self._display.restart()
        with self._display, self._interruptible():
            chats = self._chats()
            first = next(chats, None)
            if first is not None:
                self._hear(chain([first], chats))
        self._budget.ended(self._voice.sent - sent)
        self._check_interrupts()
        if self._ends and self._voice.sent == sent:
            raise BudgetError(f"teacher.{self._budget.spent()}; {self._kept()}")
        self._ends = ""
        return bool(self._open)

    def _hear(self, chats: Iterator[ChatPrompt]) -> None:
        replies = self._voice.replies(chats, self._refuse, self._write, self._budget.requests_left())
        try:
            with closing(replies):
                for group in replies:
                    self._take(group)
                    if self._ends == "interrupt" and self._teacher.name != "openai":
                        break  # an engine is not paid for what it has not begun
        finally:
            self._ledger.release(self._keys.copy())
            self._sent.clear()
            self._keys.clear()

    def _chats(self) -> Iterator[ChatPrompt]:
        """The requests of this pass, noted while the items go by. Nothing is held but what is under way."""
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
            if self._ends:  # what is left is for another pass, if there is one
                self._open += 1
                return
        yield from self._retries()

    def _retries(self) -> Iterator[ChatPrompt]:
        while self._again:
            yield from self._claimed([self._again.popleft()])

    def _look(self, item: Any) -> tuple[Any | None, list[_PendingRequest]]:
        wanted: list[_PendingRequest] = []

        def ask(messages: Messages, attempt: int) -> LedgerEntry | None:
            key = ledger.request_key(self._asked[attempt], messages)
            entry = self._refused.get(key) or self._ledger.get(key)
            if entry is None:
                name = self._job.name(item) + (f", attempt {attempt + 1}" if attempt else "")
                wanted.append(_PendingRequest(key, item, messages, attempt, name))
            return entry

        return self._job.resolve(item, ask), wanted

    def _claimed(self, wanted: list[_PendingRequest]) -> Iterator[ChatPrompt]:
        for one in wanted:
            if self._ends or one.key in self._keys:
                continue
            if not self._announced:
                self._announce()
            if not self._budget.left(len(self._sent), words_of(one.messages), self._task.max_new_tokens):
                self._ends = "budget"
            elif self._ledger.claim(one.key):
                self._sent[one.name] = one
                self._keys.add(one.key)
                self._budget.started += 1
                self._display.in_flight = len(self._sent)
                yield ChatPrompt(one.name, one.messages)
            elif one.key not in self._ledger:
                self._elsewhere.append(one.key)

    def _write(self, name: str, reply: ServerReply) -> None:
        """Takes a reply down and looks at its item again, before anything is sent in its place."""
        one = self._sent[name]
        cost = self._budget.pay(reply, words_of(one.messages))
        self._ledger.write([(one.key, self._row(one, reply, cost))])
        self._settled(self._done(name))

    def _take(self, group: list[tuple[str, ServerReply]]) -> None:
        """Now replies count."""
        self._ledger.sync()
        self._display.tokens += sum(reply.prompt_tokens + reply.new_tokens for _, reply in group)
        self._display.cost = self._budget.cost if self._budget.prices else None

    def _row(self, one: _PendingRequest, reply: ServerReply, cost: float | None) -> dict[str, Any]:
        return {
            "task": self._task.name,
            "version": self._task.version,
            "attempt": one.attempt,
            "model": self._model,
            "served_by": reply.model,
            "answer": reply.text,
            "finish": reply.finish,
            "prompt_tokens": reply.prompt_tokens,
            "new_tokens": reply.new_tokens,
            "seconds": round(reply.seconds, 4),
            "cost": cost,
        }

    def _done(self, name: str) -> _PendingRequest:
        one = self._sent.pop(name)
        self._keys.discard(one.key)
        self._ledger.release([one.key])
        self._display.in_flight = len(self._sent)
        return one

    def _settled(self, one: _PendingRequest) -> None:
        outcome, wanted = self._look(one.item)
        self._again.extend(wanted)
        self._display.done += outcome is not None
        self._display.failed += bool(wanted)

    def _refuse(self, name: str, reason: str) -> None:
        self._refused[self._sent[name].key] = LedgerEntry(reason, "refused", 0, 0, 0.0, None)
        self._settled(self._done(name))

    def _announce(self) -> None:
        """Says what is going to be asked, before the first request."""
        self._announced = True
        step = max(1, len(self._job) // _SAMPLE)
        looked = [self._look(item) for item in islice(self._job.items(), 0, None, step)]
        found = [one for _, wanted in looked for one in wanted]
        requests = round(len(self._job) * len(found) / max(1, len(looked)))
        tokens = sum(words_of(one.messages) for one in found) / max(1, len(found))
        known = max(0, len(self._job) - requests)
        self._display.say(self._budget.estimate(self._model, requests, tokens, self._task, known))

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """The first Ctrl-C stops sending and waits for what is paid; the second ends at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(*_: Any) -> None:
            self._interrupts += 1
            self._ends = "interrupt"
            if self._interrupts > 1:
                raise KeyboardInterrupt
            self._display.say(f"stopping: waiting for {len(self._sent)} replies under way; Ctrl-C again leaves them")

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _check_interrupts(self) -> None:
        if self._interrupts:
            print(f"  {self._kept()}", file=sys.stderr)
            raise KeyboardInterrupt

    def _kept(self) -> str:
        return (
            f"{len(self._ledger):,} answers of {self._model} are in {self._ledger.path} and are not asked again; the "
            "same command goes on from here"
        )
