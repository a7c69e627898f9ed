"""Tests whether a gold passage that was shortened to fit the prompt still contains the evidence of the answer.

The first rule that applies to a passage defines its evidence:

1. The dataset names sentences of the passage as evidence. The shortened text must contain all of them. If the passage
contains an open answer and no named sentence of the question does, the shortened text must contain an open answer too.
2. The passage contains an open answer. The shortened text must contain at least one open answer.
3. Sentences of the passage are among those most similar to the dataset's long answer (PubMedQA's conclusion). They are
selected by the same rule as the quotes of teacher=extractive. The shortened text must contain all of them.
4. In all other cases the shortened text must have at least half of the passage's characters.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from raft_exp.core.records import Passage, Question
from raft_exp.core.text import Form, answer_pattern
from raft_exp.corpora.closest_sentences import closest_sentences
from raft_exp.prompts.quotes import stands_exactly

_CLOSEST, _LEAST_SCORE = 3, 0.6  # sentences close to a long answer: as in conf/teacher/extractive.yaml
_LEAST_SHARE = 0.5  # of the characters of a passage without other evidence


@dataclass(frozen=True)
class Evidence:
    """The evidence of a question in its gold passages.

    `gold`: all gold passages of the question. `clean`: the function that escapes a passage's text for the prompt.
    """

    question: Question
    gold: Sequence[Passage]
    clean: Callable[[str], str]
    form: Form  # normalises answers and texts before they are compared

    def stands(self, passage: Passage, shown: str) -> bool:
        """Whether `shown`, the text in the prompt, still contains the evidence of the gold passage."""
        named = self._named(passage)
        if not all(holds_words(shown, self.clean(sentence)) for sentence in named):
            return False
        if named and self._names_an_answer:
            return True
        if self._answers(passage.text):
            return self._answers(shown)
        if named:
            return True
        if closest := [sentence for sentence in self._closest if sentence in passage.sentences]:
            return all(holds_words(shown, self.clean(sentence)) for sentence in closest)
        return len(shown) >= _LEAST_SHARE * len(self.clean(passage.text))

    def _named(self, passage: Passage) -> list[str]:
        """Returns the sentences of a passage that the dataset names as evidence.

        They are named by passage id, or by document id for a passage that is not in `question.gold`.
        """
        names = {passage.id} if passage.id in self.question.gold else {passage.document_id}
        numbers = [number for name, number in self.question.evidence if name in names]
        return [passage.sentences[number] for number in numbers if 0 <= number < len(passage.sentences)]

    def _answers(self, text: str) -> bool:
        pattern = answer_pattern(self.question.answers, self.form)
        return bool(pattern and pattern.search(text))

    @cached_property
    def _names_an_answer(self) -> bool:
        return any(self._answers(sentence) for passage in self.gold for sentence in self._named(passage))

    @cached_property
    def _closest(self) -> list[str]:
        explanation = self.question.explanation
        return closest_sentences(explanation, self.gold, _CLOSEST, _LEAST_SCORE) if explanation else []


def holds_words(text: str, part: str) -> bool:
    """Whether `text` contains `part` exactly, except for white space."""
    return stands_exactly(part, text)
