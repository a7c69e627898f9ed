"""The published questions: those of lost-in-the-middle with their contexts, and those of NQ-open without."""

from pathlib import Path

import pytest

from raft_exp.core.errors import DataError
from raft_exp.core.records import Example, read_jsonl
from tests.helpers.natural_questions import TWENTY, by_id, corpus, read, split
from tests.helpers.stages import run


def test_twenty_documents_as_published(real: Path) -> None:
    nq, rows = corpus(real), read(real / "lost-in-the-middle" / TWENTY)
    passages, questions = by_id(nq), split(nq, "test")
    assert len(questions) == len(rows) == nq.counts["test_records"] == 214
    assert nq.counts["test_without_gold"] == 0
    for question, row in zip(questions, rows, strict=True):
        assert (question.question, question.answers) == (row["question"], row["answers"])
        shown = [(passages[name].title, passages[name].text) for name in question.published or []]
        assert shown == [(context["title"], context["text"]) for context in row["ctxs"]]
        assert [shown.index((c["title"], c["text"])) for c in row["ctxs"] if c["isgold"]] == [0]
        assert question.gold == (question.published or [])[:1]
        assert question.given == (question.published or [])[1:]
        assert passages[question.gold[0]].text == row["nq_annotated_gold"]["chunked_long_answer"]


@pytest.mark.slow
def test_gold_stands_where_it_is_wanted(tmp_path: Path, real: Path) -> None:
    asked = {question.id: question for question in split(corpus(real), "test")}
    places = "+evaluation.conditions={g0:{gold_at:0},g9:{gold_at:9},g19:{gold_at:19}}"
    study = (
        "+experiment=natural_questions",
        "model=tiny",
        "trainer=cpu",
        f"corpus.path={real}",
        "evaluation.arms=[rag]",
    )
    made = run(tmp_path, *study, "evaluation.max_items=5", places)
    for place in (0, 9, 19):
        rows = list(read_jsonl(made[f"dataset[test@g{place}]"] / "rows.jsonl", Example))
        assert len(rows) == 5
        for row in rows:
            shown = [passage.id for passage in row.context]
            assert [shown[place]] == asked[row.id].gold
            assert [*shown[:place], *shown[place + 1 :]] == asked[row.id].given
    with pytest.raises(DataError, match=r"gold_at: got 20, but question '\w+' has 19 passages beside its gold; set"):
        run(tmp_path, *study, "evaluation.gold_at=20")


def test_oracle_has_the_gold_alone(real: Path) -> None:
    nq, rows = corpus(real, test="oracle"), read(real / "lost-in-the-middle" / "nq-open-oracle.jsonl.gz")
    passages, questions = by_id(nq), split(nq, "test")
    assert len(questions) == len(rows) == 1313
    for question, row in zip(questions, rows, strict=True):
        assert question.published == question.gold
        assert question.given == []
        assert [passages[name].text for name in question.gold] == [row["ctxs"][0]["text"]]
    assert len({name for question in questions for name in question.gold}) == 1295, "17 passages serve two questions"


def test_the_same_question_has_one_id_in_every_file(real: Path) -> None:
    oracle = {question.question: question.id for question in split(corpus(real, test="oracle"), "test")}
    for question in split(corpus(real), "test"):
        assert oracle.get(question.question, question.id) == question.id
    assert len({*oracle} & {question.question for question in split(corpus(real), "test")}) > 50


@pytest.mark.parametrize(
    ("test", "file", "count"),
    [("nq_open", "NQ-open.dev.jsonl", 1798), ("efficientqa", "NQ-open.efficientqa.dev.1.1.sample.jsonl", 100)],
)
def test_open_questions_keep_every_answer_and_have_no_gold(real: Path, test: str, file: str, count: int) -> None:
    nq, rows = corpus(real, test=test), read(real / "nq_open" / file)
    questions = split(nq, "test")
    assert len(questions) == len(rows) == nq.counts["test_without_gold"] == count
    for question, row in zip(questions, rows, strict=True):
        assert (question.question, question.answers) == (row["question"], list(dict.fromkeys(row["answer"])))
        assert (question.gold, question.given, question.published) == ([], [], None)
    assert max(len(question.answers) for question in questions) > 3 or count == 100


def test_a_collection_comes_after_the_questions_passages(tmp_path: Path, real: Path) -> None:
    context = read(real / "lost-in-the-middle" / TWENTY)[0]["ctxs"][1]
    wiki = tmp_path / "psgs_w100.tsv"
    quoted = context["text"].replace('"', '""')
    wiki.write_text(f'id\ttext\ttitle\n7\t"{quoted}"\t{context["title"]}\n8\t"A ""new"" text"\tA title\n', "utf-8")
    nq = corpus(real, collection=str(wiki))
    *_, last = nq.passages()
    assert (last.id, last.text, last.title, last.document_id) == ("8", 'A "new" text', "A title", "A title")
    assert nq.counts["collection_passages"] == 1, "the other one is a distractor of the first question"
    assert nq.files()[-1] == wiki
    with pytest.raises(DataError, match=r"corpus\.collection='.*nowhere': no such file"):
        corpus(real, collection=str(tmp_path / "nowhere")).files()
