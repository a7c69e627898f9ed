"""Contexts and ranges that cannot be made are refused before a teacher is asked."""

from pathlib import Path

import pytest

from raft_exp.core.errors import DataError
from raft_exp.dataset.pool_check import check_passages, check_questions
from raft_exp.dataset.rows import window_of
from raft_exp.pipeline.demands import demands
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose
from tests.helpers.stages import run

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
