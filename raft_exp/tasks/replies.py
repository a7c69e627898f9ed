"""Requests replies to a prompt until one is valid, and says why the others are rejected."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from raft_exp.core.records import Messages
from raft_exp.tasks.ledger import LedgerEntry
from raft_exp.tasks.runner import Ask

Result = TypeVar("Result")


@dataclass(frozen=True)
class Rejected:
    """The reason why a reply is rejected."""

    reason: str  # name of the reason, for counts
    message: str  # one sentence about the reply, which is part of the prompt of the next attempt


@dataclass(frozen=True)
class ReplyHistory(Generic[Result]):
    """The result for one question or passage, with all replies and the reasons for rejected replies."""

    result: Result | None  # result of the last reply; None: no reply is usable
    rejected: list[Rejected]
    entries: list[LedgerEntry]


def ask_until_valid(
    retries: int,
    messages: Callable[[Sequence[str]], Messages],
    validate: Callable[[LedgerEntry], Result | Rejected],
    ask: Ask,
) -> ReplyHistory[Result] | None:
    """Requests replies until one is valid, at most `retries` + 1 times. Returns their history.

    After a refused request or a withheld reply, no further reply is requested. The result in the history is None if no
    reply is valid. `ask(messages, attempt)` returns a reply, or None if the reply has not arrived yet; then this
    function returns None too. `messages` builds the prompt from the messages about rejected replies. `validate` returns
    the result of a reply, or why the reply is rejected.
    """
    rejected: list[Rejected] = []
    entries: list[LedgerEntry] = []
    for attempt in range(1 + retries):
        entry = ask(messages([rejection.message for rejection in rejected]), attempt)
        if entry is None:
            return None
        result = validate(entry)
        if entry.finish != "refused":
            entries.append(entry)
        if not isinstance(result, Rejected):
            return ReplyHistory(result, rejected, entries)
        rejected.append(result)
        if entry.finish in ("refused", "filtered"):  # the same prompt would be refused or withheld again
            break
    return ReplyHistory(None, rejected, entries)


def unusable(entry: LedgerEntry) -> Rejected | None:
    """Returns why a reply is unusable for every task: cut off, withheld, refused or empty; else None."""
    if entry.finish == "length":
        return Rejected("cut_off", "it was cut off; be much shorter")
    if entry.finish == "filtered":
        return Rejected("filtered", "a content filter withheld it")
    if entry.finish == "refused":  # not a reply: the server accepts no such request
        return Rejected("refused_by_server", entry.answer)
    return None if entry.answer.strip() else Rejected("empty", "it was empty")
