"""Questions that a teacher writes, where the corpus brings none."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage
from raft_exp.teachers.passage_sample import PassageSample
from tests.helpers.scripted_server import Say, ScriptedServer
from tests.helpers.scripted_teacher import asked_about, corpus, good, teacher, town
from tests.helpers.stages import run


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", "sk-planted")


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def written(tmp_path: Path, script, *more: str, until: str = "questions", store: str = "store"):
    ask = [*corpus(tmp_path, questions=False), "dataset.num_distractors=2", "evaluation.num_distractors=2", *more]
    with ScriptedServer(script) as server:
        made = run(tmp_path / store, *ask, *teacher(server), until=until)
    return made, server


def test_questions_of_each_passage_split_by_document_with_their_gold(tmp_path):
    made, server = written(tmp_path, lambda prompt, _: good(prompt))
    found = lines(made["questions"] / "questions.jsonl")
    assert len(server.asked) == 40 + 80
    assert len({question["id"] for question in found}) == len(found) == 80
    splits: dict[str, set[str]] = {}
    for question in found:
        splits.setdefault(question["split"], set()).update(question["gold"])
        number = int(question["gold"][0][1:])
        assert str(number) in question["question"]
        assert question["answers"] in ([str(1200 + number)], [f"{number + 3} wheels"])
        assert question["evidence"][0][0] == question["gold"][0]
    assert {split: len(gold) for split, gold in splits.items()} == {"train": 28, "validation": 4, "test": 8}
    audit = json.loads((made["questions"] / "audit.json").read_text())
    assert audit["questions"] == {"train": 56, "validation": 8, "test": 16}
    assert (audit["written"]["asked"], audit["checked"]["asked"]) == (40, 80)


def test_what_cannot_be_answered_or_stands_twice_is_dropped_and_counted(tmp_path):
    def script(prompt, _):
        number = asked_about(prompt)
        if "different questions" in prompt:
            if number == 0:
                return Say("I would rather not.")
            if number < 4:
                return Say("Question: Who came over the hills?\nAnswer: people")
        if "unanswerable" in prompt and number == 7:
            return Say("##Answer: unanswerable")
        if "unanswerable" in prompt and number == 8 and "founded?" in prompt:
            return Say("##Answer: 1999")
        return Say("##Answer: people") if "over the hills?" in prompt else good(prompt)

    made, server = written(tmp_path, script)
    aside = lines(made["questions"] / "quarantine.jsonl")
    assert {row["id"]: row["reasons"][-1]["reason"] for row in aside} == {
        "d0": "no_questions",
        "d7?0": "unanswerable",
        "d7?1": "unanswerable",
        "d8?0": "other_answer",
    }
    assert sum("An earlier reply" in body["messages"][-1]["content"] for body in server.asked) == 1
    found = [question["question"] for question in lines(made["questions"] / "questions.jsonl")]
    assert len(found) == len(set(found)) == 72 - 3 + 1
    audit = json.loads((made["questions"] / "audit.json").read_text())
    assert audit["written"]["dropped"] == {"duplicate": 2}


def test_more_items_pay_for_what_is_new_alone_and_keep_the_test(tmp_path):
    few, server = written(tmp_path, lambda prompt, _: good(prompt), "corpus.max_items=10", "teacher.questions.n=2")
    first = len(server.asked)
    many, server = written(tmp_path, lambda prompt, _: good(prompt), "corpus.max_items=30", "teacher.questions.n=2")
    assert (first, len(server.asked)) == ((5 + 12) * 3, 10 * 3)

    def ids(made, split):
        rows = lines(made["questions"] / "questions.jsonl")
        return {row["id"] for row in rows if row["split"] == split}

    assert ids(few, "test") == ids(many, "test")
    assert ids(few, "train") < ids(many, "train")
    assert (len(ids(few, "train")), len(ids(many, "train"))) == (10, 30)


@pytest.mark.slow
def test_the_rest_of_the_study_takes_them_as_any_questions(tmp_path):
    made, server = written(tmp_path, lambda prompt, _: good(prompt), until="dataset")
    assert len(server.asked) == 40 + 80 + 64
    rows = lines(made["dataset[raft]"] / "rows.jsonl")
    assert {row["split"] for row in rows} == {"train", "validation"}
    assert all("##begin_quote##" in row["target"] for row in rows)
    assert len(lines(made["dataset[test]"] / "rows.jsonl")) == 16


@pytest.mark.slow
def test_another_task_for_targets_does_not_touch_the_questions(tmp_path):
    before, _ = written(tmp_path, lambda prompt, _: good(prompt), until="dataset")
    more = ("teacher.targets.temperature=0.7", "teacher.check=null")
    other, server = written(tmp_path, lambda prompt, _: good(prompt), more[0], until="targets")
    assert other["questions"] == before["questions"]
    assert len(server.asked) == 64
    unchecked, server = written(tmp_path, lambda prompt, _: good(prompt), more[1])
    assert unchecked["questions"] != before["questions"]
    assert len(server.asked) == 0


def test_a_teacher_that_writes_none_is_an_error_that_says_why(tmp_path):
    with pytest.raises(DataError) as error:
        written(tmp_path, lambda *_: Say(f"{town(1)} is nice."))
    assert "0 of 40 passages gave a usable question" in str(error.value)
    assert "40 no_questions" in str(error.value)


def test_without_a_teacher_that_is_a_model_questions_are_asked_for(tmp_path):
    with pytest.raises(DataError, match="teacher=openai"):
        run(tmp_path / "store", *corpus(tmp_path, questions=False), until="questions")


def test_near_copies_under_other_names_have_one_split(tmp_path):
    texts = [" ".join(f"w{number}x{place}" for place in range(40)) for number in range(20)]
    texts += [f"A new heading. {text.upper()}" for text in texts]
    write_passages(tmp_path, [Passage(f"d{n}#0", f"d{n}", "", text, "", [text], "") for n, text in enumerate(texts)])
    corpus: Any = SimpleNamespace(test=0.4, validation=0.2, max_items=None)
    task: Any = SimpleNamespace(min_passage_words=5, n=1, held_out_passages=100, pairs=None)
    splits = [split for _, split in PassageSample(Passages(tmp_path), corpus, task, seed=1)]
    assert splits[:20] == splits[20:]
    assert Counter(splits) == {"test": 16, "validation": 8, "train": 16}
