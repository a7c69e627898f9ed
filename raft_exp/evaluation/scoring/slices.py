"""Groups of questions to report by: those that the corpus names, and those that every study has."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raft_exp.core.collection import Passages, hash64
from raft_exp.core.records import Example, Question, read_ids, read_jsonl
from raft_exp.core.text import normalise
from raft_exp.evaluation.metrics import Profile
from raft_exp.evaluation.scoring.figures import summary
from raft_exp.evaluation.scoring.replies import ScoredArm

Slices = dict[str, dict[str, list[int]]]  # slice -> value -> places of its questions


@dataclass(frozen=True)
class TrainingFacts:
    """What the data say of a question beside its row. None: they do not say, or nothing was trained on them."""

    names_gold: bool
    answer_seen: bool | None = None
    document_seen: bool | None = None


def training_facts(
    asked: Iterable[str], questions: Path, passages: Path, datasets: Iterable[Path]
) -> dict[str, TrainingFacts]:
    """What is known of these questions: whether training held their answer, or a document of their gold passages.

    Counts as training what stands in the rows that were trained on, whichever arm's.
    """
    trained = {hash64(name) for folder in datasets for name in read_ids(folder / "rows.jsonl")}
    wanted, collection = set(asked), Passages(passages)
    answers: set[int] = set()
    documents: set[int] = set()
    found: dict[str, tuple[Question, set[int]]] = {}
    for question in read_jsonl(questions / "questions.jsonl", Question):
        learned = question.split == "train" and hash64(question.id) in trained
        if learned or question.id in wanted:
            held = {int(collection.documents[collection.find(name)]) for name in question.gold}
            if learned:
                answers |= _answers(question)
                documents |= held
            if question.id in wanted:
                found[question.id] = (question, held)
    return {
        name: TrainingFacts(
            names_gold=bool(question.gold or question.gold_missing),
            answer_seen=bool(_answers(question) & answers) if answers else None,
            document_seen=bool(held & documents) if documents and held else None,
        )
        for name, (question, held) in found.items()
    }


def _answers(question: Question) -> set[int]:
    return {hash64(normalise(answer)) for answer in question.answers}


def slices(
    examples: Sequence[Example],
    arms: Mapping[str, ScoredArm],
    profile: Profile,
    seed: int,
    facts: Mapping[str, TrainingFacts],
) -> dict[str, Any]:
    """{slice: {value: {arm: summary}}} for the groups that the corpus names, then for those of every study."""
    return {
        name: {
            value: {arm: summary(scored.observed, profile.metrics, seed, items) for arm, scored in arms.items()}
            for value, items in groups.items()
        }
        for name, groups in groups_of(examples, profile, facts).items()
    }


def groups_of(examples: Sequence[Example], profile: Profile, facts: Mapping[str, TrainingFacts]) -> Slices:
    """The places of the questions of each group. A name that the corpus gives keeps the corpus's meaning."""
    own = sorted({name for example in examples for name in example.slices})
    made = {name: _grouped(example.slices.get(name) for example in examples) for name in own}
    seen = [facts.get(example.id, TrainingFacts(names_gold=True)) for example in examples]
    more = {"question_length": _lengths([len(example.question.split()) for example in examples])}
    if not profile.closed:  # every label is an answer that was seen
        more["answer"] = _grouped(_seen(fact.answer_seen) for fact in seen)
    more["document"] = _grouped(_seen(fact.document_seen) for fact in seen)
    if profile.closed:
        more["class"] = _grouped(example.answers[0] for example in examples)
    return {**made, **{name: groups for name, groups in more.items() if groups and name not in made}}


def _grouped(values: Iterable[str | None]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        if value is not None:
            groups.setdefault(value, []).append(place)
    return dict(sorted(groups.items()))


def _seen(known: bool | None) -> str | None:
    return None if known is None else "seen" if known else "unseen"


def _lengths(words: Sequence[int]) -> dict[str, list[int]]:
    """Three groups as equal as ties allow, short ones first; {} where all questions are alike."""
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
