"""Whether a gold passage that was cut to fit the prompt still holds the evidence of the answer.

The evidence of a passage is, by the first of these rules that applies:

1. Its sentences that the data set names as evidence: all of them must stand. Where no named sentence of the question
   holds an open answer that the passage holds, the answer must stand too.
2. An open answer in its text: one must stand.
3. Its sentences among those closest to the data set's long answer (PubMedQA's conclusion), chosen as teacher=extractive
   chooses its quotes: all of them must stand.
4. Otherwise at least half of its characters.
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
    """The evidence of a question in its gold passages. `clean` is what passages undergo on their way into a prompt."""

    question: Question
    gold: Sequence[Passage]
    clean: Callable[[str], str]
    form: Form  # in which texts are compared

    def stands(self, passage: Passage, shown: str) -> bool:
        """Whether the text that is shown of a gold passage holds its evidence."""
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
        """Sentences that the data set names. Evidence in a passage that it does not bring names the document."""
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
    """Whether a text holds another word for word; white space is normalised."""
    return stands_exactly(part, text)
