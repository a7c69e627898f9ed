"""Selects the sentences of gold passages that a target quotes, if the dataset names none.

A target quotes one sentence per passage: the most similar to question and answer. If some sentences of the passage
contain an answer word for word, it is one of these. Rare words weigh more (`retrieval/likeness.py`). Among equally
similar sentences the first is taken.
"""

from collections.abc import Callable, Iterable, Sequence

from raft_exp.core.records import Passage
from raft_exp.core.text import Form, answer_pattern, normalise
from raft_exp.retrieval.likeness import by_words

Scores = Callable[[str, Sequence[str]], list[float]]  # a text and sentences -> a score of each sentence
Place = tuple[str, int]  # passage id, sentence number


def closest_quotes(
    passages: Iterable[tuple[Passage, str]], answers: Sequence[str], form: Form = normalise, scores: Scores = by_words
) -> tuple[list[Place], bool]:
    """Returns one sentence of each passage, and whether any sentence contains an answer.

    `passages`: pairs (passage, text); the sentence of a passage is the most similar to its text. A passage gives no
    sentence if it contains no answer and has nothing in common with the text.
    """
    pattern = answer_pattern(answers, form)
    places: list[Place] = []
    answered = False
    for passage, text in passages:
        sentences = [sentence if sentence.strip() else "" for sentence in passage.sentences]
        holding = [at for at, sentence in enumerate(sentences) if pattern and pattern.search(sentence)]
        answered = answered or bool(holding)
        if len(holding) == 1:
            places.append((passage.id, holding[0]))
            continue
        found = scores(text, sentences)
        best = max(holding or range(len(sentences)), key=lambda at: found[at], default=None)
        if best is not None and (holding or found[best] > 0):
            places.append((passage.id, best))
    return places, answered
