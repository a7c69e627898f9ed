"""The rules for distractors: they decide which passages of a ranking may stand in a context beside the gold passages.

docs/explanation/raft-data-sets.md states the rules.

All rules are in `DistractorFilter._violated_rule`: one `if` for each rule, in the order in which they are checked. To
change a rule, edit its condition. To add a rule, add an `if` that returns the rule's name. The audit of a training set
counts the rejected passages under this name (`passed_over`). The audit of a test set has no such counts.

`_Context` holds what the rules compare a passage with; it is built once for each question. The document and the text
fingerprint of a passage are in memory. A rule that reads title or text needs a disk read for each passage.

To make a rule optional, add a field to `DistractorFilter`, and a setting to `DatasetConfig`
(raft_exp/dataset/config.py) and conf/dataset/default.yaml. Pass the setting to the filter in `training_rankers` and in
`context_chooser`.

When a change gives other distractors for the same settings, raise VERSION in raft_exp/dataset/writing.py, so that
stored data sets are built again. Then renew the golden files with `RAFT_EXP_TEST_DATA=DIR python -m tests.golden.keys`
and `python -m tests.golden.rows` (tests/golden/README.md). Tests: tests/unit/dataset/test_contexts.py and
test_recipes.py.

Other modules decide the order of the passages (the sources of this package), the pool (`raft_exp.corpora.pools`) and
the limits of similarity (`margin.py`). The filter does not apply to published test contexts
(`evaluation.context=given`) and retrieved contexts.
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
    """Applies the rules for distractors and counts the rejected passages by rule."""

    passages: Passages
    same_document: bool  # distractors may come from the document (with corpus.split: the unit) of a gold passage
    answer_allowed: bool  # distractors may hold the answer; they may always hold a label (yes, no, maybe)
    rejected_candidates: Counter[str] = field(default_factory=Counter)  # rule -> number of passages

    def distractors(self, question: Question, candidates: Iterator[int], wanted: int) -> list[int]:
        """Returns the first `wanted` candidates that break no rule, or all such candidates if there are fewer."""
        return list(islice(self.allowed(question, candidates), wanted))

    def allowed(self, question: Question, candidates: Iterator[int]) -> Iterator[int]:
        """Yields the candidates (passage ordinals) that break no rule, in the same order.

        Raises DataError if a passage of `question.gold` or `question.also_answering` is not in the collection.
        """
        gold = {self.passages.find(passage_id) for passage_id in question.gold}
        context = _Context(
            gold=gold,
            also_answering={self.passages.find(name) for name in question.also_answering},
            missing_gold=missing_gold(question),
            gold_units={int(self.passages.units[ordinal]) for ordinal in gold},
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
        """Returns the name of the first rule that the passage breaks, or "" if it may be a distractor."""
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
        # Other passages of a gold document may hold the answer too (dataset.same_document). Where questions are split
        # by smaller units (corpus.split), it is the gold's own unit.
        if not self.same_document and int(self.passages.units[ordinal]) in context.gold_units:
            return "gold_document"
        # A passage that holds the answer word for word is no distractor (dataset.allow_answer_in_distractor). There is
        # no pattern for yes, no and maybe: if passages with these words were left out, the distractors would reveal
        # the label.
        if context.answers and holds(context.answers, self.passages[ordinal]):
            return "holds_answer"
        return ""


@dataclass(frozen=True)
class _Context:
    """The values that the rules compare a candidate with: a question's gold passages, and the distractors so far."""

    gold: set[int]  # ordinals
    also_answering: set[int]  # ordinals
    missing_gold: set[int]  # document hashes, see `missing_gold`
    gold_units: set[int]  # hashes of documents, or of the smaller units of corpus.split
    texts: set[int]  # fingerprints of the gold passages and of the distractors chosen so far
    answers: AnswerSearch | None


def missing_gold(question: Question) -> set[int]:
    """Returns hashes of the ids of gold documents whose title was published with the question, but not their text.

    The collection may still hold the text of such a document, published with another question.
    """
    if not question.gold_missing:
        return set()
    return {hash64(name) for name, _ in question.evidence if name not in question.gold}
