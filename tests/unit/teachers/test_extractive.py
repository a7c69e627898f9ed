"""Teacher `extractive`: what is quoted where the data set names more, less, or nothing."""

import json

import pytest

from raft_exp.core.records import Example, Passage, Question, Target, read_jsonl
from raft_exp.teachers import extractive
from raft_exp.teachers.extractive import ExtractiveConfig
from tests.helpers.files import lines
from tests.helpers.stages import run

SENTENCES = ["Velmor is a town.", " The old mill was closed by the council.", " Bread is baked there."]
GOLD = [Passage("t:0", "t", "", "".join(SENTENCES), "", SENTENCES, "")]


def reason(gold: list[Passage] = GOLD, **fields: object) -> str:
    question = Question("q", "Did the council close the mill?", ["yes"], ["t:0"], "train", **fields)  # type: ignore[arg-type]
    return extractive.write(ExtractiveConfig("extractive", 2, 0.5), question, gold).reason


@pytest.mark.parametrize(
    ("fields", "quoted"),
    [
        ({}, SENTENCES[1]),
        ({"evidence": [("t:0", 2)]}, SENTENCES[2]),
        ({"explanation": "Bread is baked."}, SENTENCES[2]),
        ({"evidence": [("elsewhere", 0)]}, SENTENCES[1]),
    ],
)
def test_evidence_goes_before_the_long_answer_and_that_before_question_and_answer(fields, quoted):
    assert reason(**fields) == f"##begin_quote## {quoted.strip()} ##end_quote##"


def test_words_of_the_answer_count_too():
    question = Question("q", "What do they make?", ["bread"], ["t:0"], "train")
    assert "Bread is baked" in extractive.write(ExtractiveConfig("extractive", 3, 0.0), question, GOLD).reason


def test_gold_without_a_sentence_stops_nothing():
    assert reason([Passage("t:0", "t", "", "", "", [], "")]) == ""


def test_ordinary_question_files_are_reasoned_about(tmp_path):
    passages = [{"id": f"d{number}", "text": f"Town {number} is old. It has a mill."} for number in range(60)]
    asked = [
        {"question": f"Has town {number} a mill?", "answers": ["yes"], "gold": [f"d{number}"]} for number in range(30)
    ]
    absent = [
        {"question": f"When was {number} built?", "answers": ["nobody knows"], "document_id": f"d{number}"}
        for number in range(30, 60)
    ]
    files = lines(tmp_path / "p.jsonl", *passages), lines(tmp_path / "q.jsonl", *asked, *absent)
    made = run(
        tmp_path,
        "+experiment=passages",
        "model=tiny",
        "trainer=cpu",
        "evaluation.arms=[raft]",
        f"corpus.path={files[0]}",
        f"corpus.questions={files[1]}",
    )
    targets = list(read_jsonl(made["targets"] / "targets.jsonl", Target))
    assert targets
    assert all("##begin_quote##" in target.reason for target in targets)
    counts = json.loads((made["targets"] / "counts.json").read_text())
    assert counts == {"targets": len(targets), "with_reason": len(targets)}
    assert json.loads((made["questions"] / "counts.json").read_text())["evidence_by_closeness"] == 60
    assert list(read_jsonl(made["dataset[raft]"] / "rows.jsonl", Example))
