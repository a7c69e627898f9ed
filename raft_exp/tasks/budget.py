"""Limits on a model's requests and cost in one run, the amounts spent, and the estimate before the first request."""

from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.records import Messages
from raft_exp.engines.client.protocol import ServerReply
from raft_exp.tasks.model import Prices, ServerModel, TaskModel
from raft_exp.tasks.task import Task

_BYTES = 4  # approximate UTF-8 bytes of a token, used where a server does not count tokens


def words_of(messages: Messages) -> float:
    """Returns the approximate number of tokens of a prompt, at four UTF-8 bytes for each token."""
    return sum(tokens_of(message["content"]) for message in messages)


def tokens_of(text: str) -> float:
    """Returns the approximate number of tokens of a text, at four UTF-8 bytes for each token."""
    return len(text.encode("utf-8", "surrogatepass")) / _BYTES


@dataclass
class Budget:
    """The limits of a run, and the amounts that all stages of this process have spent."""

    group: str = ""  # name of the model's settings in messages
    paid: bool = False  # whether the model's server charges for tokens
    prices: Prices | None = None
    max_cost: float | None = None
    max_requests: int | None = None
    cost: float = 0.0  # in the currency of `prices`
    replies: int = 0  # number of replies whose cost is in `cost`
    requests: int = 0  # attempts of earlier passes
    started: int = 0  # requests of the current pass

    @classmethod
    def of(cls, model: TaskModel) -> "Budget":
        """Returns the budget of `model` in this process, with its limits.

        All jobs with the same group of settings and the same ledger share one budget.
        """
        budget = _budgets.setdefault((model.group, str(Path(model.ledger).absolute())), cls(model.group))
        budget.paid, budget.max_requests = isinstance(model, ServerModel), model.max_requests
        limits = (model.prices, model.max_cost) if isinstance(model, ServerModel) else (None, None)
        budget.prices, budget.max_cost = limits
        return budget

    def left(self, in_flight: int, prompt: float, most: int) -> bool:
        """Returns whether one more request stays within the limits.

        `in_flight`: number of open requests. Each open request and the new one are assumed to cost as much as
        the mean reply so far; before the first reply, as much as `prompt` prompt tokens and `most` new tokens.
        """
        if self.max_requests is not None and self.requests + self.started >= self.max_requests:
            return False
        if self.max_cost is None:
            return True
        each = self.cost / self.replies if self.replies else self._price(prompt, most)
        return self.cost + (in_flight + 1) * each <= self.max_cost

    def requests_left(self) -> int | None:
        """Returns the number of attempts that the next pass may send; None for no limit."""
        return None if self.max_requests is None else self.max_requests - self.requests

    def ended(self, sent: int) -> None:
        """Ends a pass: adds its number of attempts, `sent`, to `requests`."""
        self.requests, self.started = self.requests + sent, 0

    def pay(self, reply: ServerReply, prompt: float) -> float | None:
        """Adds the cost of a reply to `self.cost`, and returns the reply's cost; None if no prices are set.

        `prompt`: estimated tokens of the prompt, used where the server does not count tokens.
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
        """Returns the limit that ended the run, for an error message."""
        if self.max_requests is not None and self.requests >= self.max_requests:
            return f"max_requests={self.max_requests}: all allowed requests have been sent"
        return f"max_cost={self.max_cost:g}: {self.cost:.4g} is spent, and one more request may exceed the limit"

    def estimate(self, model: str, requests: int, prompt: float, task: Task, known: int) -> str:
        """Returns one line with the expected requests, tokens and cost.

        `requests`: number of requests. `prompt`: mean tokens of a prompt. `known`: number of requests whose reply is in
        the ledger.
        """
        read, written = requests * prompt, requests * task.max_new_tokens
        line = f"about {requests:,} requests to {model} ({known:,} more have a reply already), "
        line += f"{_short(read)} tokens in prompts, at most {_short(written)} in replies"
        if self.prices is not None:
            line += f", cost {self._price(read, 0):.3g} to {self._price(read, written):.3g}"
        elif self.paid:
            line += f", cost unknown (set {self.group}.prices)"
        return line + (f"; unusable replies are requested again, up to {task.retries} times" if task.retries else "")

    def _price(self, prompt: float, new: float) -> float:
        assert self.prices is not None, "a cost needs prices"
        return float((prompt * self.prices.prompt + new * self.prices.reply) / 1e6)


_budgets: dict[tuple[str, str], Budget] = {}


def _short(tokens: float) -> str:
    return f"{tokens / 1e6:.1f}M" if tokens >= 1e6 else f"{tokens / 1e3:.0f}k" if tokens >= 1e3 else f"{tokens:.0f}"
