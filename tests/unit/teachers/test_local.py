"""Teachers that run here: the embedded reading model, asked in its own words, writes targets."""

import json
from pathlib import Path

import pytest

from raft_exp import engines
from tests.helpers.stages import run

ASKS = """{% for passage in passages %}
Passage {{ loop.index }}: {{ passage.title }} ({{ passage.place }})
{{ passage.text }}

{% endfor %}
Question: {{ question }}
Answer in the form: ##Answer: {answer}"""
TASK = (
    f"teacher.targets.prompt='{ASKS}'",
    "teacher.targets.max_new_tokens=64",
    "teacher.targets.gate.min_words=0",
    "teacher.targets.gate.min_quotes=0",
    "teacher.targets.system='You answer questions. Where passages are given, rely on them; some of them may not help.'",
)
SMALL = (
    "model@teacher.model=pocket",
    "trainer=cpu",
    "trainer.threads=1",
    "corpus.num_entities=30",
    "teacher.questions.max_new_tokens=64",
    "teacher.check.max_new_tokens=64",
)


def targets(store: Path, teacher: str, *more: str) -> Path:
    return run(store, f"teacher={teacher}", *SMALL, *TASK, *more, until="targets")["targets"]


def rows(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.slow
def test_a_model_in_this_process_writes_targets_once(tmp_path, monkeypatch):
    made = targets(tmp_path, "transformers", "teacher.window=40", "teacher.targets.gate.retries=1")
    found = rows(made / "targets.jsonl")
    audit = json.loads((made / "audit.json").read_text())
    assert audit["kept"] == len(found) > audit["asked"] / 4
    asked = {row["id"]: row["answers"] for row in rows(next((tmp_path / "questions").glob("*/questions.jsonl")))}
    assert all(target["answer"] in asked[target["id"]] for target in found)
    monkeypatch.setattr(engines, "load", lambda *_: pytest.fail("loaded, and all was in the ledger"))
    again = targets(tmp_path, "transformers", "teacher.targets.gate.max_words=399", "teacher.targets.gate.retries=1")
    assert again != made
    assert rows(again / "targets.jsonl") == found


@pytest.mark.slow
def test_prompts_that_a_model_has_no_room_for_are_put_aside(tmp_path):
    made = targets(tmp_path, "transformers", "teacher.model.max_length=200")
    aside = [row["reasons"][-1] for row in rows(made / "quarantine.jsonl")]
    long = [reason["told"] for reason in aside if reason["reason"] == "refused_by_server"]
    assert long
    assert "tokens, and model.max_length leaves room for 136" in long[0]


@pytest.mark.vllm
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_vllm_writes_targets(tmp_path, temperature):
    pytest.importorskip("vllm", reason="needs vLLM; its CPU build is enough: make test-vllm")
    how = ["teacher.engine.gpu_memory_utilization=0.1", "teacher.engine.enforce_eager=true"]
    made = targets(tmp_path, "vllm", *how, f"teacher.targets.temperature={temperature}", "teacher.targets.top_p=0.9")
    assert rows(made / "targets.jsonl")
