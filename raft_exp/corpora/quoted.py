"""Selects the sentences that a target quotes from gold passages, if the dataset does not name these sentences.

At most one sentence is quoted per passage: the one most similar to question and answer. If sentences of the passage
contain an answer word for word, only these are considered. Similarity is a BM25 score or that of an encoder's vectors
(`retrieval/likeness.py`). Among equally similar sentences, the first is quoted.
"""

from collections.abc import Callable, Iterable, Sequence

from raft_exp.core.records import Passage
from raft_exp.core.text import Form, answer_pattern, normalise
from raft_exp.retrieval.likeness import by_words

Scores = Callable[[str, Sequence[str]], list[float]]  # (text, sentences) -> similarity of each sentence to the text
Place = tuple[str, int]  # passage id, sentence number


def closest_quotes(
    passages: Iterable[tuple[Passage, str]], answers: Sequence[str], form: Form = normalise, scores: Scores = by_words
) -> tuple[list[Place], bool]:
    """Returns (places of the chosen sentences, whether any sentence contains an answer).

    `passages`: pairs (passage, text). One sentence is chosen from each passage: the one most similar to the text of the
    pair. If sentences contain an answer, only these are considered. No sentence is chosen from a passage that contains
    no answer and has nothing in common with the text (all scores 0 or less).
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
