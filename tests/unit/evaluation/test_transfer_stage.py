"""The stage `transfer` on written answers: scores, paired differences and their signs, predictions."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.errors import DataError
from raft_exp.core.records import Answer, read_jsonl, write_jsonl
from raft_exp.evaluation.results import TransferResult
from raft_exp.evaluation.transfer_stage import TransferStage, transfer
from tests.helpers.report_study import answered, example

ARMS: dict[str, dict[str, object]] = {
    "base": {"context": "none", "cot": False},
    "rag": {"context": "passages", "cot": False},
    "sft": {"context": "none", "cot": False},
    "raft": {"context": "passages", "cot": True},
}
AGAINST = {"sft": "base", "raft": "rag"}


def graded(root: Path, right: dict[str, list[bool]], corpus: str = "pubmedqa", **changes: Any) -> TransferResult:
    """The result for arms that answer these questions right (yes); a wrong answer is no."""
    count = len(next(iter(right.values())))
    for folder in ("test", "out", *right):
        (root / folder).mkdir(parents=True)
    rows = [example(number) for number in range(count)]
    write_jsonl(root / "test" / "rows.jsonl", rows)
    for arm, outcomes in right.items():
        replies = [answered(row, f"##Answer: {'yes' if ok else 'no'}") for row, ok in zip(rows, outcomes, strict=True)]
        write_jsonl(root / arm / "answers.jsonl", replies)
    settings: dict[str, Any] = {
        "arms": {name: ARMS[name] for name in right},
        "against": AGAINST,
        "metrics": [],
    } | changes
    config = TransferStage(corpus=corpus, reply_format="paper", refusal="Not there.", seed=0, encoder=None, **settings)
    transfer(config, test=root / "test", answers={arm: root / arm for arm in right}, out=root / "out")
    found: TransferResult = json.loads((root / "out" / "transfer.json").read_text())
    return found


def test_each_arm_with_weights_is_compared_with_the_untrained_arm_of_equal_contexts(tmp_path):
    right = {"base": [True] * 10 + [False] * 30, "rag": [True] * 40, "sft": [True] * 20 + [False] * 20}
    found = graded(tmp_path, {**right, "raft": [True] * 25 + [False] * 15})
    assert (found["corpus"], found["n"], found["metrics"][0]) == ("pubmedqa", 40, "accuracy")
    values = {name: arm["metrics"]["accuracy"]["value"] for name, arm in found["arms"].items()}
    assert found["arms"]["rag"]["metrics"]["parsed"]["value"] == 1
    assert values == {"base": 0.25, "rag": 1.0, "sft": 0.5, "raft": 0.625}
    rows = {(row["a"], row["b"]): row for row in found["comparisons"] if row["metric"] == "accuracy"}
    assert list(rows) == [("sft", "base"), ("raft", "rag")]
    raft = rows["raft", "rag"]
    assert raft["difference"] == -0.375, "below zero: the training cost something"
    assert raft["low"] < raft["difference"] < raft["high"] < 0
    assert raft["p_value"] < raft["p_value_holm"] < 0.01, "corrected over the two comparisons"
    assert rows["sft", "base"]["difference"] == 0.25


@pytest.mark.slow
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_the_difference_is_the_mean_over_the_same_questions(tmp_path_factory, outcomes):
    rag, raft = zip(*outcomes, strict=True)
    right = {"rag": list(rag), "raft": list(raft)}
    found = graded(tmp_path_factory.mktemp("graded"), right, "own", against={"raft": "rag"})
    (row,) = (row for row in found["comparisons"] if row["metric"] == "exact_match")
    assert row["difference"] == pytest.approx((sum(raft) - sum(rag)) / len(outcomes), abs=1e-6)
    assert row["low"] <= row["difference"] <= row["high"]


def test_every_reply_is_kept_with_its_scores(tmp_path):
    graded(tmp_path, {"rag": [True, False], "raft": [False, False]}, against={"raft": "rag"})
    rows = [json.loads(line) for line in (tmp_path / "out" / "predictions" / "rag.jsonl").read_text().splitlines()]
    assert [row["metrics"]["accuracy"] for row in rows] == [1.0, 0.0]
    assert [row["raw"] for row in rows] == ["##Answer: yes", "##Answer: no"]
    assert json.loads((tmp_path / "out" / "counts.json").read_text()) == {"questions": 2, "arms": 2}


def test_metrics_that_are_asked_for_are_measured_too(tmp_path):
    found = graded(tmp_path, {"rag": [True], "raft": [True]}, against={"raft": "rag"}, metrics=["rouge_l"])
    assert "rouge_l" in found["arms"]["raft"]["metrics"]


def test_a_corpus_without_test_questions_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"rows\.jsonl: has no test questions; name a corpus with a test split"):
        graded(tmp_path, {"rag": [], "raft": []}, against={"raft": "rag"})


def test_an_answer_to_another_question_is_an_error(tmp_path):
    graded(tmp_path, {"rag": [True], "raft": [True]}, against={"raft": "rag"})
    answers = tmp_path / "rag" / "answers.jsonl"
    write_jsonl(answers, [Answer("other", row.raw, False, 1, 1) for row in read_jsonl(answers, Answer)])
    config = TransferStage("pubmedqa", [], "paper", "Not there.", {"rag": ARMS["rag"]}, {}, 0, None)
    with pytest.raises(DataError, match="has an answer to 'other', which is no test question"):
        transfer(config, test=tmp_path / "test", answers={"rag": tmp_path / "rag"}, out=tmp_path / "out")
