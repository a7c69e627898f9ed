"""Writes targets with a teacher model: one valid reply for each training and validation question.

A prompt has the question and its gold passages. `gate.py` decides whether a reply is valid.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TextIO, TypeVar

from raft_exp.core.audit import ReplyAudit
from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Messages, Question, Target, dumps, read_jsonl
from raft_exp.teachers import gate
from raft_exp.teachers.gate import Rejected
from raft_exp.teachers.ledger import LedgerEntry
from raft_exp.teachers.model import ModelTeacher
from raft_exp.teachers.runner import Ask
from raft_exp.teachers.tasks import AnswerTask, Clean, Prompts

TARGETS, QUARANTINE = "targets.jsonl", "quarantine.jsonl"


Result = TypeVar("Result")


@dataclass(frozen=True)
class ReplyHistory(Generic[Result]):
    """The result for one question or passage, with all replies and the reasons for rejected replies."""

    result: Result | None  # result of the last reply; None: no reply is usable
    rejected: list[Rejected]
    entries: list[LedgerEntry]


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


class PassFiles:
    """The output files of a pass, written under temporary names.

    `finish` renames them to their final names, so that a killed run leaves no incomplete file.
    """

    def __init__(self, folder: Path, *names: str) -> None:
        self._folder, self._names = folder, names
        self._open: dict[str, TextIO] = {}

    def restart(self) -> None:
        """Opens the files for a new pass and discards the rows of an earlier pass."""
        self.close()
        self._open = {name: self._new(name).open("w", encoding="utf-8", newline="\n") for name in self._names}

    def write(self, name: str, row: Mapping[str, object]) -> None:
        """Appends a row to the file `name`."""
        self._open[name].write(dumps(row) + "\n")

    def close(self) -> None:
        """Closes the files."""
        for file in self._open.values():
            file.close()
        self._open = {}

    def finish(self) -> None:
        """Closes the files and renames them to their final names."""
        self.close()
        for name in self._names:
            self._new(name).replace(self._folder / name)

    def _new(self, name: str) -> Path:
        return self._folder / f"{name}.new"


@dataclass
class TargetWriting:
    """The `TeacherJob` of stage `targets`: its items are questions, its results are targets."""

    teacher: ModelTeacher
    questions: Path
    passages: Path
    out: Path
    clean: Clean
    label: str = "targets"
    tally: ReplyCounts = field(default_factory=ReplyCounts)

    def __post_init__(self) -> None:
        assert self.teacher.targets is not None, "`parse` of the config refuses a teacher without this task"
        self.task: AnswerTask = self.teacher.targets
        self._prompts, self._collection = Prompts(self.task, self.clean), Passages(self.passages)
        counts = json.loads((self.questions / "counts.json").read_text(encoding="utf-8"))
        self._total = counts.get("train", 0) + counts.get("validation", 0)
        self._files = PassFiles(self.out, TARGETS, QUARANTINE)

    def __len__(self) -> int:
        return int(self._total)

    def items(self) -> Iterator[Question]:
        """Yields the training and validation questions."""
        everything = read_jsonl(self.questions / "questions.jsonl", Question)
        return (question for question in everything if question.split != "test")

    def name(self, item: Question) -> str:
        """Returns the id of the question."""
        return item.id

    def resolve(self, item: Question, ask: Ask) -> ReplyHistory[Target] | None:
        """Returns the target that the teacher's replies give for a question; None while a reply is missing."""
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

        Raises DataError where fewer questions than `teacher.min_kept` have a target.
        """
        self._files.finish()
        figures = self.tally.figures()
        (self.out / "audit.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
        check_kept(figures, self.teacher.min_kept, "questions have a target", self.out / QUARANTINE)
        counts = {
            "targets": figures["kept"],
            "quarantined": figures["quarantined"],
            "asked_again": figures["asked_again"],
            "with_reason": self._reasoned,
            **self.tally.tokens,
        }
        (self.out / "counts.json").write_text(json.dumps(counts), encoding="utf-8")


def ask_until_valid(
    retries: int,
    messages: Callable[[Sequence[str]], Messages],
    validate: Callable[[LedgerEntry], Result | Rejected],
    ask: Ask,
) -> ReplyHistory[Result] | None:
    """Requests replies until one is valid, at most `retries` + 1 times. Returns None while a reply is missing.

    `messages` builds the prompt from the reasons of earlier rejections. `validate` returns the result of a reply, or
    why the reply is rejected. `ask` returns the reply to a prompt, or None.
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


def quarantine_row(name: str, split: str, history: ReplyHistory[Result]) -> dict[str, object]:
    """Returns a row of quarantine.jsonl: the reason of each rejection, and the last reply. `name`: id of the item."""
    reasons = [{"reason": rejection.reason, "told": rejection.message} for rejection in history.rejected]
    reply = history.entries[-1].answer if history.entries else ""
    return {"id": name, "split": split, "reasons": reasons, "reply": reply}


def check_kept(figures: ReplyAudit, least: float, what: str, file: Path) -> None:
    """Raises DataError if no training item has a usable reply, or if the share of items that have one is below `least`.

    `what`: noun and verb for the usable items in the message: "questions have a target". `file`: quarantine.jsonl.
    """
    kept, total = figures["kept"], figures["asked"]
    trained = figures["splits"].get("train", {}).get("kept", 0)
    if trained and kept >= least * total:
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in list(figures["reasons"].items())[:4])
    limit = f" (teacher.min_kept={least:g})" if trained else ", none of them in the training split"
    raise DataError(
        f"only {kept} of {total} {what}{limit}; the replies to the others were rejected ({reasons}): see {file}; use "
        "another model or task, or a less strict gate (teacher.targets.gate)"
    )
