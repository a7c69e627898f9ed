"""Writes questions with a teacher model, for a corpus without questions, and checks them.

First the documents are split into training, validation and test, as for a corpus with questions: documents that share
passages are in one split. A small number of documents is split by section, or passage by passage
(`corpora/split_units.py`).

The teacher writes questions for a passage, which is their gold passage. A question with the same words as an earlier
question is dropped. In the check, the teacher answers each question from its passage. A question is dropped if the
teacher declines to answer it, or gives another answer.

With `task.pairs` the questions are about two passages, and both are gold. In the check, the teacher must give the
answer from both together, and from neither alone.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raft_exp.core.audit import QuestionsAudit
from raft_exp.core.collection import Passages, hash64
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question, dumps, read_rows, write_jsonl
from raft_exp.core.sampling import subsample
from raft_exp.core.text import plain_words
from raft_exp.corpora.quoted import closest_quotes
from raft_exp.prompts import parse
from raft_exp.prompts.refusals import abstained
from raft_exp.tasks.counts import ReplyCounts
from raft_exp.tasks.files import PassFiles
from raft_exp.tasks.ledger import LedgerEntry
from raft_exp.tasks.replies import Rejected, ReplyHistory, ask_until_valid, unusable
from raft_exp.tasks.runner import Ask
from raft_exp.tasks.task import Clean, Prompts
from raft_exp.teachers import gate, two_passages
from raft_exp.teachers.answers import QUARANTINE, check_kept, quarantine_row
from raft_exp.teachers.passage_sample import Item, PassageSample, name_of
from raft_exp.teachers.tasks import CheckTask, QuestionTask
from raft_exp.teachers.two_passages import WrittenQuestion, quoted_sentences

WRITTEN = "written.jsonl"
Written = tuple[list[WrittenQuestion], Counter[str]]  # usable questions, and counts of the others by reason


@dataclass
class QuestionWriting:
    """The `TaskJob` that writes questions to written.jsonl. Drops a question with the same words as an earlier one."""

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
        """Yields the passages or pairs of the sample, each with its split."""
        return iter(self.chosen)

    def name(self, item: Item) -> str:
        """Returns the name of the passage or pair."""
        return name_of(item[0])

    def resolve(self, item: Item, ask: Ask) -> ReplyHistory[Written] | None:
        """Returns the replies to an item, with the questions as their result; None while a reply is missing."""
        return ask_until_valid(
            self.task.retries,
            lambda reasons: self._prompts.messages(item[0], reasons, n=self.task.n),
            lambda entry: self._usable(entry, item[0]),
            ask,
        )

    def _usable(self, entry: LedgerEntry, passages: Sequence[Passage]) -> Written | Rejected:
        if self.task.pairs:
            return two_passages.questions(self.task, entry, [self._prompts.text(passage) for passage in passages])
        found = gate.pairs(self.task, entry)
        return found if isinstance(found, Rejected) else ([(*pair, ()) for pair in found[0]], found[1])

    def start(self) -> None:
        """Begins a pass: resets the counts and discards the rows of an earlier pass."""
        self.tally, self.dropped, self._seen = ReplyCounts(), Counter(), set[int]()
        self._files.restart()

    def keep(self, item: Item, outcome: ReplyHistory[Written]) -> None:
        """Writes the questions of an item to written.jsonl, or a row to quarantine.jsonl where no reply is usable."""
        passages, split = item
        name = name_of(passages)
        self.tally.add(outcome, split)
        if outcome.result is None:
            self._files.write(QUARANTINE, quarantine_row(name, split, outcome))
            return
        usable, dropped = outcome.result
        self.dropped += dropped
        for number, question, answer, quoted in usable:
            words = hash64(plain_words(question))
            self.dropped["duplicate"] += words in self._seen
            if words not in self._seen:
                self._seen.add(words)
                row = {"id": f"{name}?{number}", "passages": [passage.id for passage in passages], "quotes": quoted}
                self._files.write(WRITTEN, {**row, "question": question, "answer": answer, "split": split})

    def close(self) -> None:
        """Closes the files."""
        self._files.close()

    def finish(self) -> None:
        """Renames the written files to their final names."""
        self._files.finish()


@dataclass
class AnswerCheck:
    """The `TaskJob` in which the teacher answers each written question, as a check.

    The teacher answers from all passages of the question together, and for a pair also from each passage alone.
    """

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
        self.kept: set[str] = set()  # ids of questions that pass

    def __len__(self) -> int:
        return self._total

    def items(self) -> Iterator[dict[str, Any]]:
        """Yields the rows of written.jsonl."""
        return read_rows(self.out / WRITTEN)

    def name(self, item: dict[str, Any]) -> str:
        """Returns the id of the question."""
        return str(item["id"])

    def resolve(self, item: dict[str, Any], ask: Ask) -> ReplyHistory[bool] | None:
        """Requests a second answer to the question from the teacher, and compares the two answers.

        A question about two passages is also sent with each passage alone. The teacher must then not give the answer.
        Returns the replies, with the result True if the question passes, else None. Returns None while a reply is
        missing.
        """
        passages = [self._collection[self._collection.find(name)] for name in item["passages"]]
        history = self._asked(item, passages, self._compare, ask)
        for passage in passages if len(passages) > 1 else []:
            if history is None or not history.result:
                break
            alone = self._asked(item, [passage], self._compare_alone, ask)
            history = alone and ReplyHistory(alone.result, alone.rejected, [*history.entries, *alone.entries])
        return history

    def _asked(
        self,
        item: dict[str, Any],
        passages: Sequence[Passage],
        compare: Callable[[LedgerEntry, str], bool | Rejected],
        ask: Ask,
    ) -> ReplyHistory[bool] | None:
        return ask_until_valid(
            0,
            lambda reasons: self._prompts.messages(passages, reasons, question=item["question"]),
            lambda entry: compare(entry, item["answer"]),
            ask,
        )

    def _compare(self, entry: LedgerEntry, written: str) -> bool | Rejected:
        answer = _answer(entry)
        if isinstance(answer, Rejected):
            return answer
        if abstained(answer, ""):
            return Rejected("unanswerable", "the teacher could not answer its own question")
        if not self._agrees(written, answer):
            return Rejected("other_answer", f"the teacher's second answer is {answer[:80]!r}, not {written[:80]!r}")
        return True

    def _compare_alone(self, entry: LedgerEntry, written: str) -> bool | Rejected:
        answer = _answer(entry)
        if isinstance(answer, Rejected):
            return answer
        if not abstained(answer, "") and self._agrees(written, answer):
            return Rejected("one_passage_answers", f"one passage alone gives the answer {answer[:80]!r}")
        return True

    def _agrees(self, written: str, answer: str) -> bool:
        return gate.same_answer(written, answer, self.task.agreement, self._collection.form)

    def start(self) -> None:
        """Begins a pass: discards the results of an earlier pass."""
        self.tally, self.rejected, self.kept = ReplyCounts(), [], set()

    def keep(self, item: dict[str, Any], outcome: ReplyHistory[bool]) -> None:
        """Adds the id of a question to `kept` if the question passes the check, else a row to `rejected`."""
        self.tally.add(outcome, item["split"])
        if outcome.result:
            self.kept.add(item["id"])
        else:
            self.rejected.append(quarantine_row(item["id"], item["split"], outcome) | {"question": item["question"]})


def _answer(entry: LedgerEntry) -> str | Rejected:
    """Returns the answer of a reply, or why the reply is unusable."""
    if rejected := unusable(entry):
        return rejected
    reply = parse(entry.answer, "paper")
    return reply.prediction if reply.parsed else entry.answer.strip()


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
    where the training split or the test split has no usable question, or where a smaller share passes the check.
    """
    kept, collection, splits = checking.kept if checking else None, Passages(passages), Counter[str]()

    def usable() -> Iterator[dict[str, Any]]:
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
    asked = "pairs of passages" if writing.task.pairs else "passages"
    check_kept(written, 0.0, f"{asked} gave a usable question", out / QUARANTINE, "")
    if checked:
        source = "both passages and from neither alone" if writing.task.pairs else "their passage"
        what = f"written questions can be answered from {source}"
        check_kept(checked, least, what, out / QUARANTINE, ", or lower teacher.check.agreement")
    if not splits["test"]:
        raise DataError(
            f"the teacher wrote no usable test question (usable questions by split: {dict(splits)}): see "
            f"{out / QUARANTINE}; raise corpus.test, add documents, or use another model or task"
        )
    return splits


def _question(row: dict[str, Any], collection: Passages) -> Question:
    passages = [collection[collection.find(name)] for name in row["passages"]]
    if len(passages) == 1:
        wanted = f"{row['question']} {row['answer']}"
        evidence, holds_answer = closest_quotes([(passages[0], wanted)], [row["answer"]])
        evidence = evidence if holds_answer else []
    else:
        quoted = zip(passages, row["quotes"], strict=True)
        evidence = [(passage.id, at) for passage, quote in quoted for at in quoted_sentences(passage, quote)]
    return Question(row["id"], row["question"], [row["answer"]], row["passages"], row["split"], evidence=evidence)


def _counted(question: Question, splits: Counter[str]) -> Question:
    splits[question.split] += 1
    return question
