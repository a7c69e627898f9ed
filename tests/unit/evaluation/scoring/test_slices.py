"""Groups of questions: lengths, and what training has seen."""

from pathlib import Path

from raft_exp.core import collection as passages
from raft_exp.core.records import Passage, Question, write_jsonl
from raft_exp.evaluation.metrics import profile
from raft_exp.evaluation.scoring import TrainingFacts, slices, training_facts
from raft_exp.evaluation.scoring.slices import groups_of
from tests.helpers.scores import asked, scored

OPEN, CLOSED = profile("own"), profile("pubmedqa")


def test_question_lengths_are_terciles_named_by_their_words() -> None:
    rows = [asked(n, "Paris", question=" ".join(["word"] * length)) for n, length in enumerate([9, 1, 3, 2, 5, 12])]
    found = groups_of(rows, OPEN, {})
    assert found == {"question_length": {"1-2 words": [1, 3], "3-5 words": [2, 4], "9-12 words": [0, 5]}}
    assert list(found["question_length"]) == ["1-2 words", "3-5 words", "9-12 words"], "not 12 before 2"


def test_ties_stay_together_and_one_length_is_no_slice() -> None:
    rows = [asked(n, "Paris", question="word " * length) for n, length in enumerate([4, 4, 4, 4, 4, 7])]
    assert groups_of(rows, OPEN, {})["question_length"] == {"4 words": [0, 1, 2, 3, 4], "7 words": [5]}
    assert groups_of(rows[:5], OPEN, {}) == {}


def test_questions_without_blanks_are_counted_by_their_words() -> None:
    rows = [asked(0, "x", question="谁设计了图书馆？"), asked(1, "x", question="图书馆是由哪位工程师在1842年设计的？")]
    assert len(groups_of(rows, profile("passages"), {})["question_length"]) == 2


def test_the_corpus_names_its_own_and_comes_first() -> None:
    rows = [asked(0, "yes", slices={"class": "own word", "year": "2001"}), asked(1, "no", slices={"year": "2000"})]
    found = groups_of(rows, CLOSED, {"q0": TrainingFacts(True, True, False), "q1": TrainingFacts(True, True, None)})
    assert found == {"class": {"own word": [0]}, "year": {"2000": [1], "2001": [0]}, "document": {"unseen": [0]}}
    bare = [asked(0, "yes"), asked(1, "no")]
    assert groups_of(bare, CLOSED, {}) == {"class": {"no": [1], "yes": [0]}}


def test_each_group_is_summed_up_alone() -> None:
    rows = [asked(0, "Paris"), asked(1, "Lyon"), asked(2, "Nice")]
    facts = {
        "q0": TrainingFacts(True, answer_seen=True),
        "q1": TrainingFacts(True, answer_seen=False),
        "q2": TrainingFacts(False),
    }
    found = slices(rows, {"rag": scored(rows, ["##Answer: Paris"] * 3)}, OPEN, 0, facts)
    assert {value: one["rag"]["n"] for value, one in found["answer"].items()} == {"seen": 1, "unseen": 1}
    assert found["answer"]["seen"]["rag"]["metrics"]["exact_match"]["value"] == 1
    assert found["answer"]["unseen"]["rag"]["metrics"]["exact_match"]["value"] == 0


def world(folder: Path, trained: list[str]) -> dict[str, TrainingFacts]:
    """Documents a (p0, p1) and b (p2); which of the training questions were trained on is for the test to say."""
    made = [Passage(f"p{n}", "aab"[n], "", f"text {n}", "", [f"text {n}"], "") for n in range(3)]
    passages.write_passages(folder, made)
    questions = [
        Question("t0", "?", ["The Town of Velmor!", "1802"], ["p0"], "train"),
        Question("t1", "?", ["Harwick"], ["p2"], "train"),
        Question("v0", "?", ["Calton"], ["p2"], "validation"),
        Question("q0", "?", ["Ost", "the town of  velmor"], ["p1"], "test"),
        Question("q1", "?", ["Harwick"], ["p2"], "test"),
        Question("q2", "?", ["Calton"], [], "test"),
        Question("q3", "?", ["Calton"], [], "test", gold_missing=1),
    ]
    write_jsonl(folder / "questions.jsonl", questions)
    data = folder / "data"
    data.mkdir(exist_ok=True)
    rows = [{"id": name, "x": 1} if number else {"x": 1, "id": name} for number, name in enumerate(trained)]
    write_jsonl(data / "rows.jsonl", rows)  # the id may stand anywhere
    return training_facts(["q0", "q1", "q2", "q3"], folder, folder, [data, data])


def test_what_training_has_seen(tmp_path: Path) -> None:
    assert world(tmp_path, ["t0", "t1", "v0"]) == {
        "q0": TrainingFacts(True, answer_seen=True, document_seen=True),  # another passage of the same document
        "q1": TrainingFacts(True, answer_seen=True, document_seen=True),
        "q2": TrainingFacts(False, answer_seen=False, document_seen=None),  # validation rows are not learned
        "q3": TrainingFacts(True, answer_seen=False, document_seen=None),  # names gold that is not in the collection
    }


def test_only_what_was_trained_on_counts(tmp_path: Path) -> None:
    found = world(tmp_path, ["t0"])
    assert (found["q1"].answer_seen, found["q1"].document_seen) == (False, False)
    assert found["q0"].answer_seen


def test_without_a_known_training_set_nothing_is_said(tmp_path: Path) -> None:
    """No trained arm, or one trained on a ready chat file, whose rows are no questions of the corpus."""
    for trained in ([], ["chat-1"]):
        assert {one.answer_seen for one in world(tmp_path, trained).values()} == {None}
        assert {one.document_seen for one in world(tmp_path, trained).values()} == {None}
