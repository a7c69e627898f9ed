"""Targets by a model: each training and validation question is asked with its gold, until the gate lets a reply in."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Question, dumps, read_jsonl
from raft_exp.teachers import gate
from raft_exp.teachers.gate import Rejected
from raft_exp.teachers.ledger import LedgerEntry
from raft_exp.teachers.runner import Ask
from raft_exp.teachers.tasks import AnswerTask, Clean, Prompts

TARGETS, QUARANTINE = "targets.jsonl", "quarantine.jsonl"


@dataclass(frozen=True)
class ReplyHistory:
    """What became of one question or passage: what was made of the last reply, and all replies there were."""

    made: Any  # None: nothing can be used
    refused: list[Rejected]
    entries: list[LedgerEntry]


class ReplyCounts:
    """Figures of what was asked; the same for the same replies."""

    def __init__(self) -> None:
        self.reasons, self._splits = Counter[str](), dict[str, Counter[str]]()
        self._replies = self._prompt_tokens = self._new_tokens = 0
        self._cost, self._priced = 0.0, True

    def add(self, asked: ReplyHistory, split: str) -> None:
        """Counts one item."""
        kept = asked.made is not None
        counts = self._splits.setdefault(split, Counter())
        counts["asked"] += 1
        counts["kept" if kept else "quarantined"] += 1
        counts["asked_again"] += len(asked.entries) > 1
        if not kept:
            self.reasons[asked.refused[-1].reason] += 1
        for entry in asked.entries:
            self._replies += 1
            self._prompt_tokens += entry.prompt_tokens
            self._new_tokens += entry.new_tokens
            self._cost += entry.cost or 0.0
            self._priced = self._priced and entry.cost is not None

    @property
    def counts(self) -> Counter[str]:
        """asked, kept, quarantined and asked_again, of all splits."""
        return sum(self._splits.values(), Counter[str]())

    @property
    def tokens(self) -> dict[str, int]:
        """Replies, and what they cost in tokens."""
        told = {"replies": self._replies, "prompt_tokens": self._prompt_tokens, "new_tokens": self._new_tokens}
        return told if self._replies else {}

    def figures(self) -> dict[str, Any]:
        """For audit.json. `cost` is of all replies in use, whenever they were paid."""
        cost = {"cost": round(self._cost, 6)} if self._priced and self._replies else {}
        splits = {name: dict(counts) for name, counts in sorted(self._splits.items())}
        counts = self.counts
        totals = {name: counts[name] for name in ("asked", "kept", "quarantined", "asked_again")}
        return {**totals, "reasons": dict(self.reasons.most_common()), "splits": splits, **self.tokens, **cost}


class PassFiles:
    """The files that a pass writes: beside their names until the job is done, so that a stop leaves no half of them."""

    def __init__(self, folder: Path, *names: str) -> None:
        self._folder, self._names = folder, names
        self._open: dict[str, TextIO] = {}

    def restart(self) -> None:
        """A pass begins: what an earlier one wrote is forgotten."""
        self.close()
        self._open = {name: self._new(name).open("w", encoding="utf-8", newline="\n") for name in self._names}

    def write(self, name: str, row: Any) -> None:
        """Adds a row to a file of this pass."""
        self._open[name].write(dumps(row) + "\n")

    def close(self) -> None:
        """Ends the files of a pass."""
        for file in self._open.values():
            file.close()
        self._open = {}

    def finish(self) -> None:
        """Puts the files in place."""
        self.close()
        for name in self._names:
            self._new(name).replace(self._folder / name)

    def _new(self, name: str) -> Path:
        return self._folder / f"{name}.new"


@dataclass
class TargetWriting:
    """The job of a targets stage (`teachers.runner.TeacherJob`)."""

    teacher: Any
    questions: Path
    passages: Path
    out: Path
    clean: Clean
    label: str = "targets"
    tally: ReplyCounts = field(default_factory=ReplyCounts)

    def __post_init__(self) -> None:
        self.task: AnswerTask = self.teacher.targets
        self._prompts, self._collection = Prompts(self.task, self.clean), Passages(self.passages)
        counts = json.loads((self.questions / "counts.json").read_text())
        self._total = counts.get("train", 0) + counts.get("validation", 0)
        self._files = PassFiles(self.out, TARGETS, QUARANTINE)

    def __len__(self) -> int:
        return int(self._total)

    def items(self) -> Iterator[Question]:
        """As `Job.items`."""
        everything = read_jsonl(self.questions / "questions.jsonl", Question)
        return (question for question in everything if question.split != "test")

    def name(self, item: Question) -> str:
        """As `Job.name`."""
        return item.id

    def resolve(self, item: Question, ask: Ask) -> ReplyHistory | None:
        """As `Job.resolve`."""
        gold = [self._collection[self._collection.find(name)] for name in item.gold]
        texts = [self._prompts.text(passage) for passage in gold]
        answer = next(iter(item.answers), "")
        shown = {"question": item.question, "answer": answer, "answers": item.answers, "explanation": item.explanation}
        return ask_until_valid(
            self.task.retries,
            lambda reasons: self._prompts.messages(gold, reasons, **shown),
            lambda entry: gate.validate_reply(self.task, entry, item, texts),
            ask,
        )

    def start(self) -> None:
        """As `Job.start`."""
        self.tally, self._reasoned = ReplyCounts(), 0
        self._files.restart()

    def keep(self, item: Question, outcome: ReplyHistory) -> None:
        """As `Job.keep`."""
        self.tally.add(outcome, item.split)
        if outcome.made is not None:
            self._reasoned += bool(outcome.made.reason)
            self._files.write(TARGETS, vars(outcome.made))
        else:
            self._files.write(QUARANTINE, quarantine_row(item.id, item.split, outcome))

    def close(self) -> None:
        """Ends the files of a pass."""
        self._files.close()

    def finish(self) -> None:
        """Writes the stage's files. Raises DataError when too few questions have a target."""
        self._files.finish()
        figures = self.tally.figures()
        (self.out / "audit.json").write_text(json.dumps(figures, indent=1))
        check_kept(figures, self.teacher.min_kept, "questions have a target", self.out / QUARANTINE)
        kept = self.tally.counts
        counts = {
            "targets": kept["kept"],
            "quarantined": kept["quarantined"],
            "asked_again": kept["asked_again"],
            "with_reason": self._reasoned,
            **self.tally.tokens,
        }
        (self.out / "counts.json").write_text(json.dumps(counts))


def ask_until_valid(retries: int, messages: Any, judge: Any, ask: Ask) -> ReplyHistory | None:
    """Asks until a reply can be used, at most `retries` times again; None while a reply is missing."""
    refused: list[Rejected] = []
    entries: list[LedgerEntry] = []
    for attempt in range(1 + retries):
        entry = ask(messages([one.told for one in refused]), attempt)
        if entry is None:
            return None
        made = judge(entry)
        if entry.finish == "refused":
            return ReplyHistory(None, [*refused, made], entries)
        entries.append(entry)
        if not isinstance(made, Rejected):
            return ReplyHistory(made, refused, entries)
        refused.append(made)
        if entry.finish == "filtered":  # the same prompt would be withheld again
            break
    return ReplyHistory(None, refused, entries)


def quarantine_row(name: str, split: str, asked: ReplyHistory) -> dict[str, Any]:
    """A row of quarantine.jsonl: each attempt's reason, and the last reply."""
    reasons = [{"reason": one.reason, "told": one.told} for one in asked.refused]
    return {"id": name, "split": split, "reasons": reasons, "reply": asked.entries[-1].answer if asked.entries else ""}


def check_kept(figures: Mapping[str, Any], least: float, what: str, file: Path) -> None:
    """Raises DataError when nothing to train on is left, or less than `teacher.min_kept`."""
    kept, asked = figures.get("kept", 0), figures.get("asked", 0)
    trained = figures["splits"].get("train", {}).get("kept", 0)
    if trained and kept >= least * asked:
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in list(figures["reasons"].items())[:4])
    limit = f" (teacher.min_kept={least:g})" if trained else ", none of training"
    raise DataError(
        f"{kept} of {asked} {what}{limit}; the others' replies could not be used ({reasons}): see {file}; try another "
        "model or task, or let the gate ask for less (teacher.targets.gate)"
    )
