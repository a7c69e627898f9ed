"""Judges the replies of an arm one by one, in one task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from raft_exp.evaluation.judge import gate
from raft_exp.evaluation.judge.config import JudgeTask
from raft_exp.evaluation.judge.delimiters import delimited
from raft_exp.evaluation.judge.gate import Judged
from raft_exp.evaluation.judge.replies import JudgedReply
from raft_exp.evaluation.judge.rows import Judgement
from raft_exp.tasks.counts import PaidReplies
from raft_exp.tasks.ledger import LedgerEntry
from raft_exp.tasks.replies import Rejected, ReplyHistory, ask_until_valid
from raft_exp.tasks.runner import Ask
from raft_exp.tasks.task import Clean, Prompts

_EMPTY = Judged(0.0, "The reply is empty.")
_SPLIT = "test"


@dataclass
class ReplyJudging:
    """The `TaskJob` that judges replies in one task. `name_of_task`: key of the task in `evaluation.judge.tasks`."""

    name_of_task: str
    task: JudgeTask
    replies: Sequence[JudgedReply]
    refusal: str  # the text of a refusal in the study
    clean: Clean
    tally: PaidReplies = field(default_factory=PaidReplies)
    rows: dict[str, Judgement] = field(default_factory=dict)  # by question

    def __post_init__(self) -> None:
        self.label = f"judge, {self.name_of_task}"
        self._prompts = Prompts(self.task, delimited(self.clean, self.task))

    def __len__(self) -> int:
        return len(self.replies)

    def items(self) -> Iterator[JudgedReply]:
        """Yields the replies."""
        return iter(self.replies)

    def name(self, item: JudgedReply) -> str:
        """Returns the id of the question."""
        return item.id

    def resolve(self, item: JudgedReply, ask: Ask) -> ReplyHistory[Judged] | None:
        """Returns the judgement of a reply; None while the judge's reply is missing. An empty reply counts as wrong."""
        if not item.reply:
            return ReplyHistory(_EMPTY, [], [])
        shown = {"reply": item.reply, "answer": item.answer, "gold_shown": item.gold_shown, "refusal": self.refusal}
        return ask_until_valid(
            self.task.retries,
            lambda reasons: self._prompts.messages(item.passages, reasons, **item.values(), **shown),
            lambda entry: self._judged(entry, item),
            ask,
        )

    def _judged(self, entry: LedgerEntry, item: JudgedReply) -> Judged | Rejected:
        return gate.claims(entry, len(item.passages)) if self.task.reply == "claims" else gate.verdict(entry)

    def start(self) -> None:
        """Begins a pass: discards the judgements of an earlier pass."""
        self.tally, self.rows = PaidReplies(), {}

    def keep(self, item: JudgedReply, outcome: ReplyHistory[Judged]) -> None:
        """Adds the row of a reply. Without a usable reply of the judge, its value is missing."""
        self.tally.add(outcome, _SPLIT)
        judged = outcome.result
        row: Judgement = {"id": item.id, "task": self.name_of_task, "value": None, "words": ""}
        if judged is None:
            row["missing"] = outcome.rejected[-1].reason
        else:
            row["value"], row["words"] = judged.value, judged.words
            if judged.claims is not None:
                row["claims"] = judged.claims
        self.rows[item.id] = row


def judged_in(task: JudgeTask, replies: Sequence[JudgedReply], refusals: bool) -> list[JudgedReply]:
    """Returns the replies to which a task applies. `refusals`: whether the study has refusals."""
    if task.judges == "answers_from_passages":
        return [reply for reply in replies if reply.passages and reply.reply and not reply.declines]
    if task.judges == "may_refuse":
        return [reply for reply in replies if reply.passages] if refusals else []
    return list(replies)
