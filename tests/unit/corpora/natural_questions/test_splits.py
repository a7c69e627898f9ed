"""What trains, validates and tests, and which file each comes from."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from raft_exp.core.errors import DataError
from tests.helpers.files import lines
from tests.helpers.natural_questions import GOLD, TWENTY, corpus, dpr, made, read, split


def test_test_questions_do_not_train(tmp_path: Path, real: Path) -> None:
    asked = read(real / "lost-in-the-middle" / TWENTY)
    for name in (TWENTY,):
        (tmp_path / name).write_bytes((real / "lost-in-the-middle" / name).read_bytes())
    same = [dpr(f"  {row['question'].upper()}?", GOLD) for row in asked[:5]]
    (tmp_path / "biencoder-nq-train.json").write_text(json.dumps([*same, dpr("who won", GOLD), dpr("who lost", GOLD)]))
    nq = corpus(tmp_path, train="dpr")
    assert [question.question for question in split(nq, "train")] == ["who won", "who lost"]
    assert nq.counts["test_questions_removed_from_train"] == 5
    assert not [p for p in nq.passages() if p.text.endswith(("not 0", "not 1")) and "?" in p.text]
    assert nq.counts["test_questions_removed_from_train"] == 5, "a second stream does not count again"


@pytest.mark.slow
def test_a_file_alone_is_split_by_chance(real: Path) -> None:
    path = real / "lost-in-the-middle" / TWENTY
    parts = {
        name: {q.id for q in split(corpus(path, validation=0.1), name)} for name in ("train", "validation", "test")
    }
    assert {name: len(part) for name, part in parts.items()} == {"train": 154, "validation": 17, "test": 43}
    assert len(set.union(*parts.values())) == 214
    assert parts["test"] == {question.id for question in split(corpus(path), "test")}
    assert parts["test"] != {question.id for question in split(corpus(path, 1), "test")}
    few, more = ({q.id for q in split(corpus(path, max_items=count), "train")} for count in (20, 60))
    assert (len(few), len(more)) == (20, 60)
    assert few < more
    assert list(corpus(path, 1, max_items=3).passages()) == list(corpus(path).passages())


def test_the_same_words_go_one_way(tmp_path: Path) -> None:
    rows = [dpr(f"{form} {number}", GOLD) for number in range(30) for form in ("Who won", "who won,", "who  won")]
    nq = corpus(lines(tmp_path / "any.jsonl", *rows), validation=0.2)
    sides: dict[str, set[str]] = {}
    for question in nq.questions():
        sides.setdefault(question.question.split()[-1], set()).add(question.split)
    assert {len(side) for side in sides.values()} == {1}
    assert Counter(next(iter(side)) for side in sides.values()) == {"test": 6, "validation": 5, "train": 19}


def test_a_folder_without_what_is_wanted_says_what_it_takes_instead(real: Path, caplog: Any, tmp_path: Path) -> None:
    nq = corpus(real, train="dpr", test="30_documents")
    assert Counter(question.split for question in nq.questions()) == {"test": 214, "train": 1}
    assert (nq.counts["train_file_missing"], nq.counts["test_file_missing"]) == (1, 1)
    assert "contains no dpr (looked for biencoder-nq-train.json): corpus.train uses pages" in caplog.text
    alone = corpus(real / "lost-in-the-middle")
    assert {question.split for question in alone.questions()} == {"train", "test"}
    assert "the other part is split at random" in caplog.text
    with pytest.raises(DataError, match=r"contains no file of Natural Questions \(looked for .*; give the path"):
        corpus(tmp_path).files()
    with pytest.raises(DataError, match=r"'.*nowhere' does not exist"):
        corpus(tmp_path / "nowhere").files()


def test_records_are_the_first_ones_of_training(tmp_path: Path, real: Path) -> None:
    lines(tmp_path / "simplified-nq-train.jsonl", *(made(number) for number in range(9)))
    (tmp_path / TWENTY).write_bytes((real / "lost-in-the-middle" / TWENTY).read_bytes())
    nq = corpus(tmp_path, records=4)
    assert [question.id for question in split(nq, "train")] == ["0", "1", "2", "3"]
    assert (nq.counts["train_records"], nq.counts["test_records"]) == (4, 214)
