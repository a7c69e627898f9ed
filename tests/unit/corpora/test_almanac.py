"""The almanac: the same world from the same seed, splits without overlap, answers that can be derived from the gold."""

import re
import tracemalloc
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from raft_exp.core.errors import ConfigError
from raft_exp.core.records import Passage, Question
from raft_exp.corpora.almanac import Almanac, AlmanacConfig, phrasing

SPLITS = ("train", "validation", "test")
World = tuple[dict[str, Passage], list[Question]]


def almanac(**changes: Any) -> Almanac:
    fields = {
        "name": "almanac",
        "path": None,
        "num_entities": 1200,
        "world_seed": 3,
        "max_items": None,
        "validation": 0.1,
        "test": 0.3,
    }
    return Almanac(AlmanacConfig(**{**fields, **changes}), seed=0)


@pytest.fixture(scope="module")
def world() -> World:
    corpus = almanac()
    return {passage.id: passage for passage in corpus.passages()}, list(corpus.questions())


def evidence(passages: dict[str, Passage], question: Question) -> list[str]:
    return [passages[key].sentences[index] for key, index in question.evidence]


@pytest.mark.slow
def test_same_seed_same_world_and_another_seed_another() -> None:
    first, again, other = almanac(), almanac(), almanac(world_seed=4)
    assert list(first.passages()) == list(again.passages())
    assert list(first.questions()) == list(again.questions())
    assert first.counts == again.counts
    assert {p.text for p in first.passages()}.isdisjoint(p.text for p in other.passages())


def test_passages_are_made_of_their_sentences_and_names_are_unique(world: World) -> None:
    passages, _ = world
    assert len(passages) == 1200
    assert all("".join(passage.sentences) == passage.text for passage in passages.values())
    assert len({passage.title for passage in passages.values()}) == 1200


def test_splits_share_no_document_and_no_fact(world: World) -> None:
    passages, questions = world
    documents = {split: set() for split in SPLITS}
    facts = {split: set() for split in SPLITS}
    for question in questions:
        documents[question.split] |= {passages[key].document_id for key in (*question.gold, *question.given)}
        facts[question.split] |= set(question.evidence)
    for one, other in (SPLITS[:2], SPLITS[1:], (SPLITS[0], SPLITS[2])):
        assert documents[one]
        assert documents[one].isdisjoint(documents[other])
        assert facts[one]
        assert facts[one].isdisjoint(facts[other])


def test_no_training_document_names_a_test_document(world: World) -> None:
    passages, questions = world
    split = {passages[key].title: question.split for question in questions for key in question.gold}
    texts = {
        name: "\n".join(passages[key].text for q in questions if q.split == name for key in q.gold) for name in SPLITS
    }
    words = set(re.findall(r"\w+", texts["train"]))
    tested = [title for title, own in split.items() if own == "test"]
    # Given names and the words around a study's name are everybody's; the made name is not.
    assert tested
    assert words.isdisjoint(title.removesuffix(" study").split()[-1] for title in tested)


def test_open_answers_stand_in_the_evidence(world: World) -> None:
    passages, questions = world
    for question in questions:
        kind, told = question.slices["kind"], evidence(passages, question)
        assert {key for key, _ in question.evidence} == set(question.gold)
        if kind in ("single", "bridge"):
            assert question.answers[0] in told[-1], question
        if kind == "bridge":  # the first hop names the document of the second
            assert passages[question.gold[1]].title in told[0], question
        if kind == "comparison":
            assert all(passages[key].title in sentence for key, sentence in zip(question.gold, told, strict=True))
            assert question.answers[0] in [passages[key].title for key in question.gold]


def test_comparisons_follow_from_both_facts(world: World) -> None:
    passages, questions = world
    by_year = 0
    for question in questions:
        if question.slices["kind"] != "comparison":
            continue
        told = dict(zip((passages[key].title for key in question.gold), evidence(passages, question), strict=True))
        years = {name: int(word) for name, text in told.items() for word in text.strip(" .").split() if word.isdigit()}
        if years:
            by_year += 1
            assert question.answers[0] == min(years, key=years.__getitem__)
        else:
            (value,) = set(re.findall(r"\w+", question.question)) & all_values()
            assert [name for name, text in told.items() if re.search(rf"\b{value}\b", text)] == question.answers
    assert by_year > 50


def all_values() -> set[str]:
    compared = [fact.values for facts in phrasing.KINDS.values() for fact in facts if fact.compare]
    return {word for values in compared for word in values.split(", ") if values != "year"}


def test_studies_are_balanced_and_their_answer_follows_from_the_text(world: World) -> None:
    passages, questions = world
    studies = [question for question in questions if question.slices["kind"] == "study"]
    labels = Counter(question.answers[0] for question in studies)
    assert set(labels) == {"yes", "no", "maybe"}
    assert min(labels.values()) > len(studies) / 5
    marks = {form: label for label, forms in phrasing.OUTCOMES.items() for form in forms.of("study")}
    patterns = {re.sub(r"\\{\w\\}", ".+", re.escape(form)): label for form, label in marks.items()}
    for question in studies:
        text = passages[question.gold[0]].text
        assert [label for pattern, label in patterns.items() if re.search(pattern, text)] == question.answers


def test_given_distractors_are_others_of_the_same_kind_with_a_sibling_among_them(world: World) -> None:
    passages, questions = world
    singles = [question for question in questions if question.slices["kind"] == "single"]
    siblings = 0
    for question in singles:
        assert len(set(question.given)) == len(question.given) >= 4
        assert set(question.given).isdisjoint(question.gold)
        kinds = {key.partition("-")[0] for key in (*question.gold, *question.given)}
        assert len(kinds) == 1
        siblings += any(begins(passages[key]) == begins(passages[question.gold[0]]) for key in question.given)
    assert siblings > 0.6 * len(singles)


def begins(passage: Passage) -> str:
    """The beginning of the made name (persons have a given name before it)."""
    return passage.title.split()[-1][:3]


def test_ids_are_unique_and_max_items_takes_the_first_of_each_split(world: World) -> None:
    _, questions = world
    assert len({question.id for question in questions}) == len(questions)
    few = list(almanac(max_items=20).questions())
    for split in SPLITS:
        assert [q for q in few if q.split == split] == [q for q in questions if q.split == split][:20]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_world() -> None:
    def peak(stream: Callable[[Almanac], Any], entities: int) -> int:
        corpus = almanac(num_entities=entities, world_seed=9)
        list(islice(stream(corpus), 3000))  # fills the bounded caches
        tracemalloc.start()
        for _ in islice(stream(corpus), 600):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    for stream in (Almanac.passages, Almanac.questions):
        assert peak(stream, 100_000) < peak(stream, 1_000) + 2_000_000


@pytest.mark.parametrize("changes", [{"path": "x"}, {"validation": 0.5, "test": 0.5}, {"num_entities": 10**9}])
def test_what_cannot_be_is_refused_by_name(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"corpus.{next(iter(changes))}"):
        almanac(**changes)
