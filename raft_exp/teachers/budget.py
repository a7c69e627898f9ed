"""The limits of a teacher's requests and cost in one run, the amounts spent, and the estimate before the start."""

from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.records import Messages
from raft_exp.engines.client.protocol import ServerReply
from raft_exp.teachers.model import ModelTeacher, OpenaiTeacher, Prices
from raft_exp.teachers.tasks import Task

_BYTES = 4  # bytes of a token, where the tokens are not counted


def words_of(messages: Messages) -> float:
    """The approximate number of tokens of a prompt: four bytes a token."""
    return sum(len(message["content"].encode("utf-8", "surrogatepass")) for message in messages) / _BYTES


@dataclass
class Budget:
    """The limits of a run, and the amounts that all stages of this process have spent."""

    paid: bool = False  # by the token
    prices: Prices | None = None
    max_cost: float | None = None
    max_requests: int | None = None
    cost: float = 0.0
    replies: int = 0  # number of replies in `cost`
    requests: int = 0  # attempts of completed passes
    started: int = 0  # requests of this pass

    @classmethod
    def of(cls, teacher: ModelTeacher) -> "Budget":
        """Returns the one budget of the teacher's ledger in this process, with the limits of `teacher`."""
        budget = _budgets.setdefault(str(Path(teacher.ledger).absolute()), cls())
        budget.paid, budget.max_requests = isinstance(teacher, OpenaiTeacher), teacher.max_requests
        limits = (teacher.prices, teacher.max_cost) if isinstance(teacher, OpenaiTeacher) else (None, None)
        budget.prices, budget.max_cost = limits
        return budget

    def left(self, in_flight: int, prompt: float, most: int) -> bool:
        """Whether one more request stays within the limits.

        It and those in flight are taken to cost the mean of the replies so far. Before the first reply the cost is
        that of `prompt` tokens read and `most` tokens written.
        """
        if self.max_requests is not None and self.requests + self.started >= self.max_requests:
            return False
        if self.max_cost is None:
            return True
        each = self.cost / self.replies if self.replies else self._price(prompt, most)
        return self.cost + (in_flight + 1) * each <= self.max_cost

    def requests_left(self) -> int | None:
        """The number of attempts that may still be sent; None without a limit."""
        return None if self.max_requests is None else self.max_requests - self.requests

    def ended(self, sent: int) -> None:
        """Ends a pass over the open requests: adds its `sent` attempts to `requests`."""
        self.requests, self.started = self.requests + sent, 0

    def pay(self, reply: ServerReply, prompt: float) -> float | None:
        """Adds the cost of a reply and returns it; None without prices.

        `prompt`: the tokens of its prompt, used where the server does not count them.
        """
        if self.prices is None:
            return None
        if reply.prompt_tokens or reply.new_tokens:
            cost = self._price(reply.prompt_tokens, reply.new_tokens)
        else:
            cost = self._price(prompt, len(reply.text.encode("utf-8", "surrogatepass")) / _BYTES)
        self.cost, self.replies = self.cost + cost, self.replies + 1
        return round(cost, 9)

    def spent(self) -> str:
        """The limit that ended the run, as a phrase for an error message."""
        if self.max_requests is not None and self.requests >= self.max_requests:
            return f"max_requests={self.max_requests}: all are sent"
        return f"max_cost={self.max_cost:g}: {self.cost:.4g} is spent, and one more request may exceed the limit"

    def estimate(self, model: str, requests: int, prompt: float, task: Task, known: int) -> str:
        """The expected requests, tokens and cost, in one line; `prompt` is the mean number of tokens of a prompt."""
        read, written = requests * prompt, requests * task.max_new_tokens
        line = f"about {requests:,} requests to {model} ({known:,} are answered already), "
        line += f"{_short(read)} tokens of prompts, at most {_short(written)} of replies"
        if self.prices is not None:
            line += f", cost {self._price(read, 0):.3g} to {self._price(read, written):.3g}"
        elif self.paid:
            line += ", cost unknown (teacher.prices)"
        return line + (f"; unusable replies are requested again, up to {task.retries} times" if task.retries else "")

    def _price(self, prompt: float, new: float) -> float:
        assert self.prices is not None, "a cost needs prices"
        return float((prompt * self.prices.prompt + new * self.prices.reply) / 1e6)


_budgets: dict[str, Budget] = {}


def _short(tokens: float) -> str:
    return f"{tokens / 1e6:.1f}M" if tokens >= 1e6 else f"{tokens / 1e3:.0f}k" if tokens >= 1e3 else f"{tokens:.0f}"
