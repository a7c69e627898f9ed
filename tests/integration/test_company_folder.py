"""A study on a company's folder of 30 files of all kinds: gold passages hold the answers, each beside its subject."""

import json
import re

import pytest

from raft_exp.core.collection import Passages
from tests.helpers import company
from tests.helpers.command_line import raft_exp, run_folder
from tests.helpers.files import lines

SUBJECT = re.compile(r"\b[PV]-\d+\b")


def holds(text: str, subject: str, answer: str) -> bool:
    """Whether the answer stands in the text, and the last part or unit named before it is the one asked about."""
    for found in re.finditer(rf"(?<!\w){re.escape(answer)}(?!\w)", text):
        before = SUBJECT.findall(text[max(0, found.start() - 200) : found.start()])
        if before and before[-1] == subject:
            return True
    return False


@pytest.mark.slow
def test_gold_passages_hold_the_answers(tmp_path):
    asked = company.make(tmp_path / "folder")
    assert (len(company.FILES), len(asked)) == (30, 60)
    questions = lines(tmp_path / "questions.jsonl", *asked)
    done = raft_exp(
        tmp_path,
        "+experiment=documents",
        "corpus.path=folder",
        f"corpus.questions={questions}",
        "model=tiny",
        "model.max_length=4096",
        "trainer=cpu",
        "trainer.max_steps=1",
        "evaluation.arms=[rag,raft]",
        "evaluation.max_items=2",
        "evaluation.conditions=null",
    )
    assert done.returncode == 0, done.stderr
    run = run_folder(tmp_path)
    (report,) = (tmp_path / "store" / "ingest").glob("*/ingest_report.json")
    ingested = json.loads(report.read_text())
    assert ingested["not_read"] == []
    assert [row["file"] for row in ingested["documents"] if row["warnings"]] == []
    collection = Passages(report.parent)
    (file,) = (tmp_path / "store" / "questions").glob("*/questions.jsonl")
    wrong = []
    for line in file.read_text().splitlines():
        row = json.loads(line)
        gold = [collection[collection.find(name)].text for name in row["gold"]]
        if not any(holds(text, row["slices"]["subject"], row["answers"][0]) for text in gold):
            wrong.append((row["question"], row["answers"], gold))
    assert len(file.read_text().splitlines()) == 60
    assert len(wrong) <= 0.05 * 60, wrong
    assert json.loads((run / "audit.json").read_text())["gold"]["by_answer"] >= 57
