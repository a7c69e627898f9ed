"""RAFT's choice of passages: which rows keep their gold, which distractors stand beside it, and in which order.

Everything here is a function of (seed, question id), never of the other rows, the order or the workers; so
datasets of a sweep are paired: the gold rows of p=0.4 are among those of p=0.6, the distractors of D=2 among those
of D=3 (arXiv 2403.10131, section 3).
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from raft_exp.core.collection import Passages, hash64
from raft_exp.core.errors import DataError
from raft_exp.core.records import ContextPassage, Passage, Question

CLOSED_CLASS = frozenset({"yes", "no", "maybe"})

# Yields passage ordinals for a question, best first, each once, until the pool is used up.
Ranker = Callable[[Question], Iterator[int]]


def number(seed: int, purpose: str, item: str) -> int:
    """64 random bits that belong to one item, one purpose and one seed."""
    named = f"{seed}|{purpose}|{item}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(named).digest()[:8], "little")


class Lowest:
    """Exactly `count` of the items: those with the smallest numbers. Fewer are always among more.

    Holds eight bytes an item while it is made and nothing afterwards, so that any number of items will do.
    """

    def __init__(self, items: Iterable[str], count: Callable[[int], int], seed: int, purpose: str) -> None:
        numbers = np.fromiter((number(seed, purpose, item) for item in items), dtype=np.uint64)
        self._seed, self._purpose = seed, purpose
        self._count = min(count(len(numbers)), len(numbers))
        self._limit = int(np.partition(numbers, self._count - 1)[self._count - 1]) if self._count else -1
        if self._count and np.count_nonzero(numbers <= np.uint64(self._limit)) != self._count:
            raise DataError(f"two items have one number for {purpose!r} and seed {seed}; use another seed")

    def __contains__(self, item: str) -> bool:
        return number(self._seed, self._purpose, item) <= self._limit

    def __len__(self) -> int:
        return self._count


def gold_rows(items: Iterable[str], p: float, seed: int) -> Lowest:
    """The rows whose context keeps its gold: exactly round(p*n) of them, nested in p."""
    return Lowest(items, lambda n: round(p * n), seed, "gold")


def limited(items: Iterable[str], most: int | None, seed: int) -> Lowest:
    """At most so many of the items; smaller sets are part of larger ones."""
    return Lowest(items, lambda n: n if most is None else most, seed, "items")


def shuffled(items: list[int], seed: int, item_id: str) -> list[int]:
    """A seeded order of the passages, so that gold is equally often at each place."""
    generator = np.random.default_rng(number(seed, "order", item_id))
    return [items[place] for place in generator.permutation(len(items))]


def part(gold: list[int], seed: int, item_id: str) -> list[int]:
    """Half of the gold passages, rounded down, drawn by chance: never all of them, and none of a single one."""
    generator = np.random.default_rng(number(seed, "part", item_id))
    return [gold[place] for place in generator.permutation(len(gold))[: len(gold) // 2]]


def document_splits(passages: Passages, questions: Iterable[Question]) -> np.ndarray:
    """Shape (n passages,): which split owns each passage's document: 0 nobody, 1 train, 2 validation, 3 test.

    A document belongs to a split when one of the split's questions names a passage of it; test goes before
    validation, and validation before train, so that what is tested is never a training distractor.
    """
    owner: dict[int, int] = {}
    for question in questions:
        rank = {"train": 1, "validation": 2, "test": 3}[question.split]
        for passage_id in (*question.gold, *question.given):
            document = int(passages.documents[passages.find(passage_id)])
            owner[document] = max(owner.get(document, 0), rank)
    documents, inverse = np.unique(passages.documents, return_inverse=True)
    ranks = np.array([owner.get(int(document), 0) for document in documents], dtype=np.int8)
    return ranks[inverse]


def pool(owners: np.ndarray, split: str) -> np.ndarray:
    """Ordinals of the passages that may be distractors for a split: its own documents' and nobody's."""
    return np.flatnonzero((owners == 0) | (owners == {"train": 1, "validation": 2, "test": 3}[split]))


@dataclass
class Guards:
    """What a distractor must never be (DESIGN section 6), and counts of what was passed over, by reason."""

    passages: Passages
    same_document: bool  # may a distractor come from the gold passage's own document?
    answer_allowed: bool  # may it hold the (open) answer?
    passed_over: Counter[str] = field(default_factory=Counter)

    def distractors(self, question: Question, candidates: Iterator[int], wanted: int) -> list[int]:
        """The first `wanted` candidates that may stand beside the gold passages of `question`."""
        return list(islice(self.allowed(question, candidates), wanted))

    def allowed(self, question: Question, candidates: Iterator[int]) -> Iterator[int]:
        """The candidates that may stand beside the gold passages of `question`, and beside those before them."""
        gold = {self.passages.find(passage_id) for passage_id in question.gold}
        texts = {int(self.passages.texts[ordinal]) for ordinal in gold}
        documents = {int(self.passages.documents[ordinal]) for ordinal in gold}
        missing = missing_gold(question)
        answers = None if self.answer_allowed else answer_pattern(question.answers)
        for ordinal in candidates:
            known = ordinal in gold or int(self.passages.documents[ordinal]) in missing
            reason = "gold_passage" if known else self._objection(ordinal, texts, documents, answers)
            if reason:
                self.passed_over[reason] += 1
            else:
                texts.add(int(self.passages.texts[ordinal]))
                yield ordinal

    def _objection(self, ordinal: int, texts: set[int], documents: set[int], answers: re.Pattern[str] | None) -> str:
        if int(self.passages.texts[ordinal]) in texts:
            return "same_text"
        if not self.same_document and int(self.passages.documents[ordinal]) in documents:
            return "gold_document"
        if answers and holds(answers, self.passages[ordinal]):
            return "holds_answer"
        return ""


def missing_gold(question: Question) -> set[int]:
    """The hashes of documents that a question names as gold and does not bring itself: others of the corpus may."""
    if not question.gold_missing:
        return set()
    return {hash64(name) for name, _ in question.evidence if name not in question.gold}


def answer_pattern(answers: Iterable[str]) -> re.Pattern[str] | None:
    """Finds any of the open answers, word-bounded, in normalised text; None for closed-class answers (yes, no, maybe),
    where passing over passages with the word would make the distractors tell the label.
    """
    forms = {normalise(answer) for answer in answers}
    forms = {form for form in forms if form and form not in CLOSED_CLASS}
    if not forms:
        return None
    return re.compile(r"(?<!\S)(?:" + "|".join(re.escape(form) for form in sorted(forms)) + r")(?!\S)")


def holds(answers: re.Pattern[str], passage: Passage | ContextPassage) -> bool:
    """Whether an answer stands in what is shown of a passage: its title, or its text."""
    return any(answers.search(normalise(shown)) for shown in (passage.title, passage.text))


def normalise(text: str) -> str:
    """Words alone, with one blank between them: case, signs of any script, and ways to write a letter do not count."""
    return _SIGNS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


_SIGNS = re.compile(r"[\W_]+")


def enough(
    question: Question, chosen: list[int], wanted: int, pool_size: int, allow_fewer: bool, group: str = "dataset"
) -> None:
    """Raises DataError naming the counts when a question has too few distractors and fewer are not allowed."""
    if len(chosen) < wanted and not allow_fewer:
        raise DataError(
            f"question {question.id!r}: {len(chosen)} distractors left of {wanted} asked for (pool of {pool_size} "
            f"passages); lower {group}.num_distractors, bring more documents, or set {group}.allow_fewer=true"
        )
