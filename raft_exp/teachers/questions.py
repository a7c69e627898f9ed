"""Writes questions with a teacher model, for a corpus without questions, and checks them.

First the documents are split into training, validation and test, as for a corpus with questions: documents that share
passages are in one split. A small number of documents is split by section, or passage by passage
(`corpora/split_units.py`).

The teacher writes questions for a passage, which is their gold passage. A question with the words of an earlier one is
dropped. In the check, the teacher answers each question from its passage. A question is dropped if the teacher declines
to answer it, or gives another answer.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raft_exp.core.audit import QuestionsAudit
from raft_exp.core.collection import Passages, hash64
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question, dumps, read_rows, write_jsonl
from raft_exp.core.sampling import HashSample, subsample
from raft_exp.core.text import plain_words
from raft_exp.core.words import count
from raft_exp.corpora.passage_levels import PassageLevel
from raft_exp.corpora.quoted import closest_quotes
from raft_exp.corpora.split_units import SplitBy, choose, setting_of
from raft_exp.prompts import parse
from raft_exp.prompts.refusals import abstained
from raft_exp.teachers import gate
from raft_exp.teachers.answers import (
    QUARANTINE,
    PassFiles,
    ReplyCounts,
    ReplyHistory,
    ask_until_valid,
    check_kept,
    quarantine_row,
)
from raft_exp.teachers.gate import Rejected
from raft_exp.teachers.ledger import LedgerEntry
from raft_exp.teachers.runner import Ask
from raft_exp.teachers.tasks import CheckTask, Clean, Prompts, QuestionTask

WRITTEN = "written.jsonl"
Item = tuple[Passage, str]  # a passage and the split of its document
Pairs = tuple[list[tuple[int, str, str]], Counter[str]]  # the result of `gate.pairs`


class PassageSample:
    """The passages to write questions for, each with its split.

    It is a sample of limited size from the passages of each split with at least `task.min_passage_words` words.
    `corpus.split` selects the unit of the splits, e.g. documents (`corpora/split_units.py`). `enough`: whether there
    are enough documents for a split by document.
    """

    def __init__(self, collection: Passages, corpus: Any, task: QuestionTask, seed: int, enough: bool = True) -> None:
        def level(by: SplitBy) -> PassageLevel:
            return PassageLevel(by, collection, lambda passage: count(passage.text) >= least, corpus, seed)

        least = task.min_passage_words
        self.by, self._level = choose(setting_of(corpus), enough, level)
        trained = None if corpus.max_items is None else math.ceil(corpus.max_items / task.n)
        self._most = {"train": trained, "validation": task.held_out_passages, "test": task.held_out_passages}
        self._samples = {split: self._limited(split, seed) for split in self._most}

    def __len__(self) -> int:
        return sum(map(len, self._samples.values()))

    def __iter__(self) -> Iterator[Item]:
        for passage, split in self._level.passages():
            if passage.id in self._samples[split]:
                yield passage, split

    def _limited(self, split: str, seed: int) -> HashSample:
        ids = (passage.id for passage, own in self._level.passages() if own == split)
        return subsample(ids, self._most[split], seed)


@dataclass
class QuestionWriting:
    """The `TeacherJob` that writes questions to written.jsonl. Drops questions with the words of an earlier one."""

    task: QuestionTask
    chosen: PassageSample
    out: Path
    clean: Clean
    label: str = "questions"
    tally: ReplyCounts = field(default_factory=ReplyCounts)
    dropped: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._prompts = Prompts(self.task, self.clean)
        self._files = PassFiles(self.out, WRITTEN, QUARANTINE)

    def __len__(self) -> int:
        return len(self.chosen)

    def items(self) -> Iterator[Item]:
        """Yields the passages of the sample, each with its split."""
        return iter(self.chosen)

    def name(self, item: Item) -> str:
        """Returns the id of the passage."""
        return item[0].id

    def resolve(self, item: Item, ask: Ask) -> ReplyHistory[Pairs] | None:
        """Returns the questions that the teacher's replies give for a passage; None while a reply is missing."""
        return ask_until_valid(
            self.task.retries,
            lambda reasons: self._prompts.messages([item[0]], reasons, n=self.task.n),
            lambda entry: gate.pairs(self.task, entry),
            ask,
        )

    def start(self) -> None:
        """Begins a pass: resets the counts and discards the rows of an earlier pass."""
        self.tally, self.dropped, self._seen = ReplyCounts(), Counter(), set[int]()
        self._files.restart()

    def keep(self, item: Item, outcome: ReplyHistory[Pairs]) -> None:
        """Writes the questions of a passage to written.jsonl, or a row to quarantine.jsonl where no reply is usable."""
        passage, split = item
        self.tally.add(outcome, split)
        if outcome.result is None:
            self._files.write(QUARANTINE, quarantine_row(passage.id, split, outcome))
            return
        pairs, dropped = outcome.result
        self.dropped += dropped
        for number, question, answer in pairs:
            words = hash64(plain_words(question))
            self.dropped["duplicate"] += words in self._seen
            if words not in self._seen:
                self._seen.add(words)
                row = {"id": f"{passage.id}?{number}", "passage": passage.id, "question": question, "answer": answer}
                self._files.write(WRITTEN, {**row, "split": split})

    def close(self) -> None:
        """Closes the files."""
        self._files.close()

    def finish(self) -> None:
        """Renames the written files to their final names."""
        self._files.finish()


@dataclass
class AnswerCheck:
    """The `TeacherJob` that answers each written question from its passage."""

    task: CheckTask
    passages: Path
    out: Path
    clean: Clean
    label: str = "questions, checked"
    tally: ReplyCounts = field(default_factory=ReplyCounts)

    def __post_init__(self) -> None:
        self._prompts, self._collection = Prompts(self.task, self.clean), Passages(self.passages)
        self._total = sum(1 for _ in read_rows(self.out / WRITTEN))
        self.rejected: list[dict[str, object]] = []  # rows of quarantine.jsonl
        self.kept: set[str] = set()

    def __len__(self) -> int:
        return self._total

    def items(self) -> Iterator[dict[str, str]]:
        """Yields the rows of written.jsonl."""
        return read_rows(self.out / WRITTEN)

    def name(self, item: dict[str, str]) -> str:
        """Returns the id of the question."""
        return item["id"]

    def resolve(self, item: dict[str, str], ask: Ask) -> ReplyHistory[bool] | None:
        """Asks the teacher the question again, and compares the two answers.

        Returns the replies; their result is True if the answers agree. Returns None while a reply is missing.
        """
        passage = self._collection[self._collection.find(item["passage"])]
        return ask_until_valid(
            0,
            lambda reasons: self._prompts.messages([passage], reasons, question=item["question"]),
            lambda entry: self._compare(entry, item["answer"]),
            ask,
        )

    def _compare(self, entry: LedgerEntry, written: str) -> bool | Rejected:
        if rejected := gate.unusable(entry):
            return rejected
        reply = parse(entry.answer, "paper")
        answer = reply.prediction if reply.parsed else entry.answer.strip()
        if abstained(answer, ""):
            return Rejected("unanswerable", "the teacher could not answer its own question")
        if not gate.same_answer(written, answer, self.task.agreement, self._collection.form):
            return Rejected("other_answer", f"the teacher's second answer is {answer[:80]!r}, not {written[:80]!r}")
        return True

    def start(self) -> None:
        """Begins a pass: discards the results of an earlier pass."""
        self.tally, self.rejected, self.kept = ReplyCounts(), [], set()

    def keep(self, item: dict[str, str], outcome: ReplyHistory[bool]) -> None:
        """Adds a question to `kept` if the answers agree, else to `rejected`."""
        self.tally.add(outcome, item["split"])
        if outcome.result:
            self.kept.add(item["id"])
        else:
            self.rejected.append(quarantine_row(item["id"], item["split"], outcome) | {"question": item["question"]})


def finish(
    out: Path,
    passages: Path,
    corpus: Any,
    seed: int,
    least: float,
    writing: QuestionWriting,
    checking: AnswerCheck | None,
) -> Counter[str]:
    """Writes questions.jsonl, quarantine.jsonl and audit.json. Returns the number of questions by split.

    `least`: smallest share of questions that must pass the check. `checking`: None without a check. Raises DataError
    where too few questions are usable.
    """
    kept, collection, splits = checking.kept if checking else None, Passages(passages), Counter[str]()

    def usable() -> Iterator[dict[str, str]]:
        return (row for row in read_rows(out / WRITTEN) if kept is None or row["id"] in kept)

    training = subsample((row["id"] for row in usable() if row["split"] == "train"), corpus.max_items, seed)
    rows = (row for row in usable() if row["split"] != "train" or row["id"] in training)
    write_jsonl(out / "questions.jsonl", (_counted(_question(row, collection), splits) for row in rows))
    with (out / QUARANTINE).open("a", encoding="utf-8", newline="\n") as file:
        file.writelines(dumps(row) + "\n" for row in (checking.rejected if checking else []))
    written, checked = writing.tally.figures(), checking.tally.figures() if checking else None
    dropped = dict(sorted(writing.dropped.items()))
    audit: QuestionsAudit = {"written": {**written, "dropped": dropped}, "questions": dict(splits)}
    if checked:
        audit["checked"] = checked
    (out / "audit.json").write_text(json.dumps(audit, indent=1), encoding="utf-8")
    (out / WRITTEN).unlink()
    check_kept(written, 0.0, "passages gave a usable question", out / QUARANTINE)
    if checked:
        check_kept(checked, least, "written questions can be answered from their passage", out / QUARANTINE)
    if not splits["test"]:
        raise DataError(
            f"the teacher wrote no usable test question (usable questions by split: {dict(splits)}): see "
            f"{out / QUARANTINE}; raise corpus.test, add documents, or use another model or task"
        )
    return splits


def _question(row: dict[str, str], collection: Passages) -> Question:
    passage = collection[collection.find(row["passage"])]
    wanted = f"{row['question']} {row['answer']}"
    evidence, holds_answer = closest_quotes([(passage, wanted)], [row["answer"]])
    evidence = evidence if holds_answer else []
    return Question(row["id"], row["question"], [row["answer"]], [passage.id], row["split"], evidence=evidence)


def _counted(question: Question, splits: Counter[str]) -> Question:
    splits[question.split] += 1
    return question
