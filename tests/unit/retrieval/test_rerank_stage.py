"""Reranked contexts: a cross-encoder orders the retriever's first passages, once for all numbers of passages."""

import json
from itertools import islice

import numpy as np
import pytest

from raft_exp.core.collection import Passages
from raft_exp.core.errors import ConfigError
from raft_exp.core.records import Question, read_jsonl
from raft_exp.models import cross_encoder
from raft_exp.models.cross_encoder import RerankConfig
from raft_exp.pipeline.parsing import parse
from raft_exp.reporting.retrieval import table
from raft_exp.retrieval import bm25_ranker, rerank_stage
from raft_exp.retrieval.rerank import RANKINGS, Ranking, reranked
from raft_exp.retrieval.text import searched_text
from tests.helpers import cross_encoder as tiny
from tests.helpers.composing import compose
from tests.helpers.stages import stages_of
from tests.unit.dataset.test_stage import rows, run

pytest.importorskip("sentence_transformers", reason="reranking: pip install 'raft_exp[dense]'")
WORLD = ("corpus.num_entities=60", "evaluation.arms=[rag]", "evaluation.max_items=20", "evaluation.context=retrieved")
CONDITIONS = "+evaluation.conditions={two:{context:retrieved,k:2},paper:{context:gold_and_distractors}}"
FIRST = 12


@pytest.fixture(scope="module")
def reranker(tmp_path_factory):
    return RerankConfig(str(tiny.write(tmp_path_factory.mktemp("reranker"))), FIRST, accelerator="cpu")


@pytest.fixture(scope="module")
def rerank(reranker):
    folder = reranker.name_or_path
    return f"retriever.rerank={{name_or_path:{folder},k_first:{FIRST},accelerator:cpu}}"


@pytest.fixture(scope="module")
def study(rerank, tmp_path_factory):
    return run(tmp_path_factory.mktemp("study"), *WORLD, CONDITIONS, rerank)


def asked(study) -> dict[str, Question]:
    return {row.id: row for row in read_jsonl(study["questions"] / "questions.jsonl", Question)}


def first_passages(study, question: Question) -> list[int]:
    size = len(Passages(study["ingest"]))
    return list(islice(bm25_ranker(study["index"], np.arange(size))(question), FIRST))


def test_contexts_are_the_first_k_in_the_order_of_the_scores(study, reranker):
    score, collection, questions = cross_encoder.load(reranker), Passages(study["ingest"]), asked(study)
    tested = rows(study["dataset[test]"], "test")
    assert len(tested) == 20
    moved = 0
    for row in tested:
        first = first_passages(study, questions[row.id])
        scores = score(questions[row.id].question, [searched_text(collection[at]) for at in first])
        wanted = [first[place] for place in np.argsort(-scores, kind="stable")]
        assert [passage.id for passage in row.context] == [collection[at].id for at in wanted[:5]]
        moved += wanted[:5] != first[:5]
    assert moved > 10, "the cross-encoder changes the order"
    two = {row.id: row.context for row in rows(study["dataset[test@two]"], "test")}
    assert all(two[row.id] == row.context[:2] for row in tested)


def test_one_ranking_serves_every_number_of_passages(study):
    assert [label for label in study if label.startswith("rerank")] == ["rerank[test]"]
    assert len((study["rerank[test]"] / RANKINGS).read_text().splitlines()) == 20
    assert json.loads((study["rerank[test]"] / "counts.json").read_text()) == {"questions": 20}


def test_recall_before_and_after_is_in_the_audit_and_in_the_table(study):
    collection, questions = Passages(study["ingest"]), asked(study)
    shown, before = [], []
    for row in rows(study["dataset[test]"], "test"):
        question = questions[row.id]
        first = {collection[at].id for at in first_passages(study, question)[:5]}
        shown.append(len({passage.id for passage in row.context} & set(question.gold)) / len(question.gold))
        before.append(len(first & set(question.gold)) / len(question.gold))
    figures = json.loads((study["dataset[test]"] / "audit.json").read_text())["retrieval"]
    assert (figures["retriever"], figures["k"], figures["reranked"]) == ("bm25", 5, FIRST)
    assert figures["gold"]["recall"]["5"] == pytest.approx(np.mean(shown))
    assert figures["before_rerank"]["gold"]["recall"]["5"] == pytest.approx(np.mean(before))
    found = table({"test": figures})
    assert found["columns"] == [
        "as in the study (bm25, k=5)",
        f"as in the study (bm25, first {FIRST} reranked, k=5)",
    ]
    recall = next(row["cells"] for row in found["rows"] if row["name"] == "recall@5")
    assert recall == [f"{100 * np.mean(before):.1f}", f"{100 * np.mean(shown):.1f}"]


def test_a_killed_stage_continues_and_writes_the_same_bytes(study, rerank, tmp_path, monkeypatch):
    stage = stages_of(*WORLD, CONDITIONS, rerank)["rerank[test]"]
    whole = (study["rerank[test]"] / RANKINGS).read_bytes()
    lines = whole.splitlines(keepends=True)
    (tmp_path / RANKINGS).write_bytes(b"".join(lines[:7]) + lines[7][:20])
    scored, load = [], cross_encoder.load

    def counted(config):
        score = load(config)
        return lambda question, texts: scored.append(question) or score(question, texts)

    monkeypatch.setattr(rerank_stage, "load", counted)
    folders = {name: study[name] for name in ("questions",)} | {"passages": study["ingest"], "indexed": study["index"]}
    rerank_stage.rerank(stage.config, **folders, out=tmp_path)
    assert (tmp_path / RANKINGS).read_bytes() == whole
    assert len(scored) == 13


def test_equal_scores_keep_the_order_of_the_retriever(study):
    collection = Passages(study["ingest"])
    flat = lambda question, texts: np.zeros(len(texts), np.float32)  # noqa: E731
    assert reranked(flat, collection, "Where?", [5, 3, 9]) == [5, 3, 9]
    assert reranked(flat, collection, "Where?", []) == []


@pytest.mark.slow
def test_training_questions_are_those_of_the_data_set(rerank, tmp_path):
    """Questions without a target are left out; the sample is that of the training rows."""
    more = ("dataset.context=retrieved", "evaluation.arms=[raft]", "dataset.max_items=30", "corpus.validation=0.1")
    made = run(tmp_path, *WORLD[:1], *more, "evaluation.max_items=5", rerank)
    ranked = {row.id: row for row in read_jsonl(made["rerank[train+validation]"] / RANKINGS, Ranking)}
    trained = [*rows(made["dataset[raft]"]), *rows(made["dataset[raft]"], "validation")]
    assert set(ranked) == {row.id for row in trained}
    collection = Passages(made["ingest"])
    for row in trained:
        order = [collection[at].id for at in ranked[row.id].ranked]
        shown = [passage.id for passage in row.context]
        reranked_part = [name for name in order if name in shown]
        assert shown[: len(reranked_part)] == reranked_part
        assert len(shown) == 5 or row.split == "validation", "later passages follow those of other splits"


def test_the_stage_runs_only_where_a_context_is_retrieved(rerank):
    before, after = stages_of(), stages_of(rerank)
    assert {label: stage.key for label, stage in before.items()} == {label: s.key for label, s in after.items()}
    assert [label for label in stages_of(CONDITIONS, rerank) if label.startswith("rerank")] == ["rerank[test]"]


def test_the_retriever_decides_what_is_reranked(rerank):
    built = stages_of("evaluation.context=retrieved", "retriever=hybrid", rerank)
    assert set(built["rerank[test]"].inputs) == {"passages", "questions", "indexed", "embedded"}
    assert set(built["dataset[test]"].inputs) == {"passages", "questions", "reranked"}
    other = stages_of("evaluation.context=retrieved", rerank)
    assert other["rerank[test]"].key != built["rerank[test]"].key


REFUSED = [
    (
        "evaluation.k=13",
        r"evaluation\.k: got 13, but .*retriever\.rerank\.k_first=12 passages; set .*k_first=13 or more",
    ),
    ("retriever.k=20", r"retriever\.k: got 20, but the cross-encoder orders retriever\.rerank\.k_first=12"),
    ("+evaluation.conditions={a:{context:retrieved,k:40}}", r"evaluation\.conditions\.a\.k: got 40, but"),
    ("dataset.distractors=rerank", r"dataset\.distractors: got 'rerank'; must be .random., .bm25., .dense., .hybrid."),
    ("dataset.distractors=hybrid dataset.max_score=1.0", r"dataset\.max_score: got 1\.0, but .*=hybrid has no simil"),
]


@pytest.mark.parametrize(("overrides", "message"), REFUSED)
def test_what_cannot_be_is_refused(rerank, overrides, message):
    with pytest.raises(ConfigError, match=message) as error:
        parse(compose(rerank, *overrides.split()))
    assert "\n" not in str(error.value)


def test_a_shipped_reranker_is_one_word_away():
    config = parse(compose("reranker@retriever.rerank=minilm", "retriever=hybrid", "retriever.rerank.k_first=20"))
    rerank = config.retriever.rerank
    assert rerank
    assert (config.retriever.name, rerank.k_first, rerank.accelerator) == ("hybrid", 20, "cpu")
    assert rerank.revision
