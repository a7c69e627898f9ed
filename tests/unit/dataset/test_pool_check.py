"""Contexts and ranges that cannot be made are refused before a teacher is asked."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.errors import DataError
from raft_exp.dataset.pool_check import check_passages, check_questions
from raft_exp.dataset.rows import window_of
from raft_exp.pipeline.demands import demands
from raft_exp.pipeline.parsing import parse
from raft_exp.retrieval.filters import DistractorFilter
from tests.helpers.composing import compose
from tests.helpers.stages import run
from tests.helpers.worlds import MANY, study, worlds

SMALL = ("model=pocket", "corpus.num_entities=40", "evaluation.arms=[rag,raft]", "evaluation.num_distractors=1")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    return run(tmp_path_factory.mktemp("pools"), *SMALL, until="questions")


def wanted(*overrides: str):
    config = parse(compose(*SMALL, *overrides))
    return config.corpus, list(demands(config, window_of(config.model)))


def test_questions_without_published_contexts_cannot_be_given_them(made):
    folders = {"passages": made["ingest"], "questions": made["questions"]}
    _, retrieved = wanted("dataset.context=retrieved")
    check_questions(retrieved, None, **folders)
    _, given = wanted("dataset.context=given")
    with pytest.raises(DataError, match=r"published without a context; use dataset\.context=gold_and_distractors or "):
        check_questions(given, None, **folders)


def test_a_range_is_checked_by_its_largest_number_where_the_questions_are_not_written_yet(made):
    def write(corpus, passages, out):  # one question without text, as a teacher would get for each passage
        lines = (made["questions"] / "questions.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        (out / "questions.jsonl").write_text("".join(lines), encoding="utf-8")

    corpus, few = wanted("dataset.num_distractors={min:0,max:2}")
    check_passages(few, corpus, write, 1, passages=made["ingest"])
    corpus, many = wanted("dataset.num_distractors={min:0,max:500}")
    with pytest.raises(DataError, match=r"of 50\d distractors are left \(dataset\.num_distractors=\{min:0,max:500\}"):
        check_passages(many, corpus, write, 1, passages=made["ingest"])


@pytest.mark.slow
def test_the_number_of_distractors_is_checked_without_a_search(made):
    folders = {"passages": made["ingest"], "questions": made["questions"]}  # and no index
    _, enough = wanted("dataset.distractors=bm25", "evaluation.distractors=hybrid")
    check_questions(enough, None, **folders)
    messages = []
    for distractors in ("bm25", "hybrid", "random"):
        _, many = wanted(f"dataset.distractors={distractors}", "dataset.num_distractors=500")
        with pytest.raises(DataError, match=r"of 50\d distractors are left") as error:
            check_questions(many, None, **folders)
        messages.append(str(error.value))
    assert len(set(messages)) == 1
    _, limited = wanted("dataset.distractors=bm25", "dataset.max_score=3")
    with pytest.raises(AssertionError, match="index"):
        check_questions(limited, None, **folders)


@pytest.mark.slow
@MANY
@given(worlds(), st.randoms(use_true_random=False), st.booleans(), st.booleans(), st.integers(1, 6))
def test_the_number_of_distractors_does_not_depend_on_their_order(world, random, same_document, answer_allowed, wanted):
    with study(world) as made:
        rules = DistractorFilter(made.passages, same_document, answer_allowed)
        for question in made.source.all_questions():
            orders = [random.sample(range(len(made.passages)), len(made.passages)) for _ in range(3)]
            assert len({len(rules.distractors(question, iter(order), wanted)) for order in orders}) == 1
