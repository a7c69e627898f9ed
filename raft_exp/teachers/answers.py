"""Writes targets with a teacher model: one valid reply for each question.

A prompt has the question and its gold passages. `gate.py` decides whether a reply is valid.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from raft_exp.core import schema
from raft_exp.core.audit import ReplyAudit
from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Question, Target
from raft_exp.core.screen import say
from raft_exp.tasks.budget import tokens_of
from raft_exp.tasks.counts import ReplyCounts
from raft_exp.tasks.files import PassFiles
from raft_exp.tasks.replies import ReplyHistory, Result, ask_until_valid
from raft_exp.tasks.runner import Ask
from raft_exp.tasks.task import Clean, Prompts
from raft_exp.teachers import gate, rejections
from raft_exp.teachers.model import ModelTeacher
from raft_exp.teachers.target_questions import EvaluatedQuestions, target_questions
from raft_exp.teachers.tasks import AnswerTask

TARGETS, QUARANTINE = "targets.jsonl", "quarantine.jsonl"


@dataclass
class TargetWriting:
    """The `TaskJob` of stage `targets`: its items are questions, its results are targets."""

    teacher: ModelTeacher
    questions: Path  # result folder of the stage `questions`
    passages: Path  # result folder of the stage `ingest`
    out: Path
    clean: Clean
    evaluated: EvaluatedQuestions | None = None  # None: the training and validation questions
    label: str = "targets"
    tally: ReplyCounts = field(default_factory=ReplyCounts)

    def __post_init__(self) -> None:
        assert self.teacher.targets is not None, "`parse` of the config refuses a teacher without this task"
        self.task: AnswerTask = self.teacher.targets
        self._prompts, self._collection = Prompts(self.task, self.clean), Passages(self.passages)
        self._total = sum(1 for _ in self.items())
        self._files = PassFiles(self.out, TARGETS, QUARANTINE)

    def __len__(self) -> int:
        return self._total

    def items(self) -> Iterator[Question]:
        """Yields the questions in the order of questions.jsonl."""
        return target_questions(self.questions, self.evaluated)

    def name(self, item: Question) -> str:
        """Returns the id of the question."""
        return item.id

    def resolve(self, item: Question, ask: Ask) -> ReplyHistory[Target] | None:
        """Returns the replies to a question, with the target as their result; None while a reply is missing."""
        gold = [self._collection[self._collection.find(name)] for name in item.gold]
        texts = [self._prompts.text(passage) for passage in gold]
        answer = next(iter(item.answers), "")
        shown = {"question": item.question, "answer": answer, "answers": item.answers, "explanation": item.explanation}
        return ask_until_valid(
            self.task.retries,
            lambda reasons: self._prompts.messages(gold, reasons, **shown),
            lambda entry: gate.validate_reply(self.task, entry, item, texts, self._collection.form),
            ask,
        )

    def remarks(self) -> Iterator[str]:
        """Yields at most one warning: about verified answers that leave a reply too little room for its reasoning."""
        if self.task.reply == "text" or not self.task.gate.agrees:  # the reply need not repeat the answer
            return
        most = self.task.max_new_tokens
        sizes = [min(map(tokens_of, item.answers)) for item in self.items() if item.answers]
        if large := [size for size in sizes if size > most / 2]:
            yield (
                f"the verified answers of {len(large):,} of {self._total:,} questions fill more than half of a reply "
                f"of teacher.targets.max_new_tokens={most} (the longest has about {max(large):,.0f} tokens): replies "
                "that repeat them may be cut off. Raise teacher.targets.max_new_tokens."
            )

    def start(self) -> None:
        """Begins a pass: resets the counts and discards the rows of an earlier pass."""
        self.tally, self._reasoned = ReplyCounts(), 0
        self._files.restart()

    def keep(self, item: Question, outcome: ReplyHistory[Target]) -> None:
        """Writes a row to targets.jsonl, or to quarantine.jsonl where no reply is usable."""
        self.tally.add(outcome, item.split)
        if outcome.result is not None:
            self._reasoned += bool(outcome.result.reason)
            self._files.write(TARGETS, vars(outcome.result))
        else:
            self._files.write(QUARANTINE, quarantine_row(item.id, item.split, outcome))

    def close(self) -> None:
        """Closes the files."""
        self._files.close()

    def finish(self) -> None:
        """Writes targets.jsonl, quarantine.jsonl, audit.json and counts.json.

        Raises DataError where the share of questions with a target is below `teacher.min_kept`, or where no question of
        the training split (with `evaluated`: of its split) has a target.
        """
        self._files.finish()
        figures = self.tally.figures()
        (self.out / "audit.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
        needed = self.evaluated.split if self.evaluated else "train"
        gate = ", or a less strict gate (teacher.targets.gate)"
        check_kept(figures, self.teacher.min_kept, "questions have a target", self.out / QUARANTINE, gate, needed)
        lost = rejections.lost_references if self.evaluated else rejections.lost_targets
        if line := lost(figures, schema.identity(self.task.gate)):
            say(f"warning: {line}", error=True)
        counts = {
            "targets": figures["kept"],
            "quarantined": figures["quarantined"],
            "asked_again": figures["asked_again"],
            "with_reason": self._reasoned,
            **self.tally.tokens,
        }
        (self.out / "counts.json").write_text(json.dumps(counts), encoding="utf-8")


def quarantine_row(name: str, split: str, history: ReplyHistory[Result]) -> dict[str, object]:
    """Returns a row of quarantine.jsonl: the reason of each rejection, and the last reply. `name`: id of the item."""
    reasons = [{"reason": rejection.reason, "told": rejection.message} for rejection in history.rejected]
    reply = history.entries[-1].answer if history.entries else ""
    return {"id": name, "split": split, "reasons": reasons, "reply": reply}


def check_kept(figures: ReplyAudit, least: float, what: str, file: Path, remedy: str, split: str = "train") -> None:
    """Raises DataError if no item of `split` has a usable reply, or a share of all items below `least` has one.

    `what`: noun and verb for the usable items in the message, e.g. "questions have a target". `file`: quarantine.jsonl.
    `remedy`: what helps besides another model or task.
    """
    kept, total = figures["kept"], figures["asked"]
    needed = figures["splits"].get(split, {}).get("kept", 0)
    if needed and kept >= least * total:
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in list(figures["reasons"].items())[:4])
    name = "training" if split == "train" else split
    limit = f" (teacher.min_kept={least:g})" if needed else f", none of them in the {name} split"
    raise DataError(
        f"only {kept} of {total} {what}{limit}; the replies to the others were rejected ({reasons}): see {file}; use "
        f"another model or task{remedy}"
    )
