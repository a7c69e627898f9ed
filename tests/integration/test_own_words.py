"""Answers in people's own words: a few passages are gold, and the study says so on screen and in the audit."""

import json
from pathlib import Path

import pytest

from tests.helpers.command_line import raft_exp, run_folder
from tests.helpers.files import lines

PARTS = ("pump", "valve", "filter", "gauge", "tank", "hose", "relay", "meter", "seal", "boiler")


def documents(folder: Path, paragraphs: int) -> list[dict[str, object]]:
    """Manuals of which every paragraph is about other units; questions whose answers stand nowhere."""
    folder.mkdir()
    rows: list[dict[str, object]] = []
    for number in range(8):
        text = "\n\n".join(
            f"In unit {number}-{place} the {PARTS[place % 10]} is checked every {place + 2} days by crew {place}. "
            + f"Its {PARTS[(place + 3) % 10]} stands at post {place}. " * 12
            for place in range(paragraphs)
        )
        (folder / f"manual{number}.txt").write_text(text)
        rows += [
            {
                "question": f"How often does manual {number} want {PARTS[part]} {number}-{part} looked after?",
                "answers": [f"about once every {part + 2} weeks, as a rule"],
                "document_id": f"manual{number}.txt",
            }
            for part in range(3)
        ]
    return rows


@pytest.mark.slow
def test_a_few_passages_of_a_long_document_are_gold(tmp_path):
    questions = lines(tmp_path / "questions.jsonl", *documents(tmp_path / "docs", 80))
    done = raft_exp(
        tmp_path,
        "+experiment=documents",
        "corpus.path=docs",
        f"corpus.questions={questions}",
        "model=tiny",
        "trainer=cpu",
        "model.max_length=4096",
        "evaluation.arms=[rag,raft]",
        "evaluation.conditions=null",
        "until=dataset",
        "dataset.allow_overlap=true",
    )
    assert done.returncode == 0, done.stderr
    assert "The answers of 24 of 24 questions (100.0%) stand in no passage of their document" in done.stderr
    run = run_folder(tmp_path)
    audit = json.loads((run / "audit.json").read_text())
    assert audit["gold"] == {
        "questions": 24,
        "by_answer": 0,
        "closest": 24,
        "share_closest": 1.0,
        "several": 0,
        "share_several": 0.0,
        "beyond_closest": 0,
        "of_many": 0,
        "also_answering": 0,
    }
    train = audit["datasets"]["raft"]["splits"]["train"]
    assert train["quotes_closest"] == train["quotes_closest_verbatim"] > 0
    assert "quotes_grounded" not in train or train["quotes_grounded"] == 0
    rows = [json.loads(line) for line in (run / "dataset" / "test.jsonl").read_text().splitlines()]
    assert all(1 <= sum(passage["gold"] for passage in row["context"]) <= 2 for row in rows)
    assert all(any(not passage["gold"] and passage["text"] for passage in row["context"]) for row in rows)
    assert {row["slices"]["gold"] for row in rows} == {"closest to question and answer"}


@pytest.mark.slow
def test_evidence_in_several_passages_is_counted_on_screen_and_in_the_audit(tmp_path):
    rows = documents(tmp_path / "docs", 40)
    for number in range(8):
        rows[3 * number]["answers"] = [
            f"The crew looks at pump {number}-0 every 2nd day. The boiler {number}-19 gets checked each 21 days."
        ]
        rows[3 * number + 1]["answers"] = [f"post {number + 1}"]
    questions = lines(tmp_path / "questions.jsonl", *rows)
    done = raft_exp(
        tmp_path,
        *("+experiment=documents", "corpus.path=docs", f"corpus.questions={questions}", "model=tiny", "trainer=cpu"),
        *("model.max_length=4096", "evaluation.arms=[rag,raft]", "evaluation.conditions=null", "until=dataset"),
        "dataset.allow_overlap=true",
    )
    assert done.returncode == 0, done.stderr
    assert "The evidence of 8 of 24 questions (33.3%) is in several passages" in done.stderr
    gold = json.loads((run_folder(tmp_path) / "audit.json").read_text())["gold"]
    assert (gold["several"], gold["share_several"]) == (8, 0.333333)
    assert (
        f"The answers of {gold['of_many']} of 24 questions stand in several passages of their document" in done.stderr
    )
    built = [json.loads(line) for line in (run_folder(tmp_path) / "dataset" / "raft.jsonl").read_text().splitlines()]
    several = [row for row in built if row["slices"]["evidence"] == "in several passages" and row["has_gold"]]
    assert several
    assert all(row["target"].count("##begin_quote##") == 2 for row in several)
