"""Every real file of TriviaQA is read, with the numbers of its source."""

from pathlib import Path

import pytest

from raft_exp.core.errors import DataError
from raft_exp.core.text import plain_words
from tests.helpers.natural_questions import by_id, read, split
from tests.helpers.triviaqa import corpus


@pytest.fixture
def real(test_data: Path) -> Path:
    return test_data / "triviaqa"


@pytest.mark.slow
def test_golden_passages_are_gold(real: Path) -> None:
    path = real / "dpr_golden" / "trivia_test_golden.jsonl.gz"
    trivia, rows = corpus(path), read(path)
    passages, questions = by_id(trivia), list(trivia.questions())
    assert len(questions) == len(rows) == trivia.counts["test_records"] == 792
    by_question = {question.question: question for question in questions}
    for row in rows:
        question = by_question[row["question"]]
        assert {*question.answers} == {*row["answers"]}
        assert [passages[name].text for name in question.gold] == [row["ctx"]["text"]]
        assert question.published is None
    assert {question.split for question in questions} == {"train", "test"}
    assert len(split(trivia, "test")) == round(0.2 * 792)


def test_the_first_answer_is_one_that_the_gold_passage_has(real: Path) -> None:
    trivia = corpus(real / "dpr_golden" / "trivia_test_golden.jsonl.gz")
    passages, found = by_id(trivia), 0
    for question in trivia.questions():
        words = f" {plain_words(passages[question.gold[0]].text)} "
        inside = [answer for answer in question.answers if f" {plain_words(answer)} " in words]
        found += bool(inside)
        assert not inside or question.answers[0] in inside
    assert found >= 756


@pytest.mark.slow
def test_retrieved_passages_are_the_published_context(real: Path) -> None:
    path = real / "retrieved" / "trivia_test_retrieved.jsonl.gz"
    trivia, rows = corpus(path), read(path)
    passages = by_id(trivia)
    questions = {question.id: question for question in trivia.questions()}
    assert len(questions) == len(rows) == 790
    for row in rows:
        question = questions[row["id"]]
        shown = [(passages[name].title, passages[name].text) for name in question.published or []]
        assert shown == [(context["title"], context["text"]) for context in row["ctxs"]]
        holding = [context["text"] for context in row["ctxs"] if context["hasanswer"]]
        assert [passages[name].text for name in question.gold] == holding[:1]
        assert {passages[name].text for name in question.also_answering} == {*holding} - {*holding[:1]}
        assert not {*question.given} & {*question.gold, *question.also_answering}
    assert sum(bool(question.gold) for question in questions.values()) == 570


def test_flashrags_questions_and_the_sample_of_the_authors(real: Path, test_data: Path) -> None:
    path = real / "flashrag" / "test.jsonl.gz"
    questions, rows = list(corpus(path).questions()), read(path)
    assert [(q.id, q.question, q.answers) for q in questions] == [
        (row["id"], row["question"], list(dict.fromkeys(row["golden_answers"]))) for row in rows
    ]
    assert len(rows) == 790
    sample = corpus(real / "original_format" / "triviaqa_sample.json.gz")
    (question,) = sample.questions()
    assert (question.id, question.answers[0]) == ("tc_33", "Sunset Boulevard")
    assert (question.gold, sample.counts["evidence_files_missing"]) == ([], 2)


@pytest.mark.slow
def test_a_folder_trains_on_golden_passages_and_leaves_out_test_questions(real: Path) -> None:
    trivia = corpus(real, test="retrieved")
    trained, tested = split(trivia, "train"), split(trivia, "test")
    assert (len(tested), trivia.counts["test_without_gold"]) == (790, 220)
    assert len(trained) == 792 - trivia.counts["test_questions_removed_from_train"]
    assert trivia.counts["test_questions_removed_from_train"] > 50
    words = {plain_words(question.question) for question in tested}
    assert not [question for question in trained if plain_words(question.question) in words]


@pytest.mark.slow
def test_open_questions_have_a_collection(real: Path) -> None:
    trivia = corpus(real, test="open", collection=str(real / "product_layout" / "passages.jsonl.gz"))
    assert len(split(trivia, "test")) == 790
    passages = list(trivia.passages())
    assert trivia.counts["collection_passages"] + trivia.counts["passages"] == len(passages) > 3415 - 792


def test_what_is_no_file_of_trivia_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text('{"query": "Who?", "reply": "Ada"}\n')
    with pytest.raises(DataError, match=r"other\.jsonl, line 1: not a record of TriviaQA \(its keys are"):
        list(corpus(tmp_path / "other.jsonl").questions())
    with pytest.raises(DataError, match=r"contains no file of TriviaQA \(looked for biencoder-trivia-train.json"):
        corpus(tmp_path).files()
    with pytest.raises(DataError, match=r"got 'verified_web', which cannot be downloaded as a single file"):
        list(corpus(None, test="verified_web").questions())
    (tmp_path / "trivia-test.qa.csv").write_text("Who?\t['Ada']\nWho not?\n")
    with pytest.raises(DataError, match=r"trivia-test\.qa\.csv, line 2: expected a question, a tab and a list"):
        list(corpus(tmp_path / "trivia-test.qa.csv").questions())
