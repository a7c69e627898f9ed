"""Slices (subsets) of the test questions: slices that the corpus defines, and slices that every study has."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.collection import Passages, hash64
from raft_exp.core.records import Example, Question, read_ids, read_jsonl
from raft_exp.core.text import plain_words
from raft_exp.evaluation.metrics import Profile
from raft_exp.evaluation.results import Summary
from raft_exp.evaluation.scoring.figures import summary
from raft_exp.evaluation.scoring.replies import ScoredArm

Slices = dict[str, dict[str, list[int]]]  # slice -> value -> indices of its questions


@dataclass(frozen=True)
class TrainingFacts:
    """How a test question relates to the training data. None: unknown, or no arm was trained."""

    names_gold: bool  # the data set names gold passages of the question
    answer_seen: bool | None = None  # a training question has an answer of this question
    document_seen: bool | None = None  # a document has gold passages of this question and of a training question


def training_facts(
    test_ids: Iterable[str], questions: Path, passages: Path, datasets: Iterable[Path]
) -> dict[str, TrainingFacts]:
    """Returns {question id: TrainingFacts} for the test questions.

    `questions`, `passages`: result folders of the stages `questions` and `ingest`. `datasets`: folders of all training
    sets of the study; their rows together are the training data.
    """
    trained = {hash64(name) for folder in datasets for name in read_ids(folder / "rows.jsonl")}
    ids, collection = set(test_ids), Passages(passages)
    answers: set[int] = set()
    documents: set[int] = set()
    tested: dict[str, tuple[Question, set[int]]] = {}
    for question in read_jsonl(questions / "questions.jsonl", Question):
        learned = question.split == "train" and hash64(question.id) in trained
        if learned or question.id in ids:
            gold_documents = {int(collection.documents[collection.find(name)]) for name in question.gold}
            if learned:
                answers |= _answers(question)
                documents |= gold_documents
            if question.id in ids:
                tested[question.id] = (question, gold_documents)
    return {
        name: TrainingFacts(
            names_gold=bool(question.gold or question.gold_missing),
            answer_seen=bool(_answers(question) & answers) if answers else None,
            document_seen=bool(gold_documents & documents) if documents and gold_documents else None,
        )
        for name, (question, gold_documents) in tested.items()
    }


def _answers(question: Question) -> set[int]:
    return {hash64(plain_words(answer)) for answer in question.answers}


def slices(
    examples: Sequence[Example],
    arms: Mapping[str, ScoredArm],
    profile: Profile,
    seed: int,
    facts: Mapping[str, TrainingFacts],
) -> dict[str, dict[str, dict[str, Summary]]]:
    """Returns {slice: {value: {arm: summary}}}: first the slices of the corpus, then those that every study has."""
    return {
        name: {
            value: {arm: summary(scored.observed, profile.metrics, seed, items) for arm, scored in arms.items()}
            for value, items in groups.items()
        }
        for name, groups in groups_of(examples, profile, facts).items()
    }


def groups_of(examples: Sequence[Example], profile: Profile, facts: Mapping[str, TrainingFacts]) -> Slices:
    """Returns {slice: {value: indices of its questions}}: first the slices of the corpus, then those of every study.

    If a slice of the corpus has the name of a slice of every study, only the slice of the corpus is returned.
    """
    names = sorted({name for example in examples for name in example.slices})
    of_corpus = {name: _grouped(example.slices.get(name) for example in examples) for name in names}
    in_training = [facts.get(example.id, TrainingFacts(names_gold=True)) for example in examples]
    of_study = {"question_length": _lengths([profile.normalize.length(example.question) for example in examples])}
    if not profile.closed:  # closed answers are labels, and training has all labels
        of_study["answer"] = _grouped(_seen(fact.answer_seen) for fact in in_training)
    of_study["document"] = _grouped(_seen(fact.document_seen) for fact in in_training)
    if profile.closed:
        of_study["class"] = _grouped(example.answers[0] for example in examples)
    return {**of_corpus, **{name: groups for name, groups in of_study.items() if groups and name not in of_corpus}}


def _grouped(values: Iterable[str | None]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        if value is not None:
            groups.setdefault(value, []).append(place)
    return dict(sorted(groups.items()))


def _seen(in_training: bool | None) -> str | None:
    return None if in_training is None else "seen" if in_training else "unseen"


def _lengths(words: Sequence[int]) -> dict[str, list[int]]:
    """Groups the questions by length into three groups of about equal size, short questions first.

    `words`: number of words of each question. Returns {} where all lengths fall into one group.
    """
    ranked = sorted(words)
    limits = [ranked[(len(ranked) - 1) // 3], ranked[2 * (len(ranked) - 1) // 3]]
    thirds: dict[int, list[int]] = {}
    for place, length in enumerate(words):
        thirds.setdefault(sum(length > limit for limit in limits), []).append(place)
    groups = {_span([words[place] for place in thirds[third]]): thirds[third] for third in sorted(thirds)}
    return groups if len(groups) > 1 else {}


def _span(words: Sequence[int]) -> str:
    low, high = min(words), max(words)
    return f"{low}-{high} words" if low < high else f"{low} word{'s' if low > 1 else ''}"
