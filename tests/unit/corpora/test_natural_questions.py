"""Natural Questions: the real records of every published form, and made ones where no real record is at hand."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

from raft_exp.core.errors import DataError
from raft_exp.core.records import Example, Passage, Question, read_jsonl
from raft_exp.corpora.natural_questions import NaturalQuestions, NaturalQuestionsConfig
from raft_exp.corpora.natural_questions.words import join
from tests.helpers.files import lines
from tests.helpers.stages import run

CONF = Path(__file__).parents[3] / "conf" / "corpus" / "natural_questions.yaml"
TWENTY = "nq-open-20_total_documents_gold_at_0.jsonl.gz"

Row = dict[str, Any]


def corpus(path: Path | None, seed: int = 0, **changes: object) -> NaturalQuestions:
    settings = yaml.safe_load(CONF.read_text(encoding="utf-8"))
    return NaturalQuestions(NaturalQuestionsConfig(**{**settings, "path": path and str(path), **changes}), seed)


def split(source: NaturalQuestions, name: str) -> list[Question]:
    return [question for question in source.questions() if question.split == name]


def by_id(source: NaturalQuestions) -> dict[str, Passage]:
    passages = list(source.passages())
    found = {passage.id: passage for passage in passages}
    assert len(found) == len(passages), "a passage comes once"
    assert all("".join(passage.sentences) == passage.text for passage in passages)
    return found


def read(path: Path) -> list[Row]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.splitlines()]


@pytest.fixture
def real(test_data: Path) -> Path:
    return test_data / "natural_questions"


@pytest.fixture
def page(real: Path) -> Row:
    (row,) = read(real / "v1.0-simplified" / "simplified-nq-sample.jsonl")
    return row


# lost-in-the-middle


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
    with pytest.raises(DataError, match=r"gold_at: got 20, and question '\w+' has 19 passages beside its gold; give 0"):
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


# NQ-open


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


# Google's pages


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


TEXT = "<P> It rained . </P> <P> Ada , 36 , won the cup ( twice ) . She left . </P> <Ul> <Li> One cup </Li> </Ul>"
SPANS = [(0, 5), (5, 21), (21, 27)]


def made(name: int, long: int = 1, shorts: Iterable[tuple[int, int]] = ((6, 7),), said: str = "NONE") -> Row:
    """A small page; `long` is the number of the long answer's candidate, -1 for none."""
    start, end = (-1, -1) if long < 0 else SPANS[long]
    return {
        "example_id": name,
        "question_text": f"question {name}",
        "document_url": "https://en.wikipedia.org//w/index.php?title=Ada_%28cup%29&amp;oldid=1",
        "document_text": TEXT,
        "long_answer_candidates": [{"start_token": s, "end_token": e, "top_level": True} for s, e in SPANS],
        "annotations": [
            {
                "yes_no_answer": said,
                "long_answer": {"start_token": start, "end_token": end, "candidate_index": long},
                "short_answers": [{"start_token": s, "end_token": e} for s, e in shorts],
            }
        ],
    }


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


# DPR


def dpr(question: str, *positive: Row, negative: int = 2) -> Row:
    negatives = [
        {"title": f"N{number}", "text": f"{question} not {number}", "score": 9.5} for number in range(negative)
    ]
    return {
        "dataset": "nq_train_psgs_w100",
        "question": question,
        "answers": ["Ada"],
        "positive_ctxs": list(positive),
        "negative_ctxs": [],
        "hard_negative_ctxs": negatives,
    }


GOLD = {"title": "Ada", "text": "It was long ago. Ada won the cup.", "score": 1000, "title_score": 1, "passage_id": "1"}
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


# Splits


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
    assert "holds no dpr (looked for biencoder-nq-train.json): corpus.train uses pages" in caplog.text
    alone = corpus(real / "lost-in-the-middle")
    assert {question.split for question in alone.questions()} == {"train", "test"}
    assert "what is there is split by chance" in caplog.text
    with pytest.raises(DataError, match=r"holds no file of Natural Questions \(looked for .*; name a file"):
        corpus(tmp_path).files()
    with pytest.raises(DataError, match=r"'.*nowhere' does not exist"):
        corpus(tmp_path / "nowhere").files()


def test_records_are_the_first_ones_of_training(tmp_path: Path, real: Path) -> None:
    lines(tmp_path / "simplified-nq-train.jsonl", *(made(number) for number in range(9)))
    (tmp_path / TWENTY).write_bytes((real / "lost-in-the-middle" / TWENTY).read_bytes())
    nq = corpus(tmp_path, records=4)
    assert [question.id for question in split(nq, "train")] == ["0", "1", "2", "3"]
    assert (nq.counts["train_records"], nq.counts["test_records"]) == (4, 214)


# Errors: one line that names file, place and remedy


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"question": "who", "title": "x"},
            r"line 1: no record of Natural Questions \(its keys are",
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
        ({**made(1), "document_text": "<P> cut"}, r"field 'end_token' is \d+ after \d+, on a page of 2; fetch"),
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
