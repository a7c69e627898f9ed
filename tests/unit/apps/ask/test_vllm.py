"""vLLM answers in the place of transformers, piece by piece too."""

import json
import subprocess
import sys

import pytest

from raft_exp.core.records import Answer, Example, read_jsonl
from raft_exp.pipeline.run import FinishedRun
from raft_exp.prompts import parse
from tests.helpers.command_line import environment


@pytest.mark.vllm
def test_a_question_answered_by_vllm(small_study):
    pytest.importorskip("vllm", reason="needs vLLM; its CPU build is enough: make test-vllm")
    rows = list(read_jsonl(small_study / "dataset" / "test@found.jsonl", Example))
    asked = subprocess.run(
        [sys.executable, "-m", "raft_exp.ask", str(small_study), "engine=vllm", "json=true"],
        input="\n".join(row.question for row in rows),
        env=environment(VLLM_CPU_KVCACHE_SPACE="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr[-2000:]
    said = [json.loads(line) for line in asked.stdout.splitlines() if line.startswith('{"question"')]
    stored = FinishedRun(small_study).path("evaluate[raft@found]") / "answers.jsonl"
    known = {one.id: parse(one.raw, "paper") for one in read_jsonl(stored, Answer)}
    assert [one["answer"] for one in said] == [known[row.id].prediction for row in rows]
    assert [[cited["text"] for cited in one["citations"]] for one in said] == [known[row.id].quotes for row in rows]
