"""Figures of a retriever, beside an independent computation."""

import csv
import gzip
import json
import string
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.records import Example, Passage, read_jsonl
from raft_exp.dataset.retrieval_quality import RetrievalQuality
from raft_exp.dataset.rows import RowSpec
from raft_exp.reporting.retrieval import table
from raft_exp.retrieval import RetrieverConfig
from tests.helpers.embeddings import question
from tests.helpers.stages import run

TEXTS = ["the mill", "a Paris mill", "of Paris!", "Parisian", "glass"]
SIZE = 15


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quality")
    texts = [TEXTS[number % len(TEXTS)] for number in range(SIZE)]
    write_passages(folder, [Passage(str(i), str(i), "", text, "", [text], "") for i, text in enumerate(texts)])
    return Passages(folder)


def measured(collection, jobs, k):
    quality = RetrievalQuality(collection, RetrieverConfig("bm25", k))
    assert list(quality.watch(jobs)) == jobs, "the jobs pass"
    return quality.figures()


ranked = st.tuples(st.permutations(range(SIZE)), st.sets(st.integers(0, SIZE - 1), min_size=1), st.integers(0, 2))


@pytest.mark.slow
@given(st.lists(ranked, min_size=1, max_size=5), st.integers(1, SIZE))
@settings(max_examples=200, deadline=None)
def test_figures_of_gold_are_those_of_their_definitions(collection, rankings, k):
    from sklearn.metrics import ndcg_score

    jobs = [
        RowSpec(replace(question(f"q{i}", gold=[str(each) for each in gold]), gold_missing=missing), order[:k], None)
        for i, (order, gold, missing) in enumerate(rankings)
    ]
    found = measured(collection, jobs, k)
    assert found["gold"]["questions"] == len(jobs)
    assert "answers" not in found
    assert list(found["gold"]["recall"]) == [str(place) for place in (1, 2, 3, 5, 10) if place < k] + [str(k)]
    for place, value in found["gold"]["recall"].items():
        shares = [len(gold & set(order[: int(place)])) / (len(gold) + missing) for order, gold, missing in rankings]
        assert value == pytest.approx(np.mean(shares))
    firsts = [min(order.index(each) for each in gold) + 1 for order, gold, _ in rankings]
    assert found["gold"]["mrr"] == pytest.approx(np.mean([1 / first if first <= k else 0 for first in firsts]))
    gains = []
    for order, gold, missing in rankings:  # gold that is not in the collection stands behind everything
        relevant = [[float(each in gold) for each in order] + [0.0] * SIZE + [1.0] * missing]
        gains.append(ndcg_score(relevant, [list(range(len(relevant[0]), 0, -1))], k=k))
    assert found["gold"]["ndcg"] == pytest.approx(np.mean(gains))


def test_without_gold_an_answer_counts_where_it_stands_word_for_word(collection):
    asked = replace(question("q", answer="Paris"), gold=[])
    jobs = [RowSpec(asked, [3, 0, 1, 4], None), RowSpec(asked, [2, 1, 0, 3], None), RowSpec(asked, [3, 4, 0, 8], None)]
    assert measured(collection, jobs, 4) == {
        "retriever": "bm25",
        "k": 4,
        "answers": {
            "questions": 3,
            "answer_found": {"1": 1 / 3, "2": 1 / 3, "3": 2 / 3, "4": 2 / 3},
            "answer_mrr": pytest.approx((1 / 3 + 1) / 3),
        },
    }
    assert measured(collection, [RowSpec(replace(asked, answers=["yes"]), [0], None)], 1) == {
        "retriever": "bm25",
        "k": 1,
    }


def test_the_table_has_a_row_a_figure_and_a_column_a_test_set(collection):
    jobs = [RowSpec(question("q", gold=["2"]), [0, 2], None), RowSpec(question("r", answer="glass"), [4, 0], None)]
    cut = [replace(job, context=(job.context or [])[:1]) for job in jobs]
    two, one = measured(collection, jobs, 2), measured(collection, cut, 1)
    found = table({"test": two, "short": one})
    assert found["columns"] == ["as in the study (bm25, k=2)", "short (bm25, k=1)"]
    assert [(row["name"], *row["cells"]) for row in found["rows"]] == [
        ("questions with gold passages", "1", "1"),
        ("recall@1", "0.0", "0.0"),
        ("recall@2", "100.0", "–"),
        ("MRR", "50.0", "0.0"),
        ("nDCG", "63.1", "0.0"),
        ("questions without gold passages (by answers)", "1", "1"),
        ("answer found@1", "100.0", "100.0"),
        ("answer found@2", "100.0", "–"),
        ("answer MRR", "100.0", "100.0"),
    ]
    assert table({})["rows"] == []


@pytest.mark.slow
def test_open_questions_are_judged_by_their_answers(test_data, tmp_path):
    """NQ-open over the passages of lost-in-the-middle, against a search for the answer's words one after another."""
    folder = test_data / "natural_questions"
    contexts = [row["ctxs"][0] for row in read(folder / "lost-in-the-middle" / "nq-open-oracle.jsonl.gz")]
    with (tmp_path / "wiki.tsv").open("w", encoding="utf-8", newline="") as file:
        unique = {(context["text"], context["title"]): None for context in contexts}
        lines = [["id", "text", "title"], *([place, *each] for place, each in enumerate(unique))]
        csv.writer(file, delimiter="\t").writerows(lines)
    made = run(
        tmp_path,
        "+experiment=natural_questions",
        f"corpus.path={folder}",
        "corpus.test=nq_open",
        "model=tiny",
        f"corpus.collection={tmp_path / 'wiki.tsv'}",
        "trainer=cpu",
        "evaluation.context=retrieved",
        "evaluation.k=5",
        "evaluation.arms=[rag]",
        "evaluation.max_items=100",
    )
    found = json.loads((made["dataset[test]"] / "audit.json").read_text())["retrieval"]
    assert set(found) == {"retriever", "k", "answers"}
    collection, firsts = Passages(made["ingest"]), []
    for row in read_jsonl(made["dataset[test]"] / "rows.jsonl", Example):
        texts = [said(collection[collection.find(passage.id)].text) for passage in row.context]
        holds = [any(said(answer) in text for answer in row.answers) for text in texts]
        firsts.append(holds.index(True) + 1 if any(holds) else 99)
    assert found["answers"]["questions"] == 100
    assert found["answers"]["answer_found"] == {
        place: np.mean([first <= int(place) for first in firsts]) for place in ("1", "2", "3", "5")
    }
    assert 0.4 < found["answers"]["answer_found"]["5"] < 1


def read(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def said(text):
    words = "".join(" " if sign in string.punctuation else sign for sign in text.casefold()).split()
    return f" {' '.join(words)} "
