"""The rules of distractors: which candidates of a ranking may stand in a context beside the gold passages.

docs/explanation/raft-data-sets.md states them.

All rules are in `DistractorFilter._violated_rule`, one `if` a rule, in the order in which they are checked. To change
a rule, edit its condition there. To add one, add an `if` that returns a name for it. The audit of a training set counts
the candidates that a rule rejects under that name (`passed_over`); the audit of a test set has no such counts. The
properties of the gold passages that rules compare with are collected once a question, in `_Context`. Document and text
fingerprint of a candidate are in memory; reading its title or text is a disk read for each candidate.

To give a rule a switch, add a field here, a setting to `DatasetConfig` (raft_exp/dataset/stage.py) and
conf/dataset/default.yaml, and pass it on where `raft` and `test_set` build the filter.

When the same settings give other distractors, raise VERSION in raft_exp/dataset/stage.py, so that stored data sets are
built again, and renew the golden files: `RAFT_EXP_TEST_DATA=DIR python -m tests.golden.keys` and
`python -m tests.golden.rows` (tests/golden/README.md). Tests: tests/unit/dataset/test_contexts.py and test_recipes.py.

Not decided here: the order of the candidates (the sources of this package), the pool they come from
(`raft_exp.dataset.contexts.pool`), and the similarity to the question (`margin.py`). Test contexts as published
(`evaluation.context=given`) and retrieved contexts do not pass this filter.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from raft_exp.core.collection import Passages, hash64
from raft_exp.core.records import Question
from raft_exp.core.text import AnswerSearch, answer_pattern, holds


@dataclass
class DistractorFilter:
    """Applies the rules of distractors and counts the rejected candidates by rule."""

    passages: Passages
    same_document: bool  # distractors may come from a document of a gold passage
    answer_allowed: bool  # distractors may hold an open answer
    rejected_candidates: Counter[str] = field(default_factory=Counter)  # rule -> their number

    def distractors(self, question: Question, candidates: Iterator[int], wanted: int) -> list[int]:
        """The ordinals of the first `wanted` candidates that break no rule; fewer where the candidates run out."""
        return list(islice(self.allowed(question, candidates), wanted))

    def allowed(self, question: Question, candidates: Iterator[int]) -> Iterator[int]:
        """The ordinals of the candidates that break no rule, in their order."""
        gold = {self.passages.find(passage_id) for passage_id in question.gold}
        context = _Context(
            gold=gold,
            also_answering={self.passages.find(name) for name in question.also_answering},
            missing_gold=missing_gold(question),
            gold_documents={int(self.passages.documents[ordinal]) for ordinal in gold},
            texts={int(self.passages.texts[ordinal]) for ordinal in gold},
            answers=None if self.answer_allowed else answer_pattern(question.answers, self.passages.form),
        )
        for ordinal in candidates:
            if rule := self._violated_rule(ordinal, context):
                self.rejected_candidates[rule] += 1
            else:
                context.texts.add(int(self.passages.texts[ordinal]))
                yield ordinal

    def _violated_rule(self, ordinal: int, context: "_Context") -> str:
        """The name of the first rule that a candidate breaks; "" where it may be a distractor."""
        document = int(self.passages.documents[ordinal])
        # A gold passage of the question is no distractor.
        if ordinal in context.gold or document in context.missing_gold:
            return "gold_passage"
        # A passage of the gold document that holds the answer too is neither gold nor distractor.
        if ordinal in context.also_answering:
            return "answers_too"
        # No text stands in a context twice: neither that of a gold passage nor that of an earlier distractor.
        if int(self.passages.texts[ordinal]) in context.texts:
            return "same_text"
        # Other passages of a gold document may hold the answer too (dataset.same_document).
        if not self.same_document and document in context.gold_documents:
            return "gold_document"
        # A passage that holds the answer word for word is no distractor (dataset.allow_answer_in_distractor). There is
        # no pattern for yes, no and maybe: without passages that hold these words the distractors would tell the label.
        if context.answers and holds(context.answers, self.passages[ordinal]):
            return "holds_answer"
        return ""


@dataclass(frozen=True)
class _Context:
    """The properties of a question and of the distractors chosen so far that the rules compare with."""

    gold: set[int]  # ordinals
    also_answering: set[int]  # ordinals
    missing_gold: set[int]  # document hashes, see `missing_gold`
    gold_documents: set[int]  # document hashes
    texts: set[int]  # fingerprints of the gold passages and of the distractors chosen so far
    answers: AnswerSearch | None


def missing_gold(question: Question) -> set[int]:
    """Hashes of the gold documents that were published with the question by title only, without their text.

    The collection may hold such a document because another question was published with it.
    """
    if not question.gold_missing:
        return set()
    return {hash64(name) for name, _ in question.evidence if name not in question.gold}
