"""The grading of arms: every stage that grades replies grades an arm in the same way."""

from pathlib import Path

import pytest

from raft_exp.core import collection
from raft_exp.core.records import Passage, Question, write_jsonl
from raft_exp.evaluation.metrics import profile
from raft_exp.evaluation.scoring import arm_gradings
from raft_exp.evaluation.select_stage import SelectStage
from raft_exp.evaluation.transfer_stage import TransferStage
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.selection import choice_settings
from tests.helpers.composing import compose

ARMS: dict[str, dict[str, object]] = {
    "base": {"context": "none", "cot": False},
    "rag": {"context": "passages", "cot": False},
    "raft": {"context": "passages", "cot": True},
}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Result folders of the stages ingest and questions, in one folder."""
    collection.write_passages(tmp_path, [Passage("town:1", "Velmor", "Velmor", "A town.", "", ["A town."], "made")])
    write_jsonl(tmp_path / "questions.jsonl", [Question("q", "?", ["town"], ["town:1"], "test")])
    return tmp_path


def test_every_stage_grades_an_arm_in_the_same_way(corpus):
    transfer = TransferStage("hotpotqa", [], "json", "No.", ARMS, {}, 0, None, min_quote_words=7)
    select = SelectStage("s", {}, False, "f1", "hotpotqa", "json", "No.", ARMS, 0, None, min_quote_words=7)
    own = profile("hotpotqa")
    of_transfer, of_select = (arm_gradings(settings, own, corpus, corpus) for settings in (transfer, select))
    for gradings in (of_transfer, of_select):
        assert {name: (grading.shown, grading.reasons) for name, grading in gradings.items()} == {
            "base": (False, False),
            "rag": (True, False),
            "raft": (True, True),
        }
        assert {(g.reply_format, g.refusal, g.min_quote_words, g.vectors) for g in gradings.values()} == {
            ("json", "No.", 7, None)
        }
        assert len({id(grading.supporting) for grading in gradings.values()}) == 1  # the corpus is read once
    assert [grading.metrics for grading in of_transfer.values()] == [g.metrics for g in of_select.values()]


def test_without_the_corpus_there_are_no_metrics_of_quotes(corpus):
    settings = TransferStage("hotpotqa", [], "paper", "", ARMS, {}, 0, None)
    with_corpus, without = (arm_gradings(settings, profile("hotpotqa"), f, f)["raft"] for f in (corpus, None))
    assert "supporting_f1" in with_corpus.metrics
    assert "supporting_f1" not in without.metrics


def test_a_choice_counts_quotes_as_the_report_does():
    config = parse(compose("evaluation.min_quote_words=9"))
    assert choice_settings(config, "prompt", {"a": 1}, ["raft"], grid=False).min_quote_words == 9
