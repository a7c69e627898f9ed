"""Which examples a report holds, and that no text of a document can become more than text."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from raft_exp.core.records import ContextPassage, Example, write_jsonl
from raft_exp.reporting.examples import LIMIT, choose, examples
from raft_exp.reporting.render import embedded

HOSTILE = "</script><script>alert(1)</script><!-- <script> \u2028\u2029 & \"' \ud83d ]]>"


def row(name: str, text: str = "The drug helped.", *more: str) -> Example:
    context = [ContextPassage(f"{name}#{i}", "d", "Title", one, i == 0) for i, one in enumerate((text, *more))]
    return Example(name, f"About {name}?", ["yes"], context, True, "", True, [], "test", {"kind": "one"})


def reply(name: str, right: bool, raw: str = "", quotes: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "id": name,
        "question": "",
        "answers": ["yes"],
        "context": [{"id": f"{name}#0", "gold": True}],
        "raw": raw or "##Answer: yes",
        "prediction": "yes",
        "parsed": True,
        "truncated": False,
        "quotes": quotes or [],
        "metrics": {"exact_match": float(right), "f1": 0.5},
    }


def shown(folder: Path, rows: list[Example], **arms: list[dict[str, Any]]) -> Any:
    (folder / "predictions").mkdir()
    write_jsonl(folder / "rows.jsonl", rows)
    for arm, replies in arms.items():
        write_jsonl(folder / "predictions" / f"{arm}.jsonl", replies)
    return examples(folder / "rows.jsonl", folder / "predictions", list(arms), ["macro_f1", "exact_match"], "raft")


def test_rare_disagreements_are_among_the_chosen() -> None:
    """Of 10,000 questions all arms are right on all but five: those five are there."""
    right = {f"q{i}": (i != 77, i not in (5, 600, 7000, 9999)) for i in range(10_000)}
    chosen = choose(right, 50)
    assert len(chosen) == 50
    assert {"q77", "q5", "q600", "q7000", "q9999"} <= set(chosen)
    assert chosen[:5] == ["q5", "q77", "q600", "q7000", "q9999"], "disagreements stand first"
    assert chosen[5:] == sorted(chosen[5:], key=lambda name: int(name[1:])), "in test order"
    assert set(choose(dict(reversed(right.items())), 50)) == set(chosen), "whatever the order of the file"
    assert set(choose(right, 20_000)) == set(right)


def test_patterns_are_taken_in_turn() -> None:
    right = {f"q{i}": (i % 2 == 0, i % 4 < 2) for i in range(1000)}
    assert set(Counter(right[name] for name in choose(right, 40)).values()) == {10}


def test_rare_disagreements_of_judge_and_metric_are_among_the_chosen() -> None:
    right = {f"q{i}": (True, i % 2 == 0) for i in range(10_000)}
    disputes = {f"q{i}": (i == 4321, i in (8, 9)) for i in range(10_000)}
    chosen = choose(right, 50, disputes)
    assert len(chosen) == 50
    assert {"q4321", "q8", "q9"} <= set(chosen)


def judged(row: dict[str, Any], value: float | None, **more: Any) -> dict[str, Any]:
    """Adds a judgement in the task `correct`, and further keys, to a row of predictions."""
    said = {"value": value, "words": "Because." if value is not None else ""}
    return {**row, "judge": {"correct": said if value is not None else {**said, "missing": "not_json"}}, **more}


def test_the_judges_words_and_its_agreement_with_the_metric(tmp_path: Path) -> None:
    verdicts = [(True, 1.0), (True, 0.0), (False, 1.0), (False, 0.0), (False, 1.0), (True, None)]
    raft = [judged(reply(f"q{i}", right), value) for i, (right, value) in enumerate(verdicts)]
    rag = [reply(f"q{i}", True) for i in range(6)]
    found = shown(tmp_path, [row(f"q{i}") for i in range(6)], rag=rag, raft=raft)
    assert found["judge"] == [{"arm": "raft", "both": 1, "judge": 2, "metric": 1, "neither": 1, "missing": 1}]
    replies = {item["id"]: item["replies"][1] for item in found["items"]}
    assert [replies[f"q{i}"]["judged"] for i in range(6)] == [True, False, True, False, True, None]
    assert replies["q0"]["judge"] == [{"task": "correct", "value": 1.0, "words": "Because."}]
    assert replies["q5"]["judge"] == [{"task": "correct", "value": None, "words": "not json"}]
    without = found["items"][0]["replies"][0]
    assert (without["judged"], without["judge"], without["claims"]) == (
        None,
        [],
        {"number": 0, "supported": 0, "shown": []},
    )


def test_claims_name_the_passages_by_their_numbers(tmp_path: Path) -> None:
    claim = {"claim": "It helped.", "answer": False, "supported": True}
    claims = [{**claim, "passages": ["q#0", "q#1"], "supporting": ["q#1"]}]
    rows = [row("q", "The drug helped.", "Mice do not talk.")]
    found = shown(tmp_path, rows, rag=[reply("q", True)], raft=[{**reply("q", True), "claims": claims}])
    claims = found["items"][0]["replies"][1]["claims"]
    assert (claims["number"], claims["supported"]) == (1, 1)
    assert claims["shown"] == [{"text": "It helped.", "supported": True, "cited": [1, 2], "supporting": [2]}]
    assert found["judge"] == []


@pytest.mark.slow
def test_the_file_stays_small(tmp_path: Path) -> None:
    names = [f"q{i}" for i in range(LIMIT + 20)]
    rows = [row(name, *["long " * 500] * 20) for name in names]
    claim = {"claim": "much " * 1000, "answer": False, "passages": [], "supporting": [], "supported": False}
    replies = [judged(reply(name, True, raw="much " * 1000), 1.0, claims=[claim] * 50) for name in names]
    for one in replies:
        one["judge"] |= {task: {"value": 0.5, "words": "much " * 1000} for task in ("supported", "complete")}
    found = shown(tmp_path, rows, raft=replies, rag=replies)
    assert len(found["items"]) == LIMIT
    assert found["total"] == LIMIT + 20
    assert len(embedded(found)) < 4_000_000
    assert all(passage["cut"] for item in found["items"] for passage in item["context"])
    assert found["items"][0]["replies"][0]["cut"]


def test_gold_and_quotes_are_marked_and_stay_in_what_is_shortened(tmp_path: Path) -> None:
    quote = {"text": "It helped all patients.", "verbatim": True, "gold": True}
    wrong = {"text": "Nobody came.", "verbatim": False, "gold": False}
    raw = "##Reason: ##begin_quote## It helped all patients. ##end_quote## ##begin_quote## Nobody came. ##end_quote##"
    text = "filler " * 4000 + "It helped\n all patients. " + "filler " * 4000
    rows = [row("q", text, "Mice do not talk.")]
    item = shown(tmp_path, rows, rag=[reply("q", False)], raft=[reply("q", True, raw, [quote, wrong])])["items"][0]
    gold, distractor = item["context"]
    assert (gold["gold"], distractor["gold"]) == (True, False)
    assert ("It helped\n all patients.", "quoted") in gold["parts"]
    assert gold["cut"]
    assert sum(len(part) for part, _ in gold["parts"]) < 2000
    assert distractor["parts"] == [("Mice do not talk.", "")]
    kinds = {part.strip(): kind for part, kind in item["replies"][1]["raw"]}
    assert (kinds["It helped all patients."], kinds["Nobody came."]) == ("gold", "invented")
    assert "".join(part for part, _ in item["replies"][1]["raw"]) == raw, "nothing of a reply is lost"


def test_agreement_is_counted_over_all_questions(tmp_path: Path) -> None:
    pairs = [(True, True)] * 4 + [(True, False)] * 3 + [(False, True)] * 2 + [(False, False)]
    rag = [reply(f"q{i}", theirs) for i, (_, theirs) in enumerate(pairs)]
    raft = [reply(f"q{i}", mine) for i, (mine, _) in enumerate(pairs)]
    found = shown(tmp_path, [row(f"q{i}") for i in range(10)], rag=rag, raft=raft)
    assert found["agreement"] == [{"arm": "rag", "both": 4, "mine": 3, "theirs": 2, "neither": 1}]
    assert found["metric"] == "exact match", "macro F1 says nothing of a single question"


def test_embedded_json_cannot_leave_its_element() -> None:
    text = str(embedded({HOSTILE: [HOSTILE]}))
    assert not set("<>&\u2028\u2029") & set(text)
    assert text.isascii()
    assert json.loads(text) == {HOSTILE: [HOSTILE]}
