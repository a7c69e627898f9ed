"""Google's pages, in every layout that was published."""

import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from raft_exp.core.errors import DataError
from raft_exp.corpora.natural_questions.words import join
from tests.helpers.files import lines
from tests.helpers.natural_questions import TWENTY, Row, by_id, corpus, made, split


def plain(words: Iterable[str]) -> str:
    """The letters and digits of tokens that are no tags."""
    return re.sub(r"\W", "", "".join(word for word in words if not re.fullmatch("<.*>", word)))


def test_the_long_answer_of_a_page_is_gold_and_its_other_candidates_are_given(real: Path, page: Row) -> None:
    nq = corpus(real, given=99)
    passages, (question,) = by_id(nq), split(nq, "train")
    words = page["document_text"].split(" ")
    chosen = page["annotations"][0]["long_answer"]
    tops = [candidate for candidate in page["long_answer_candidates"] if candidate["top_level"]]
    spans = [(top["start_token"], top["end_token"]) for top in tops]
    assert [plain(passages[name].text.split()) for name in question.published or []] == [
        plain(words[start:end]) for start, end in spans
    ]
    place = spans.index((chosen["start_token"], chosen["end_token"]))
    assert question.gold == [(question.published or [])[place]]
    assert question.answers == ["Tracy McConnell"]
    assert question.slices == {"long_answer": "paragraph"}
    gold = passages[question.gold[0]]
    assert (gold.title, gold.document_id) == ("The Mother (How I Met Your Mother)",) * 2
    assert gold.text.startswith('Tracy McConnell, better known as "The Mother", is the title character')
    assert question.evidence == [(gold.id, 0)]
    assert "Tracy McConnell" in gold.sentences[0]


def test_paragraphs_alone(real: Path) -> None:
    (whole,), (only,) = (split(corpus(real, passage=kind), "train") for kind in ("any", "paragraph"))
    assert len(whole.published or []) == 21
    assert (whole.published or [])[1:] == (only.published or [])[:20], "the table at the top of the page is left out"


def test_given_is_limited_in_training_alone(real: Path) -> None:
    nq = corpus(real, given=3)
    assert [len(question.given) for question in split(nq, "train")] == [3]
    assert {len(question.given) for question in split(nq, "test")} == {19}
    assert len(by_id(nq)) == 4263 + 4


def hub_row(page: Row) -> Row:
    """The same record in the hub's columns."""
    words = page["document_text"].split(" ")
    tags = [bool(re.fullmatch("<.*>", word)) for word in words]
    said = {"NO": 0, "YES": 1, "NONE": -1}
    annotations = page["annotations"]
    texts = [
        [" ".join(words[short["start_token"] : short["end_token"]]) for short in each["short_answers"]]
        for each in annotations
    ]
    return {
        "id": str(page["example_id"]),
        "document": {
            "html": "<HTML>" * 100,
            "title": "The Mother (How I Met Your Mother)",
            "tokens": {"token": words, "is_html": tags, "start_byte": [0] * len(words)},
            "url": page["document_url"],
        },
        "question": {"text": page["question_text"], "tokens": page["question_text"].split()},
        "long_answer_candidates": columns(page["long_answer_candidates"], "start_token", "end_token", "top_level"),
        "annotations": {
            "id": ["1" for _ in annotations],
            "long_answer": [each["long_answer"] for each in annotations],
            "short_answers": [
                {**columns(each["short_answers"], "start_token", "end_token"), "text": text}
                for each, text in zip(annotations, texts, strict=True)
            ],
            "yes_no_answer": [said[each["yes_no_answer"]] for each in annotations],
        },
    }


def columns(rows: list[Row], *names: str) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in names}


def original_row(page: Row) -> Row:
    """The same record as Google first published it."""
    words = [
        {"token": word, "html_token": bool(re.fullmatch("<.*>", word))} for word in page["document_text"].split(" ")
    ]
    title = {"document_title": "The Mother (How I Met Your Mother)", "document_tokens": words}
    return {name: value for name, value in page.items() if name != "document_text"} | title


def stored(path: Path, *rows: Row) -> Path:
    import pyarrow
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    return path


def test_all_layouts_of_a_page_are_one(tmp_path: Path, page: Row) -> None:
    files = [
        lines(tmp_path / "simplified-nq-train.jsonl", page),
        lines(tmp_path / "nq-train-00.jsonl", original_row(page)),
        lines(tmp_path / "hub.jsonl", hub_row(page)),
        stored(tmp_path / "train-00000-of-00001.parquet", hub_row(page)),
    ]
    zipped = tmp_path / "zipped.jsonl.gz"
    zipped.write_bytes(gzip.compress(files[0].read_bytes()))
    found = [(list(corpus(file).questions()), [p.text for p in corpus(file).passages()]) for file in (*files, zipped)]
    assert all(each == found[0] for each in found)


def test_the_hub_is_read_shard_by_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: Path, page: Row) -> None:
    """The first of 287 shards is in the cache: what needs no more than it needs no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path))
    nq = corpus(None, records=2)
    cache = tmp_path / "raft_exp/raw.githubusercontent.com/nelson-liu/lost-in-the-middle"
    test = cache / f"29b8a6d042ce29abccee3db1a73171a107d7e6af/qa_data/20_total_documents/{TWENTY}"
    with pytest.raises(DataError, match=rf"{TWENTY} cannot be fetched: it is not in the cache.*corpus\.path"):
        next(nq.passages())
    test.parent.mkdir(parents=True)
    test.write_bytes((real / "lost-in-the-middle" / TWENTY).read_bytes())
    snapshot = tmp_path / "datasets--google-research-datasets--natural_questions" / "snapshots" / nq.config.revision
    second = hub_row({**page, "example_id": 7, "question_text": "who else"})
    stored(snapshot / "default" / "train-00000-of-00287.parquet", hub_row(page), second)
    assert nq.files() == []
    assert [question.id for question in split(nq, "train")] == ["5328212470870865242", "7"]
    assert {p.source for p in nq.passages()} == {TWENTY, "google-research-datasets/natural_questions train"}
    with pytest.raises(DataError, match=r"train-00001-of-00287\.parquet\) cannot be fetched"):
        list(corpus(None, records=3).passages())


def test_what_annotators_left_open_is_counted(tmp_path: Path) -> None:
    rows = [
        made(1),
        made(2, long=-1, shorts=()),
        made(3, shorts=()),
        made(4, shorts=(), said="YES"),
        made(5, shorts=[(6, 7), (11, 12), (6, 7)]),
        made(6, long=2, shorts=[(23, 25)]),
    ]
    nq = corpus(lines(tmp_path / "pages.jsonl", *rows), test_share=0.0)
    found = {question.id: question.answers for question in nq.questions()}
    assert found == {"1": ["Ada"], "4": ["yes"], "5": ["Ada", "the"], "6": ["One cup"]}
    assert (nq.counts["null_annotations"], nq.counts["without_short_answer"]) == (1, 1)
    assert len(by_id(nq)) == 3, "all are the same page"
    paragraphs = corpus(tmp_path / "pages.jsonl", test_share=0.0, passage="paragraph")
    assert {question.id for question in paragraphs.questions()} == {"1", "4", "5"}
    assert paragraphs.counts["long_answer_is_no_paragraph"] == 1
    assert [passage.text for passage in by_id(nq).values()] == [
        "It rained.",
        "Ada, 36, won the cup (twice). She left.",
        "One cup",
    ]


def test_the_evidence_is_the_sentence_that_was_marked(tmp_path: Path) -> None:
    nq = corpus(lines(tmp_path / "pages.jsonl", made(1, shorts=[(17, 18)])), test_share=0.0)
    (question,) = nq.questions()
    (evidence,) = question.evidence
    assert by_id(nq)[evidence[0]].sentences[evidence[1]].strip() == "She left."


def test_two_of_five_annotators_must_agree(tmp_path: Path) -> None:
    def five(name: int, *longs: int) -> Row:
        return made(name) | {"annotations": [made(name, long=long)["annotations"][0] for long in longs]}

    rows = [five(1, -1, -1, -1, 1, 1), five(2, -1, -1, -1, 1, 0), five(3, 0, 1, 1, 0, 1)]
    (tmp_path / "v1.0-simplified_nq-dev-all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines(tmp_path / "simplified-nq-train.jsonl", made(9))
    nq = corpus(tmp_path, test="pages")
    passages = by_id(nq)
    gold = {question.id: passages[question.gold[0]].text[:3] for question in nq.questions()}
    assert gold == {"1": "Ada", "3": "Ada", "9": "Ada"}
    assert nq.counts["null_annotations"] == 1


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("Schindler 's List", "Schindler's List"),
        ("`` Fix You ''", '"Fix You"'),
        ("the 1979 -- 80 season", "the 1979–80 season"),
        ("do n't stop ( now ) !", "don't stop (now)!"),
        ("$ 5 , or 10 %", "$5, or 10%"),
        ("well - known -- and old", "well - known – and old"),
    ],
)
def test_tokens_become_text(tokens: str, text: str) -> None:
    joined, starts = join(tokens.split())
    assert joined == text
    assert len(starts) == len(tokens.split())
    assert [joined[start] for start in starts][-1] in {tokens.split()[-1][0], '"'}
