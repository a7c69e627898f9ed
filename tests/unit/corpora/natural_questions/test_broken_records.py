"""Errors: one line that names file, place and remedy."""

from pathlib import Path
from typing import Any

import pytest

from raft_exp.core.errors import DataError
from tests.helpers.files import lines
from tests.helpers.natural_questions import corpus, made


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"question": "who", "title": "x"},
            r"line 1: not a record of Natural Questions \(its keys are",
        ),
        ({"question": " ", "answer": ["x"]}, r"line 1: field 'question' is missing or empty"),
        ({"question": "who", "answer": [1]}, r"line 1: field 'answer' is \[1\]; give a list of texts"),
        ({"question": "who", "answers": ["x"], "ctxs": ["text"]}, r"field 'ctxs' is \['text'\]; give a list of"),
        (
            {"question": "who", "answers": ["x"], "ctxs": [{"title": "t", "text": 5.5}]},
            r"line 1, ctxs 1: field 'text' is 5\.5; give",
        ),
        (
            {"question": "who", "answers": ["x"], "ctxs": [{"title": "t", "text": "t", "isgold": "yes"}]},
            r"ctxs 1: field 'isgold' is 'yes'; give true or false",
        ),
        ({**made(1), "question_text": None}, r"line 1: field 'question_text' is missing"),
        (
            {**made(1), "document_text": "<P> cut"},
            r"field 'end_token' is \d+, but start_token is \d+ and",
        ),
        ({**made(1), "annotations": [{"short_answers": []}]}, r"annotations 1: field 'long_answer' is missing"),
        ('{"question": ', r"line 1: broken, cut off"),
        ("", "empty"),
    ],
)
def test_broken_records(tmp_path: Path, row: Any, message: str) -> None:
    nq = corpus(lines(tmp_path / "file.jsonl", row))
    for stream in (nq.passages, nq.questions):
        with pytest.raises(DataError, match=message) as error:
            list(stream())
        assert "\n" not in str(error.value)


def test_a_broken_shard_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train-00000-of-00001.parquet"
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match=r"parquet: broken after record 0 \(.*fetch the file again"):
        list(corpus(path).passages())
