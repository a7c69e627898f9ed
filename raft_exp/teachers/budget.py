"""What a teacher may spend in one run, what it has spent, and what a run will take, before it starts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raft_exp.core.records import Messages
from raft_exp.engines.client.protocol import ServerReply
from raft_exp.teachers.tasks import Task

_BYTES = 4  # of a token, where nobody counts them


def words_of(messages: Messages) -> float:
    """About how many tokens a prompt has."""
    return sum(len(message["content"].encode("utf-8", "surrogatepass")) for message in messages) / _BYTES


@dataclass
class Budget:
    """The limits of a run, and what this process has spent of them: over all its stages."""

    paid: bool = False  # by the token
    prices: Any = None
    max_cost: float | None = None
    max_requests: int | None = None
    cost: float = 0.0
    replies: int = 0  # that `cost` is the sum of
    requests: int = 0  # attempts, of passes that have ended
    started: int = 0  # requests of this pass

    @classmethod
    def of(cls, teacher: Any) -> "Budget":
        """The budget of a ledger: a second stage of the study goes on with it."""
        made = _budgets.setdefault(str(Path(teacher.ledger).absolute()), cls())
        made.paid, made.max_requests = teacher.name == "openai", teacher.max_requests
        made.prices, made.max_cost = (teacher.prices, teacher.max_cost) if made.paid else (None, None)
        return made

    def left(self, in_flight: int, prompt: float, most: int) -> bool:
        """Whether one more request may be sent beside those in flight: each costs what the others did on average."""
        if self.max_requests is not None and self.requests + self.started >= self.max_requests:
            return False
        if self.max_cost is None:
            return True
        each = self.cost / self.replies if self.replies else self._price(prompt, most)
        return self.cost + (in_flight + 1) * each <= self.max_cost

    def requests_left(self) -> int | None:
        """Attempts that may be sent in all."""
        return None if self.max_requests is None else self.max_requests - self.requests

    def ended(self, sent: int) -> None:
        """A pass has ended, with so many attempts."""
        self.requests, self.started = self.requests + sent, 0

    def pay(self, reply: ServerReply, prompt: float) -> float | None:
        """What a reply costs; None where there are no prices. `prompt` is its length where the server does not say."""
        if self.prices is None:
            return None
        if reply.prompt_tokens or reply.new_tokens:
            cost = self._price(reply.prompt_tokens, reply.new_tokens)
        else:
            cost = self._price(prompt, len(reply.text.encode("utf-8", "surrogatepass")) / _BYTES)
        self.cost, self.replies = self.cost + cost, self.replies + 1
        return round(cost, 9)

    def spent(self) -> str:
        """The limit that is reached."""
        if self.max_requests is not None and self.requests >= self.max_requests:
            return f"max_requests={self.max_requests}: so many are sent"
        return f"max_cost={self.max_cost:g}: {self.cost:.4g} is spent, and one more request may cost more than is left"

    def estimate(self, model: str, requests: int, prompt: float, task: Task, known: int) -> str:
        """What will be asked, in one line; `prompt` is the mean length of a prompt."""
        read, written = requests * prompt, requests * task.max_new_tokens
        told = f"about {requests:,} requests to {model} ({known:,} are answered already), "
        told += f"{_short(read)} tokens of prompts, at most {_short(written)} of replies"
        if self.prices is not None:
            told += f", cost {self._price(read, 0):.3g} to {self._price(read, written):.3g}"
        elif self.paid:
            told += ", cost unknown (teacher.prices)"
        return told + (f"; what cannot be used is asked again, up to {task.retries} times" if task.retries else "")

    def _price(self, prompt: float, new: float) -> float:
        return float((prompt * self.prices.prompt + new * self.prices.reply) / 1e6)


_budgets: dict[str, Budget] = {}


def _short(tokens: float) -> str:
    return f"{tokens / 1e6:.1f}M" if tokens >= 1e6 else f"{tokens / 1e3:.0f}k" if tokens >= 1e3 else f"{tokens:.0f}"
