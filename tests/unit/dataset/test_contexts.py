"""Rules of contexts and distractors, as properties over many generated corpora."""

from collections import Counter
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp import retrieval
from raft_exp.core.collection import Passages, fingerprint, write_passages
from raft_exp.core.records import Passage, Question
from raft_exp.core.text import CLOSED_CLASS, answer_pattern, holds, normalise
from raft_exp.corpora import pools
from raft_exp.dataset import contexts
from raft_exp.retrieval.filters import DistractorFilter
from tests.helpers import index as indexed
from tests.helpers.worlds import MANY

WORDS = ["river", "town", "Paris", "glass", "no", "yes", "born", "1802", "mill", "bird"]


@st.composite
def worlds(draw):
    """Documents of 1-3 passages, some with the same words, and questions whose gold is part of one document."""
    texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
    documents = draw(st.lists(st.lists(texts, min_size=1, max_size=3), min_size=4, max_size=12))
    made = [
        Passage(f"{d}:{i}", str(d), "", text, "", [text], "made")
        for d, sections in enumerate(documents)
        for i, text in enumerate(sections)
    ]
    questions = []
    for d, sections in enumerate(documents[:-2]):
        gold = [f"{d}:{i}" for i in range(draw(st.integers(1, len(sections))))]
        answers = [draw(st.sampled_from(["yes", "no", "Paris", "1802", "glass"]))]
        split = draw(st.sampled_from(["train", "train", "test", "validation"]))
        questions.append(Question(f"q{d}", f"what of {d}", answers, gold, split))
    return made, questions


def collection(made: list[Passage], folder: str) -> Passages:
    write_passages(Path(folder), made)
    return Passages(Path(folder))


@MANY
@given(worlds(), st.integers(0, 5), st.integers(0, 2**16), st.booleans(), st.sampled_from(["random", "bm25"]))
def test_distractors_are_what_they_must_be(world, wanted, seed, same_document, source):
    made, questions = world
    with TemporaryDirectory() as folder:
        found = collection(made, folder)
        owners, index = pools.document_splits(found, questions), indexed.write(Path(folder), found)
        for question in questions:
            pool = pools.pool(owners, question.split)
            rank = retrieval.random_ranker(pool, seed) if source == "random" else retrieval.bm25_ranker(index, pool)
            guards = DistractorFilter(found, same_document, answer_allowed=False)
            chosen = [found[place] for place in guards.distractors(question, rank(question), wanted)]
            gold = [found[found.find(name)] for name in question.gold]
            words = [fingerprint(passage.text) for passage in [*chosen]]
            assert len(set(words)) == len(words), "a second copy"
            assert not set(words) & {fingerprint(passage.text) for passage in gold}, "gold again"
            if not same_document:
                assert not {p.document_id for p in chosen} & {p.document_id for p in gold}
            if question.answers[0] not in CLOSED_CLASS:
                assert not any(question.answers[0].casefold() in p.text.casefold().split() for p in chosen)
            others = {g.split(":")[0] for q in questions if q.split != question.split for g in q.gold}
            assert not {p.document_id for p in chosen} & others, "a passage of another split's document"
            fewer = guards.distractors(question, rank(question), max(0, wanted - 1))
            assert [found[place] for place in fewer] == chosen[: len(fewer)], "D-1 is not inside D"


def chosen(ids, p, seed):
    draw = contexts.gold_rows(ids, p, seed)
    return {item for item in ids if item in draw}


@pytest.mark.slow
@given(st.sets(st.text(min_size=1), min_size=1, max_size=60), st.floats(0, 1), st.floats(0, 1), st.integers(0, 99))
@settings(max_examples=1000, deadline=None)
def test_p_is_exact_and_nested(ids, p, q, seed):
    low, high = sorted((p, q))
    few, many = chosen(ids, low, seed), chosen(ids, high, seed)
    assert len(few) == round(low * len(ids)) == len(contexts.gold_rows(ids, low, seed))
    assert len(many) == round(high * len(ids))
    assert few <= many <= ids


def test_p_is_the_share_with_gold_not_without():
    ids = [f"q{i}" for i in range(100)]
    assert len(chosen(ids, 0.7, 0)) == 70
    assert chosen(ids, 1.0, 0) == set(ids)
    assert chosen(ids, 0.0, 0) == set()


def test_rows_of_gold_do_not_depend_on_the_order_of_ids():
    ids = [f"q{i}" for i in range(50)]
    assert chosen(ids, 0.4, 3) == chosen(list(reversed(ids)), 0.4, 3)
    assert chosen(ids, 0.4, 3) != chosen(ids, 0.4, 4)


@pytest.mark.slow
@given(st.integers(2, 12), st.integers(0, 2**32), st.text(min_size=1, max_size=8))
@settings(max_examples=1000, deadline=None)
def test_order_is_a_permutation_of_its_own_item(size, seed, item):
    items = list(range(100, 100 + size))
    once = contexts.shuffled(items, seed, item)
    assert sorted(once) == items
    assert once == contexts.shuffled(items, seed, item)


def test_gold_is_equally_often_at_each_place():
    from scipy.stats import chisquare

    places = Counter(contexts.shuffled([0, 1, 2, 3, 4], 0, f"q{i}").index(0) for i in range(5000))
    assert chisquare([places[place] for place in range(5)]).pvalue > 0.01


@pytest.mark.parametrize("size", [10, 1024, 1025, 3000])
def test_random_ranking_gives_every_passage_once_and_each_equally_often(size):
    rank = retrieval.random_ranker(np.arange(size), seed=1)
    question = Question("q", "?", ["x"], [], "train")
    assert sorted(rank(question)) == list(range(size))
    first = Counter(next(rank(Question(f"q{i}", "?", ["x"], [], "train"))) * 10 // size for i in range(4000))
    from scipy.stats import chisquare

    assert chisquare([first[tenth] for tenth in range(10)]).pvalue > 0.001


def test_bm25_puts_the_passage_that_is_asked_for_first_and_keeps_ties_in_order(tmp_path):
    texts = ["the mill by the river", "a bird", "a bird", "glass of the town", "nothing here"]
    write_passages(tmp_path, [Passage(str(i), str(i), "", text, "", [text], "") for i, text in enumerate(texts)])
    found = Passages(tmp_path)
    rank = retrieval.bm25_ranker(indexed.write(tmp_path, found), np.arange(5))
    assert next(rank(Question("q", "where is the mill on the river?", ["x"], [], "train"))) == 0
    assert list(islice(rank(Question("q", "bird", ["x"], [], "train")), 5)) == [1, 2, 0, 3, 4]
    assert list(rank(Question("q", "zzz unknown", ["x"], [], "train"))) == [0, 1, 2, 3, 4]


def test_bm25_over_nothing_but_signs_keeps_the_pools_order(tmp_path):
    write_passages(
        tmp_path, [Passage(str(i), str(i), "", text, "", [text], "") for i, text in enumerate(["?!", "the"])]
    )
    rank = retrieval.bm25_ranker(indexed.write(tmp_path, Passages(tmp_path)), np.arange(2))
    assert list(rank(Question("q", "what? the - mill", ["x"], [], "train"))) == [0, 1]


def test_an_answer_is_found_whole_or_not_at_all():
    pattern = answer_pattern(["No. 5"])
    assert pattern
    assert pattern.search(normalise("Chanel (no. 5)!"))
    assert not pattern.search(normalise("know 51"))
    for text in ("\u201cNo. 5\u201d", "Chanel\u2013No. 5", "no. 5\u2019s"):
        assert pattern.search(normalise(text)), text
    cafe = answer_pattern(["caf\u00e9"])
    assert cafe
    assert cafe.search(normalise("the cafe\u0301"))
    assert answer_pattern(["no"]) is None, "yes, no and maybe are never passed over"
    assert answer_pattern(["..."]) is None, "an answer without words is found nowhere"


def test_an_answer_in_the_title_is_an_answer_that_is_shown():
    passage = Passage("a", "a", "Old Trafford", "A ground in Stretford.", "", ["A ground in Stretford."], "")
    title, over_its_end = answer_pattern(["Old Trafford"]), answer_pattern(["Trafford A"])
    assert title
    assert over_its_end
    assert holds(title, passage)
    assert not holds(over_its_end, passage)
