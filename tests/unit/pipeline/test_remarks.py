"""What a run, a dry run and a plan say of answers that exact match does not suit, before anything is trained."""

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.helpers.command_line import raft_exp, run_module
from tests.helpers.scripted_teacher import corpus

LINE = (
    "warning: The answers of the test questions have 12 words in the median. exact_match does not suit such answers: "
    "it counts a reply with one other word as wrong. Set evaluation.primary.metric=rouge_l or "
    "evaluation.primary.metric=f1, or use a judge (evaluation.judge=openai)."
)


def answered_in(words: int, folder: Path) -> list[str]:
    """Returns the settings of a corpus whose test questions have answers of so many words."""
    settings = corpus(folder)
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    for row in rows:
        if row["split"] == "test":
            row["answers"] = [" ".join([row["answers"][0], *["word"] * (words - 1)])]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [*settings, "model=tiny", "trainer=cpu"]


def said(done: CompletedProcess[str]) -> str:
    return " ".join(f"{done.stdout} {done.stderr}".split())


@pytest.mark.slow
@pytest.mark.parametrize(("words", "metric", "warned"), [(12, "", True), (10, "", False), (12, "rouge_l", False)])
def test_long_answers_are_told_before_training(tmp_path, words, metric, warned):
    study = answered_in(words, tmp_path) + ([f"evaluation.primary.metric={metric}"] if metric else [])
    made = said(raft_exp(tmp_path, *study, "until=questions"))
    dry = said(raft_exp(tmp_path, *study, "dry_run=true"))
    plan = said(run_module("raft_exp.plan", tmp_path, *study))
    assert [LINE in text for text in (made, dry, plan)] == [warned] * 3
    assert "reused questions" in dry
