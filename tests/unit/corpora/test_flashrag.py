"""FlashRAG's layout, which every corpus of files reads: golden_answers, retrieval_result, contents, metadata."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question
from raft_exp.corpora.passages import PassagesConfig
from raft_exp.corpora.questions import ReadyQuestions
from raft_exp.corpora.readers import collection, flashrag, passage_rows
from tests.helpers.files import lines
from tests.helpers.natural_questions import corpus as natural_questions
from tests.helpers.natural_questions import read as read_lines
from tests.helpers.triviaqa import corpus as triviaqa
from tests.unit.corpora.test_hotpotqa import corpus as hotpotqa
from tests.unit.corpora.test_hotpotqa import record
from tests.unit.corpora.test_pubmedqa import corpus as pubmedqa

PASSAGES = {
    "0": '"Velmor"\nVelmor is a town. It was built in 1802.',
    "1": '"Garford"\nGarford was built in 1803 and lies by the sea.',
    "2": "A line without a title, about a town that was built.",
    "3": '"Velmor"\nIn Velmor stands a mill of 1802.',
}
RETRIEVED = [{"id": name, "contents": text, "score": 1.0} for name, text in PASSAGES.items()]
ASKED = {"id": "test_7", "question": "When was Velmor built?", "golden_answers": ["the year 1802", "1802"]}


def wiki(folder: Path) -> Path:
    return lines(folder / "wiki.jsonl", *({"id": name, "contents": text} for name, text in PASSAGES.items()))


def test_contents_are_a_title_and_a_text(tmp_path: Path) -> None:
    passages = list(passage_rows.read(wiki(tmp_path)))
    assert [(p.id, p.title, p.document_id) for p in passages] == [
        ("0", "Velmor", "Velmor"),
        ("1", "Garford", "Garford"),
        ("2", "", "2"),
        ("3", "Velmor", "Velmor"),
    ]
    assert passages[0].text == "Velmor is a town. It was built in 1802."
    assert [p.text for p in collection.read(wiki(tmp_path))] == [p.text for p in passages]
    with pytest.raises(DataError, match="field 'text' is missing or empty"):
        list(passage_rows.read(lines(tmp_path / "empty.jsonl", {"id": "1", "contents": " "})))


@given(st.text(alphabet='a "\n', min_size=1).filter(str.strip))
def test_contents_keep_every_letter(contents: str) -> None:
    title, text = flashrag.title_and_text(contents)
    assert text
    assert "".join((title + text).replace('"', "").split()) == "".join(contents.replace('"', "").split())


def ready(folder: Path, *rows: object) -> tuple[list[Question], Counter[str]]:
    (folder / "collection").mkdir(exist_ok=True)
    write_passages(folder / "collection", passage_rows.read(wiki(folder)), any_language=True)
    config, counts = PassagesConfig("passages", None, None, None, 0.0, 0.0, split="question"), Counter[str]()
    made = ReadyQuestions(lines(folder / "q.jsonl", *rows), Passages(folder / "collection"), config, 0)
    return list(made.stream(counts)), counts


@pytest.mark.parametrize("place", ["in the row", "in output", "nowhere"])
def test_a_question_without_gold_finds_it_by_its_answer(tmp_path: Path, place: str, capsys) -> None:
    row = {
        "in the row": {**ASKED, "retrieval_result": RETRIEVED},
        "in output": {**ASKED, "output": {"retrieval_result": RETRIEVED, "pred": "1900"}},
        "nowhere": ASKED,
    }[place]
    (question,), counts = ready(tmp_path, row, {**ASKED, "id": "test_8", "golden_answers": ["1999"]})
    assert (question.id, question.answers, question.gold) == ("test_7", ["1802", "the year 1802"], ["0"])
    assert question.also_answering == ["3"]
    assert question.given == ([] if place == "nowhere" else ["1", "2"]), "a search of ours publishes no distractors"
    assert question.evidence == [("0", 1)]
    assert (counts["gold_by_search"], counts["without_gold"]) == (1, 1)
    assert "1 of 2 questions are left out: none of the passages that a search found" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["answers", "golden_answers", "Answer"])
def test_every_name_of_the_answers_is_searched_by_the_same_rules(tmp_path: Path, name: str, capsys) -> None:
    asked = {"id": "7", "question": ASKED["question"]}
    (question,), counts = ready(tmp_path, {**asked, name: ["1802"]}, {**asked, "id": "8", name: ["1999"]})
    assert (question.gold, question.also_answering) == (["0"], ["3"])
    assert counts["gold_guessed_by_search"] == (name != "golden_answers"), "in FlashRAG's layout it is the rule"
    said = "the gold of 1 of 2 questions is guessed, because" in capsys.readouterr().err
    assert said == (name != "golden_answers")
    (question,), _ = ready(tmp_path, {**asked, name: ["1802"], "retrieval_result": RETRIEVED[1:]})
    assert (question.gold, question.given) == (["3"], ["1", "2"])
    assert (counts["gold_by_search"], counts["without_gold"]) == (1, 1)


def test_a_question_of_this_layout_without_an_answer_is_left_out(tmp_path: Path) -> None:
    for passages in ({}, {"retrieval_result": RETRIEVED}):
        (question,), counts = ready(tmp_path, ASKED, {**ASKED, "id": "test_8", "golden_answers": [], **passages})
        assert (question.id, counts["without_gold"]) == ("test_7", 1)


def test_a_long_answer_is_guessed_among_the_retrieved_passages(tmp_path: Path) -> None:
    long = {**ASKED, "golden_answers": ["People built Velmor as a small town in the distant past."]}
    (question,), counts = ready(tmp_path, {**long, "retrieval_result": RETRIEVED[:3]})
    assert (question.gold, question.given) == (["0"], ["1", "2"])
    assert counts["gold_in_found_document"] == 1


def test_named_gold_comes_before_a_search(tmp_path: Path) -> None:
    (question,), _ = ready(tmp_path, {**ASKED, "gold": ["3"], "retrieval_result": RETRIEVED})
    assert question.gold == ["3"]
    with pytest.raises(DataError, match=r"retrieval_result 1: field 'id' names '99', but no passage has this id"):
        ready(tmp_path, {**ASKED, "retrieval_result": [{"id": "99", "contents": "x"}]})


@pytest.mark.parametrize("corpus", [natural_questions, triviaqa])
def test_corpora_with_contexts_read_retrieved_passages(tmp_path: Path, corpus) -> None:
    path = lines(tmp_path / "test.jsonl", {**ASKED, "retrieval_result": RETRIEVED})
    made = corpus(path, test_share=0.0)
    passages: dict[str, Passage] = {passage.id: passage for passage in made.passages()}
    (question,) = made.questions()
    assert [passages[name].title for name in question.gold] == ["Velmor"]
    assert [passages[name].text for name in question.published or []] == [
        flashrag.title_and_text(text)[1] for text in PASSAGES.values()
    ]
    assert len(question.also_answering) == 1


@pytest.mark.parametrize("corpus", [natural_questions, triviaqa])
def test_real_questions_without_passages(test_data: Path, corpus) -> None:
    path = test_data / "triviaqa" / "flashrag" / "test.jsonl.gz"
    rows, questions = read_lines(path), list(corpus(path).questions())
    assert [question.answers for question in questions] == [list(dict.fromkeys(r["golden_answers"])) for r in rows]


def test_hotpotqas_columns_stand_in_the_metadata(tmp_path: Path) -> None:
    own = record("a1")
    titles, sentences = zip(*own["context"], strict=True)
    facts, numbers = zip(*own["supporting_facts"], strict=True)
    metadata = {
        "type": "bridge",
        "level": "easy",
        "supporting_facts": {"title": facts, "sent_id": numbers},
        "context": {"title": titles, "content": sentences},
    }
    row = {"id": "a1", "question": own["question"], "golden_answers": ["Paris"], "metadata": metadata}
    (tmp_path / "own.json").write_text(json.dumps([own]))
    (read,) = hotpotqa(lines(tmp_path / "dev.jsonl", row)).questions()
    (same,) = hotpotqa(tmp_path / "own.json").questions()
    assert read == same


def test_pubmedqas_columns_stand_in_the_metadata(tmp_path: Path, test_data: Path) -> None:
    hub = read_lines(test_data / "pubmedqa" / "hf_pqa_labeled.derived20.jsonl")
    rows = [
        {
            "id": str(row["pubid"]),
            "question": row["question"],
            "golden_answers": [row["final_decision"]],
            "metadata": {"context": row["context"], "long_answer": row["long_answer"]},
        }
        for row in hub
    ]
    path = tmp_path / "flashrag.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    plain = pubmedqa(test_data / "pubmedqa" / "hf_pqa_labeled.derived20.jsonl")
    assert list(pubmedqa(path).questions()) == list(plain.questions())
