"""The rules of RAFT data sets on the real records of every published corpus."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from raft_exp.core.records import Example, Question, read_jsonl
from raft_exp.core.text import CLOSED_CLASS, normalise
from tests.helpers.stages import run

pytestmark = pytest.mark.slow

# One training record of NQ's own is all there is here: a file of published contexts, split by chance, brings many.
CORPORA = {
    "pubmedqa": "pubmedqa",
    "hotpotqa": "hotpotqa",
    "natural_questions": "natural_questions/lost-in-the-middle/nq-open-20_total_documents_gold_at_0.jsonl.gz",
    "triviaqa": "triviaqa",
}


@dataclass
class Made:
    name: str
    train: dict[str, Example]
    fewer: dict[str, Example]  # the same with one distractor less
    closed: list[str]  # ids of the closed-book rows
    test: list[Example]
    questions: dict[str, Question]
    audit: dict


BM25 = ("dataset.distractors=bm25", "dataset.mixed=null")
MIXED = ("dataset.distractors=mixed", "dataset.mixed={given: 0.5, bm25: 0.5}")
SOURCES = {**dict.fromkeys(CORPORA, BM25), "hotpotqa mixed": MIXED, "natural_questions mixed": MIXED}


PARAMS = [pytest.param(name, marks=pytest.mark.slow) if name == "triviaqa" else name for name in SOURCES]


@pytest.fixture(scope="module", params=PARAMS)
def made(request, test_data, tmp_path_factory) -> Made:
    name, store = request.param.partition(" ")[0], tmp_path_factory.mktemp("real")
    settings = (
        f"+experiment={name}",
        f"corpus.path={test_data / CORPORA[name]}",
        "model=tiny",
        "trainer=cpu",
        "model.max_length=4096",  # so that no training row is cut, and p is exact in what is shown
        "dataset.p=0.6",
        *SOURCES[request.param],
        "dataset.same_document=false",
        "evaluation.arms=[sft,raft]",
        "dataset.max_items=100",
        "evaluation.max_items=50",
    )
    labels = ("dataset[closed_book]", "dataset[raft]", "dataset[test]")
    folders = run(store, *settings, "dataset.num_distractors=3", only=labels)
    less = run(store, *settings, "dataset.num_distractors=2", only=["dataset[raft]"])
    return Made(
        name,
        by_id(folders["dataset[raft]"]),
        by_id(less["dataset[raft]"]),
        list(by_id(folders["dataset[closed_book]"])),
        list(read_jsonl(folders["dataset[test]"] / "rows.jsonl", Example)),
        {question.id: question for question in read_jsonl(folders["questions"] / "questions.jsonl", Question)},
        json.loads((folders["dataset[raft]"] / "audit.json").read_text()),
    )


def by_id(folder: Path) -> dict[str, Example]:
    rows = read_jsonl(folder / "rows.jsonl", Example)
    return {row.id: row for row in rows if row.split == "train"}


def gold(row: Example) -> set[str]:
    return {passage.id for passage in row.context if passage.gold}


def test_the_share_with_gold_is_exact_and_the_gold_is_whole_or_not_there(made):
    assert len(made.train) >= 40
    assert sum(row.has_gold for row in made.train.values()) == round(0.6 * len(made.train))
    for name, row in made.train.items():
        assert gold(row) == (set(made.questions[name].gold) if row.has_gold else set())
        assert not row.target_grounded or row.has_gold


def test_rows_without_gold_are_as_long_as_with_it(made):
    assert {len(row.context) - len(made.questions[name].gold) for name, row in made.train.items()} == {3}


def test_fewer_distractors_are_inside_more(made):
    for name, row in made.fewer.items():
        assert {passage.id for passage in row.context} < {passage.id for passage in made.train[name].context}
        assert row.has_gold == made.train[name].has_gold


def test_distractors_are_none_of_the_gold_its_document_or_a_copy_and_hold_no_open_answer(made):
    tested = {name for question in made.questions.values() if question.split == "test" for name in question.gold}
    for row in made.train.values():
        distractors = [passage for passage in row.context if not passage.gold]
        texts = [normalise(passage.text) for passage in row.context if passage.text]
        assert len(set(texts)) == len(texts)
        documents = {passage.document_id for passage in row.context if passage.gold}
        assert not {passage.document_id for passage in distractors} & documents
        assert not {passage.id for passage in distractors} & tested
        for answer in map(normalise, row.answers):
            if answer and answer not in CLOSED_CLASS:
                assert not any(f" {answer} " in f" {normalise(passage.text)} " for passage in distractors)


def test_the_audit_says_the_same(made):
    figures = made.audit["splits"]["train"]
    assert figures["share_with_gold"] == pytest.approx(sum(r.has_gold for r in made.train.values()) / len(made.train))
    assert figures["repeated_texts"] == figures["distractors_of_gold_document"] == 0
    assert made.audit["overlap"]["test"]["questions"] == 0


def test_both_recipes_ask_the_same_questions_in_the_same_order(made):
    assert made.closed == list(made.train)


def test_published_test_contexts_stay_as_published(made):
    if made.name in ("pubmedqa", "triviaqa"):
        pytest.skip("no contexts with distractors are published")
    for row in made.test:
        assert [passage.id for passage in row.context] == made.questions[row.id].published
    sizes = {len(row.context) for row in made.test}
    assert max(sizes) == {"hotpotqa": 10, "natural_questions": 20}[made.name]
