"""The sentences of gold passages that a target quotes, where the data set names none.

A target quotes one sentence of a passage: the closest to question and answer, among those that hold an answer word for
word where it has such. Rare words weigh more (`retrieval/likeness.py`); of equally close sentences it is the first.
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
    """One sentence of each passage, which comes with the text to be close to; and whether one holds an answer.

    A passage without an answer whose sentences have nothing in common with the text gives none.
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
