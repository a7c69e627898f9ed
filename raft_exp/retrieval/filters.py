"""Which candidates may stand beside the gold passages of a question, as distractors."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from raft_exp.core.collection import Passages, hash64
from raft_exp.core.records import Question
from raft_exp.core.text import answer_pattern, holds


@dataclass
class DistractorFilter:
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
