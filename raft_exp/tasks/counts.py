"""Counts the replies to a task: usable ones, rejections, tokens and cost."""

from collections import Counter

from raft_exp.core.audit import ReplyAudit
from raft_exp.tasks.replies import ReplyHistory, Result


class ReplyCounts:
    """Counts usable replies, rejections, tokens and cost of a task. Equal replies give equal counts."""

    def __init__(self) -> None:
        self.reasons, self._splits = Counter[str](), dict[str, Counter[str]]()
        self._replies = self._prompt_tokens = self._new_tokens = 0
        self._cost, self._priced = 0.0, True

    def add(self, history: ReplyHistory[Result], split: str) -> None:
        """Adds the replies to one question or passage to the counts. `split`: train, validation or test."""
        kept = history.result is not None
        counts = self._splits.setdefault(split, Counter())
        counts["asked"] += 1
        counts["kept" if kept else "quarantined"] += 1
        counts["asked_again"] += len(history.entries) > 1
        if not kept:
            self.reasons[history.rejected[-1].reason] += 1
        for entry in history.entries:
            self._replies += 1
            self._prompt_tokens += entry.prompt_tokens
            self._new_tokens += entry.new_tokens
            self._cost += entry.cost or 0.0
            self._priced = self._priced and entry.cost is not None

    @property
    def counts(self) -> Counter[str]:
        """The numbers of items over all splits: asked (all), kept, quarantined, asked_again (several attempts)."""
        return sum(self._splits.values(), Counter[str]())

    @property
    def tokens(self) -> dict[str, int]:
        """The number of replies, and their prompt and new tokens; {} without replies."""
        figures = {"replies": self._replies, "prompt_tokens": self._prompt_tokens, "new_tokens": self._new_tokens}
        return figures if self._replies else {}

    def figures(self) -> ReplyAudit:
        """Returns the counts, tokens and cost for audit.json."""
        counts = self.counts
        figures: ReplyAudit = {
            "asked": counts["asked"],
            "kept": counts["kept"],
            "quarantined": counts["quarantined"],
            "asked_again": counts["asked_again"],
            "reasons": dict(self.reasons.most_common()),
            "splits": {name: dict(split) for name, split in sorted(self._splits.items())},
        }
        if self._replies:
            figures["replies"] = self._replies
            figures["prompt_tokens"] = self._prompt_tokens
            figures["new_tokens"] = self._new_tokens
            if self._priced:
                figures["cost"] = round(self._cost, 6)
        return figures


class PaidReplies(ReplyCounts):
    """Counts as `ReplyCounts`, and stores the counts of each request, so that a sum over jobs counts a request once."""

    def __init__(self) -> None:
        super().__init__()
        # Key of a request -> prompt tokens, new tokens and cost of its reply.
        self.paid: dict[str, tuple[int, int, float | None]] = {}

    def add(self, history: ReplyHistory[Result], split: str) -> None:
        """Adds the replies to one question or passage to the counts."""
        super().add(history, split)
        for entry in history.entries:
            self.paid[entry.key] = (entry.prompt_tokens, entry.new_tokens, entry.cost)
