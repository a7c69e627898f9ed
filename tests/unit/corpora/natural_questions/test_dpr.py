"""DPR's training records."""

import json
from itertools import islice
from pathlib import Path

import pytest

from raft_exp.core.errors import DataError
from tests.helpers.natural_questions import GOLD, by_id, corpus, dpr

CHANCE = {"title": "Else", "text": "Ada is a name.", "score": 13.3, "title_score": 0, "passage_id": "2"}


def test_dpr_positives_that_annotators_chose_are_gold(tmp_path: Path) -> None:
    bare = {name: CHANCE[name] for name in ("title", "text")}
    rows = [dpr("who won", GOLD, CHANCE), dpr("who is", bare), dpr("who not"), dpr("who won", GOLD)]
    (tmp_path / "biencoder-nq-train.json").write_text(json.dumps(rows, indent=1))
    nq = corpus(tmp_path, train="dpr", test_share=0.0)
    passages, questions = by_id(nq), list(nq.questions())
    assert [
        [passages[name].title for name in question.gold] for question in questions if question.split == "train"
    ] == [
        ["Ada"],
        ["Else"],
        ["Ada"],
    ]
    assert [passages[name].text for name in questions[0].given] == ["who won not 0", "who won not 1"]
    assert questions[0].evidence == [(questions[0].gold[0], 1)]
    assert len({question.id for question in questions}) == len(questions), "the same question twice has two ids"


def test_dpr_streams(tmp_path: Path) -> None:
    whole = json.dumps([dpr(f"who {number}", GOLD) for number in range(3000)])
    path = tmp_path / "biencoder-nq-train.json"
    path.write_text(whole[: len(whole) // 2])
    assert len(list(islice(corpus(path).passages(), 500))) == 500
    with pytest.raises(DataError, match=r"broken or cut off after record \d+"):
        list(corpus(path).passages())
