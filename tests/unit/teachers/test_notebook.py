"""`+experiment=pubmedqa_notebook` on real records: the notebook's prompt, its answers, its files."""

import json

import pytest

from tests.helpers.scripted_server import Say, ScriptedServer
from tests.helpers.scripted_teacher import teacher
from tests.helpers.stages import run

FIVE = "The trial enrolled many patients over two years. " * 5


@pytest.mark.slow
def test_five_sentences_from_the_whole_oracle_become_raft_base_files(tmp_path, test_data, monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", "sk-planted")
    local = [f"corpus.path={test_data / 'pubmedqa'}", "corpus.train=pqa_labeled", "corpus.max_items=30", "model=tiny"]
    with ScriptedServer(lambda prompt, _: Say("I don't know." if "statins" in prompt else FIVE)) as server:
        made = run(tmp_path, "+experiment=pubmedqa_notebook", "trainer=cpu", *local, *teacher(server), until="export")
    asked = server.asked[0]
    assert (asked["temperature"], asked["top_p"], asked["max_tokens"]) == (0.9, 0.9, 512)
    system, user = (message["content"] for message in asked["messages"])
    assert system.startswith(
        "You are an assistant for question-answering tasks. Answer the following question in 5 sent"
    )
    assert user.startswith("Context: ")
    refused = sum("statins" in body["messages"][1]["content"] for body in server.asked)
    assert refused >= 3, "asked three times"
    rows = [json.loads(line) for line in (made["export"] / "exports" / "raft.raft_base.jsonl").read_text().splitlines()]
    assert len(rows) == 30 - refused // 3
    assert sum(not row["distracted"] for row in rows) == round(0.7 * len(rows))
    shown = {
        message["content"].partition("Question: ")[2]: message["content"]
        for body in server.asked
        for message in body["messages"][1:]
    }
    for row in rows:
        assert row["oracle"] in shown[row["question"]]
        assert row["synthetic_answer"].startswith(f"##Reason: {FIVE.strip()} ##Answer: ")
        assert row["synthetic_answer"].rsplit(": ", 1)[1] in ("yes", "no", "maybe")
