"""A judge in this process: a small model judges poorly, and the values say how poorly."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from raft_exp import engines
from raft_exp.evaluation.judge.config import TransformersJudge, for_replies
from raft_exp.evaluation.judge.rows import read_judgements
from raft_exp.evaluation.judge.stage import JudgeStage, judge
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose
from tests.helpers.scripted_judge import FORM, JudgedStudy

TINY = (
    *("+experiment=quickstart", "judge@evaluation.judge=transformers", "model@evaluation.judge.model=tiny"),
    *("evaluation.judge.tasks.supported=null", "evaluation.judge.tasks.complete=null"),
    *("evaluation.judge.tasks.correct.max_new_tokens=8", "evaluation.judge.tasks.refusal.max_new_tokens=8"),
    "evaluation.judge.tasks.correct.asked_again=0",
)


def test_a_small_model_judges_in_this_process_and_is_loaded_once(tmp_path, monkeypatch):
    study, loaded = JudgedStudy(tmp_path, 3), []
    load = engines.load
    monkeypatch.setattr(engines, "load", lambda *arguments: loaded.append(arguments) or load(*arguments))
    chosen = parse(compose(*TINY)).evaluation.judge
    assert isinstance(chosen, TransformersJudge)
    settings = JudgeStage(replace(for_replies(chosen), ledger=str(tmp_path / "ledger")), {}, FORM, True, True)
    answers = study.answer("raft", [study.right(number) for number in range(3)])
    inputs = {"test": tmp_path / "test", "questions": tmp_path / "questions", "answers": answers}

    def values(name: str) -> list[float | None]:
        out = Path(tmp_path, name)
        out.mkdir()
        judge(settings, **inputs, out=out)
        return [row["value"] for row in read_judgements(out)]

    made = values("first")
    counts = json.loads((tmp_path / "first" / "counts.json").read_text())
    assert len(made) == counts["rows"] == 6
    assert made.count(None) == counts["missing"], "poor, and counted"
    assert len(loaded) == 1, "two tasks, and one model"
    monkeypatch.setattr(engines, "load", lambda *_: pytest.fail("loaded, and all was in the ledger"))
    assert values("again") == made
