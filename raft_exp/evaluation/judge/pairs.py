"""Compares the replies of two arms question by question. Each pair is judged in both orders."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from raft_exp.core.sampling import seeded_bits
from raft_exp.evaluation.judge import gate
from raft_exp.evaluation.judge.config import PairTask
from raft_exp.evaluation.judge.delimiters import delimited
from raft_exp.evaluation.judge.gate import Preferred
from raft_exp.evaluation.judge.replies import JudgedReply
from raft_exp.evaluation.judge.rows import PairJudgement, Winner
from raft_exp.tasks.counts import PaidReplies
from raft_exp.tasks.replies import ReplyHistory, ask_until_valid
from raft_exp.tasks.runner import Ask
from raft_exp.tasks.task import Clean, Prompts

_SPLIT = "test"
_WINNERS: dict[bool, dict[str, Winner]] = {
    True: {"A": "a", "B": "b", "tie": "tie"},  # the reply of arm a is shown first
    False: {"A": "b", "B": "a", "tie": "tie"},
}
_VALUES: dict[Winner, float] = {"a": 1.0, "tie": 0.5, "b": 0.0}


@dataclass(frozen=True)
class Pair:
    """The replies of two arms to one question, in one order."""

    a: JudgedReply
    b: JudgedReply
    a_first: bool


@dataclass
class PairJudging:
    """The `TaskJob` that compares replies. `pairs`: the replies of arm a and arm b to each question."""

    task: PairTask
    pairs: Sequence[tuple[JudgedReply, JudgedReply]]
    clean: Clean
    label: str = "judge, pairs"
    tally: PaidReplies = field(default_factory=PaidReplies)

    def __post_init__(self) -> None:
        self._prompts = Prompts(self.task, delimited(self.clean, self.task))
        self._outcomes: dict[tuple[str, bool], ReplyHistory[Preferred]] = {}  # by question and `a_first`

    def __len__(self) -> int:
        return 2 * sum(_needs_judge(*pair) for pair in self.pairs)

    def items(self) -> Iterator[Pair]:
        """Yields each pair that needs a judge twice, once in each order. A hash of the question id orders the two."""
        for a, b in self.pairs:
            if _needs_judge(a, b):
                first = bool(seeded_bits(0, "judge", a.id) & 1)
                yield from (Pair(a, b, first), Pair(a, b, not first))

    def name(self, item: Pair) -> str:
        """Returns the id of the question, with the order."""
        return f"{item.a.id}, {'first' if item.a_first else 'second'} order"

    def resolve(self, item: Pair, ask: Ask) -> ReplyHistory[Preferred] | None:
        """Returns the comparison in one order; None while a reply of the judge is missing."""
        first, second = (item.a, item.b) if item.a_first else (item.b, item.a)
        shown = {"reply_a": first.reply, "reply_b": second.reply}
        return ask_until_valid(
            self.task.retries,
            lambda reasons: self._prompts.messages([], reasons, **item.a.values(), **shown),
            gate.better,
            ask,
        )

    def start(self) -> None:
        """Begins a pass: discards the comparisons of an earlier pass."""
        self.tally, self._outcomes = PaidReplies(), {}

    def keep(self, item: Pair, outcome: ReplyHistory[Preferred]) -> None:
        """Stores the comparison of a pair in one order."""
        self.tally.add(outcome, _SPLIT)
        self._outcomes[item.a.id, item.a_first] = outcome

    def rows(self) -> Iterator[PairJudgement]:
        """Yields the rows of pairs.jsonl in the order of the questions."""
        for a, b in self.pairs:
            yield self._row(a, b) if _needs_judge(a, b) else _without_judge(a, b)

    def _row(self, a: JudgedReply, b: JudgedReply) -> PairJudgement:
        one, other = (self._outcomes[a.id, a_first] for a_first in (True, False))
        if one.result is None or other.result is None:
            lacking = one if one.result is None else other
            missing = lacking.rejected[-1].reason
            return {"id": a.id, "value": None, "words": [], "winners": [], "missing": missing}
        winners = [_WINNERS[True][one.result.better], _WINNERS[False][other.result.better]]
        value = _VALUES[winners[0]] if winners[0] == winners[1] else 0.5
        return {"id": a.id, "value": value, "words": [one.result.words, other.result.words], "winners": winners}


def _needs_judge(a: JudgedReply, b: JudgedReply) -> bool:
    return bool(a.reply and b.reply) and a.reply != b.reply


def _without_judge(a: JudgedReply, b: JudgedReply) -> PairJudgement:
    """Returns the row of a pair that needs no judge: equal replies (value 0.5), or one empty reply, which loses."""
    words = "The replies are equal." if a.reply == b.reply else "One of the replies is empty."
    value = 0.5 + 0.5 * (bool(a.reply) - bool(b.reply))
    return {"id": a.id, "value": value, "words": [words, words], "winners": []}


def disagreed(rows: Sequence[PairJudgement]) -> int:
    """Returns the number of questions on which the two orders have different winners."""
    return sum(len(set(row["winners"])) > 1 for row in rows)


def first_position(rows: Sequence[PairJudgement]) -> float | None:
    """Returns the share of single decisions for the reply that was shown first; None without a decision.

    0.5 means that the position has no influence. Ties do not count.
    """
    won = Counter[bool]()
    for row in rows:
        for winner, first in zip(row["winners"], ("a", "b"), strict=False):
            if winner != "tie":
                won[winner == first] += 1
    return won[True] / won.total() if won else None
