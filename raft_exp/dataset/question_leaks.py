"""Finds held-out questions that are also training questions, by their words, answers and gold passages.

A held-out question counts as leaked if training contains a question with

- the same wording, and a gold passage with the same text or from the same document;
- the same wording and answer. For template wordings ("What is the product's name?"), whose answer depends on the
  document, training must also contain a near copy of the gold passage;
- nearly the same wording, the same answer, and a gold passage from the same document or with nearly the same text;
- the same wording with a few more or fewer words, or in another order, and the same open answer.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from raft_exp.core.collection import hash64
from raft_exp.core.wording import WordingUses, answers_agree, open_forms, wording
from raft_exp.dataset.gold_overlap import GoldLinks
from raft_exp.dataset.training_index import ComparedQuestion, TrainingIndex

FREQUENT = 50  # two questions share an open answer by chance if more training questions than this have it

Leaks = dict[str, str]  # held-out question id -> id of the first training question that leaks it


@dataclass(frozen=True)
class QuestionLeaks:
    """The leaks of a held-out split by kind. Each question has one kind."""

    same: Leaks = field(default_factory=dict)
    near: Leaks = field(default_factory=dict)
    other_document: Leaks = field(default_factory=dict)  # the same wording about other documents: not counted as leaks


def question_leaks(
    held_out: Sequence[ComparedQuestion],
    others: Sequence[ComparedQuestion],
    training: TrainingIndex,
    links: GoldLinks,
) -> QuestionLeaks:
    """Compares the questions `held_out` of one split with the training questions.

    `others`: the questions of the other held-out split, which help to recognise template wordings. `links`: the gold
    passages of the split that equal or nearly copy gold passages of training.
    """
    candidates, uses, leaks = _candidates(held_out, training, links), WordingUses(), QuestionLeaks()
    same: list[tuple[ComparedQuestion, ComparedQuestion]] = []
    for row, learned in training.read(candidates):
        pairs = [held_out[place] for place in sorted(candidates[row])]
        if any(tested.words == learned.words for tested in pairs):
            uses.add(learned.words, learned.documents, learned.answers)
        for tested in pairs:
            if tested.words == learned.words:
                same.append((tested, learned))
            elif _is_near_leak(tested, learned, links):
                leaks.near.setdefault(tested.id, learned.id)
    for question in (*held_out, *others):
        uses.add(question.words, question.documents, question.answers)
    for tested, learned in same:
        leaking = _is_same_leak(tested, learned, links, uses)
        (leaks.same if leaking else leaks.other_document).setdefault(tested.id, learned.id)
    return _one_kind_each(leaks)


def _candidates(
    held_out: Sequence[ComparedQuestion], training: TrainingIndex, links: GoldLinks
) -> Mapping[int, set[int]]:
    """Returns {training question: indices of held-out questions with its wording, its gold or its open answer}."""
    candidates: dict[int, set[int]] = defaultdict(set)
    for place, tested in enumerate(held_out):
        rows = set(training.words.rows(tested.words))
        for form in open_forms(tested.answers):
            rows.update(training.answers.rows(hash64(form), FREQUENT))
        for ordinal in tested.gold:
            for linked in links.training.get(ordinal, ()):
                rows.update(training.gold.rows(linked))
        for row in rows:
            candidates[row].add(place)
    return candidates


def _is_same_leak(tested: ComparedQuestion, learned: ComparedQuestion, links: GoldLinks, uses: WordingUses) -> bool:
    linked = links.between(tested.gold, learned.gold)
    if not tested.documents.isdisjoint(learned.documents) or not links.identical.isdisjoint(linked):
        return True
    return answers_agree(tested.answers, learned.answers) and (bool(linked) or not uses.is_template(tested.words))


def _is_near_leak(tested: ComparedQuestion, learned: ComparedQuestion, links: GoldLinks) -> bool:
    how = wording(tested.units, learned.units)
    if how == "other":
        return False
    if links.between(tested.gold, learned.gold) or not tested.documents.isdisjoint(learned.documents):
        return answers_agree(tested.answers, learned.answers)
    return how == "longer" and not open_forms(tested.answers).isdisjoint(open_forms(learned.answers))


def _one_kind_each(leaks: QuestionLeaks) -> QuestionLeaks:
    near = {name: other for name, other in leaks.near.items() if name not in leaks.same}
    rest = {name: other for name, other in leaks.other_document.items() if name not in leaks.same and name not in near}
    return QuestionLeaks(leaks.same, near, rest)
