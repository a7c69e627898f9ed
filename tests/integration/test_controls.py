"""A whole study with the controls: gold alone, closed-book reasoning, retrieved training contexts, a range of D."""

import json
from pathlib import Path

import pytest

from raft_exp.apps.ask.session import AskOptions, RagSession
from raft_exp.apps.report.rescore import make_again
from raft_exp.core.errors import ConfigError
from raft_exp.pipeline.run import FinishedRun
from raft_exp.reporting.runs import open_runs
from tests.helpers import small_study
from tests.helpers.html_page import Page

pytestmark = pytest.mark.slow

ARMS = "evaluation.arms=[rag,oracle,sft,sft_cot,raft,raft_retrieved,raft_oracle]"
RAFT_ORACLE = "+arms.raft_oracle={recipe: raft, context: gold, cot: true, adapter: null, dataset: {}}"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    light = ("model=tiny", "model.max_new_tokens=8", "evaluation.max_items=3", "evaluation.context=retrieved")
    more = (ARMS, RAFT_ORACLE, "dataset.num_distractors={min:0,max:3}", "evaluation.conditions={k1: {k: 1}}")
    return small_study.make(tmp_path_factory.mktemp("controls"), *light, *more)


def contexts(run: Path, label: str) -> list[list[dict[str, object]]]:
    lines = (run / "predictions" / f"{label}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["context"] for line in lines]


def test_gold_arms_saw_the_gold_alone_and_only_in_the_test(run):
    for arm in ("oracle", "raft_oracle"):
        assert all(context and all(passage["gold"] for passage in context) for context in contexts(run, arm))
        assert not (run / "predictions" / f"{arm}@k1.jsonl").exists()
    assert all(len(context) == 5 for context in contexts(run, "rag"))
    assert not any(contexts(run, "sft_cot"))
    results = json.loads((run / "results.json").read_text())
    assert list(results["conditions"]["k1"]) == ["rag", "raft", "raft_retrieved"]
    assert len({arm["n"] for arm in results["arms"].values()}) == 1
    assert (run / "dataset" / "test_gold.jsonl").exists()


def test_the_report_says_what_each_pair_isolates(run):
    text = (run / "report.md").read_text(encoding="utf-8")
    for line in (
        "raft minus raft_retrieved: isolates the training rows (context)",
        "sft_cot minus sft: mixes the reasoning (in targets and prompt) and the training settings (learning_rate)",
        "oracle minus rag: isolates the passages in the prompt (gold alone, or those of the test)",
        "raft minus raft_oracle: isolates the passages in the prompt (gold alone, or those of the test)",
    ):
        assert f"- {line}" in text
    page = Page((run / "report.html").read_text(encoding="utf-8")).text
    assert "0 to 3" in page.partition("dataset.num_distractors")[2][:80]
    assert "contain all gold passages of their question" in page


def test_the_report_is_the_same_when_it_is_made_again(run, tmp_path):
    ((finished,), _) = open_runs([run])
    assert make_again(finished, tmp_path) == []
    before, after = ({**json.loads((at / "results.json").read_text()), "overrides": []} for at in (run, tmp_path))
    assert before == after


def test_a_gold_arm_answers_no_new_questions(run):
    with pytest.raises(
        ConfigError, match=r"arm: got 'oracle', whose prompts show the gold.*name another arm: rag, sft"
    ):
        RagSession(FinishedRun(run), AskOptions(arm="oracle", accelerator="cpu"))
