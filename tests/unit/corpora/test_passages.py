"""Corpus `passages`: a study on two small files of one's own."""

import pytest

from raft_exp.core.errors import DataError
from raft_exp.core.records import Example, read_jsonl
from raft_exp.corpora.ingest_stage import IngestStage, ingest
from raft_exp.corpora.passages import PassagesConfig
from tests.helpers.files import lines
from tests.helpers.stages import run

NAMES = [f"{first}{last}" for first in ("Vel", "Har", "Cal", "Gar") for last in ("mor", "wick", "ton", "ford", "by")]


@pytest.fixture
def own(tmp_path):
    """The least that the two files may say."""
    texts = [f"{name} lies inland. Its mill was built in {1700 + number}." for number, name in enumerate(NAMES)]
    passages = lines(
        tmp_path / "p.jsonl", *({"id": name, "text": text} for name, text in zip(NAMES, texts, strict=True))
    )
    asked = (
        {"question": f"When was the mill of {name} built?", "answers": [str(1700 + number)], "document_id": name}
        for number, name in enumerate(NAMES)
    )
    return ("corpus=passages", f"corpus.path={passages}", f"corpus.questions={lines(tmp_path / 'q.jsonl', *asked)}")


def test_a_study_needs_no_more_than_texts_and_questions_about_them(own, tmp_path):
    made = run(tmp_path / "store", *own, "dataset.num_distractors=2", "evaluation.num_distractors=2", "dataset.p=1")
    rows = list(read_jsonl(made["dataset[raft]"] / "rows.jsonl", Example))
    assert [row.split for row in rows].count("train") == 14
    assert [row.split for row in rows].count("validation") == 2
    assert len(list(read_jsonl(made["dataset[test]"] / "rows.jsonl", Example))) == 4
    for row in rows:
        assert "##begin_quote## Its mill was built in" in row.target, "the sentence with the answer is quoted"
        assert row.has_gold
        assert row.target_grounded


def test_what_is_not_given_is_asked_for(own, tmp_path):
    with pytest.raises(DataError, match=r"corpus\.path: has no value; set corpus\.path=FILE"):
        run(tmp_path, "corpus=passages")
    with pytest.raises(DataError, match=r"corpus\.path='nowhere': no such file"):
        run(tmp_path, "corpus=passages", "corpus.path=nowhere")
    with pytest.raises(DataError, match=r"corpus\.questions='nowhere': no such file"):
        run(tmp_path, *own[:2], "corpus.questions=nowhere")
    with pytest.raises(DataError, match=r"corpus\.questions: has no value, and a study needs questions"):
        run(tmp_path, *own[:2])


def test_passages_alone_can_be_read_and_exported(own, tmp_path):
    assert "ingest" in run(tmp_path, *own[:2], until="ingest")


def test_a_script_whose_words_nothing_knows_is_named_once(tmp_path, capsys):
    texts = ("ꦲꦏ꧀ꦱꦫꦗꦮ", "图书馆由工程师设计。", "ꦲꦏ꧀ꦱꦫ and English")
    passages = lines(tmp_path / "p.jsonl", *({"id": str(place), "text": text} for place, text in enumerate(texts)))
    config = PassagesConfig("passages", str(passages), None, None, 0.0, 0.0)
    (tmp_path / "out").mkdir()
    ingest(IngestStage(config, {}, ""), out=tmp_path / "out")
    said = [line for line in capsys.readouterr().err.splitlines() if "without a known dictionary" in line]
    assert len(said) == 1
    assert said[0].startswith("2 of 3 passages have text in Javanese")
