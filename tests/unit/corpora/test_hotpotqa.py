import gzip
import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

from raft_exp.core.errors import DataError
from raft_exp.core.records import Example, read_jsonl
from raft_exp.corpora.hotpotqa import Hotpotqa, HotpotqaConfig
from tests.helpers import files
from tests.helpers.command_line import raft_exp, run_folder
from tests.helpers.stages import run

CONF = Path(__file__).parents[3] / "conf" / "corpus" / "hotpotqa.yaml"
DEV, WIKI, TRAIN = "hotpot_dev_distractor_v1.json.gz", "hotpot_dev_fullwiki_v1.json.gz", "hotpot_train_v1.1.json.gz"


def corpus(path: Path | None, seed: int = 0, **changes: object) -> Hotpotqa:
    settings = yaml.safe_load(CONF.read_text(encoding="utf-8"))
    return Hotpotqa(HotpotqaConfig(**{**settings, "path": path and str(path), **changes}), seed)


def ids(source: Hotpotqa, split: str) -> set[str]:
    return {question.id for question in source.questions() if question.split == split}


def record(name: str, **changes: object) -> dict[str, Any]:
    whole = {
        "_id": name,
        "question": f"Where is {name}?",
        "answer": "Paris",
        "supporting_facts": [["One", 1], ["Two", 0]],
        "context": [["Zero", ["Nothing."]], ["One", ["A town.", " In Two."]], ["Two", ["It is in Paris."]]],
        "type": "bridge",
        "level": "easy",
    }
    return files.changed(whole, **changes)


def written(folder: Path, records: object, name: str = "hotpot.json") -> Path:
    return files.json_file(folder, records, name)


@pytest.fixture
def official(test_data: Path) -> Path:
    return test_data / "hotpotqa"


def published(path: Path) -> dict[str, dict[str, Any]]:
    return {row["_id"]: row for row in json.loads(gzip.decompress(path.read_bytes()))}


# The real records


def test_official_parts(official):
    hotpotqa = corpus(official)
    questions = {question.id: question for question in hotpotqa.questions()}
    dev, train = published(official / DEV), published(official / TRAIN)
    assert Counter(question.split for question in questions.values()) == {"test": 500, "train": 49, "validation": 1}
    assert {name for name, question in questions.items() if question.split == "test"} == set(dev)
    assert hotpotqa.files() == [official / DEV, official / TRAIN]
    assert hotpotqa.counts["records"] == 550
    assert hotpotqa.counts["gold_whole"] == 550
    assert hotpotqa.counts["short_contexts"] == 2
    assert hotpotqa.counts["seeded_split"] == hotpotqa.counts["unresolved_facts"] == 0
    for name, row in (dev | train).items():
        question = questions[name]
        assert (question.question, question.answers) == (row["question"], [row["answer"]])
        assert question.slices == {"type": row["type"], "level": row["level"]}
    slices = Counter(question.slices["type"] for question in questions.values() if question.split == "test")
    assert slices == {"bridge": 383, "comparison": 117}


def test_every_supporting_fact_is_a_sentence_of_a_gold_passage(official):
    hotpotqa = corpus(official)
    passages = {passage.id: passage for passage in hotpotqa.passages()}
    rows = published(official / DEV) | published(official / TRAIN)
    for question in hotpotqa.questions():
        row = rows[question.id]
        paragraphs = dict(row["context"])
        assert [(passages[name].title, number) for name, number in question.evidence] == [
            tuple(fact) for fact in row["supporting_facts"]
        ]
        for name, number in question.evidence:
            assert passages[name].sentences[number] == paragraphs[passages[name].title][number]
        assert {passages[name].title for name in question.gold} == {title for title, _ in row["supporting_facts"]}
        assert {name for name, _ in question.evidence} == set(question.gold)
        assert question.gold_missing == 0


def test_passages_are_paragraphs_with_their_sentences(official):
    hotpotqa = corpus(official)
    passages = {passage.id: passage for passage in hotpotqa.passages()}
    rows = published(official / DEV) | published(official / TRAIN)
    paragraphs = {(title, tuple(sentences)) for row in rows.values() for title, sentences in row["context"]}
    assert {(passage.title, tuple(passage.sentences)) for passage in passages.values()} == paragraphs
    assert len(passages) == len(paragraphs) == hotpotqa.counts["passages"] == 5446
    assert all("".join(passage.sentences) == passage.text for passage in passages.values())
    assert all(passage.document_id == passage.title for passage in passages.values())
    assert {passage.source for passage in passages.values()} == {DEV, TRAIN}


def test_the_context_stays_as_published_and_the_others_are_given(official):
    hotpotqa = corpus(official)
    titles = {passage.id: passage.title for passage in hotpotqa.passages()}
    rows = published(official / DEV) | published(official / TRAIN)
    for question in hotpotqa.questions():
        assert question.published is not None
        assert [titles[name] for name in question.published] == [title for title, _ in rows[question.id]["context"]]
        assert question.given == [name for name in question.published if name not in question.gold]


def test_full_wiki_records_say_what_gold_they_lack(official):
    hotpotqa = corpus(official, setting="fullwiki")
    questions = [question for question in hotpotqa.questions() if question.split == "test"]
    rows = published(official / WIKI)
    assert len(questions) == 200
    assert Counter(question.slices["gold"] for question in questions) == {"whole": 56, "part": 112, "absent": 32}
    assert hotpotqa.counts["gold_part"] + hotpotqa.counts["gold_absent"] == 144
    assert (hotpotqa.counts["gold_part"], hotpotqa.counts["short_contexts"]) == (112, 3)
    for question in questions:
        titles = {title for title, _ in rows[question.id]["context"]}
        facts = rows[question.id]["supporting_facts"]
        assert question.gold_missing == len({title for title, _ in facts} - titles)
        unknown = [[name, number] for name, number in question.evidence if name not in question.gold]
        assert unknown == [fact for fact in facts if fact[0] not in titles], "a fact without a passage keeps its title"
    assert [question.published for question in questions].count([]) == 1
    assert ids(hotpotqa, "train") == ids(corpus(official), "train")


@pytest.mark.parametrize("setting", ["distractor", "fullwiki"])
def test_full_wiki_alone_trains_on_whole_gold_only(official, setting):
    hotpotqa = corpus(official / WIKI, setting=setting)
    questions = list(hotpotqa.questions())
    assert {q.slices["gold"] for q in questions if q.split == "test"} == {"whole", "part", "absent"}
    assert {q.slices["gold"] for q in questions if q.split != "test"} == {"whole"}
    assert Counter(question.split == "test" for question in questions)[True] == 40
    learned = [question for question in questions if question.split != "test"]
    assert all(question.gold_missing == 0 and question.gold for question in learned)
    assert len(learned) + hotpotqa.counts["not_trained_without_evidence"] == 160


@pytest.mark.parametrize("form", ["jsonl.gz", "jsonl", "parquet", "folder"])
def test_hub_layout_equals_the_original(tmp_path, official, form):
    zipped = (official / "hf_hotpot_qa_distractor_validation.jsonl.gz").read_bytes()
    rows = [json.loads(line) for line in gzip.decompress(zipped).splitlines()]
    path = tmp_path / f"rows.{form}"
    if form in ("parquet", "folder"):
        import pyarrow
        from pyarrow import parquet

        path = path if form == "parquet" else tmp_path / "distractor" / "validation-00000-of-00001.parquet"
        path.parent.mkdir(exist_ok=True)
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_bytes(zipped if form == "jsonl.gz" else gzip.decompress(zipped))
    hub = corpus(tmp_path if form == "folder" else path)
    original = {question.id: question for question in corpus(official).questions()}
    questions = list(hub.questions())
    assert len(questions) == len(rows) == 100
    assert Counter(question.split for question in questions) == {"train": 78, "test": 20, "validation": 2}
    for question in questions:
        same = original[question.id]
        assert (question.question, question.answers, question.slices) == (same.question, same.answers, same.slices)
        assert (question.gold, question.evidence, question.published) == (same.gold, same.evidence, same.published)
    assert {p.id for p in hub.passages()} == {name for question in questions for name in question.published or []}


def test_an_unzipped_file_gives_the_same(tmp_path, official):
    (tmp_path / DEV.removesuffix(".gz")).write_bytes(gzip.decompress((official / DEV).read_bytes()))
    (tmp_path / TRAIN).write_bytes((official / TRAIN).read_bytes())
    assert list(corpus(tmp_path).questions()) == list(corpus(official).questions())


# Splits


@pytest.mark.slow
def test_one_file_is_split_by_chance(official):
    hotpotqa = corpus(official / DEV)
    assert Counter(question.split for question in hotpotqa.questions()) == {"train": 392, "test": 100, "validation": 8}
    assert hotpotqa.counts["seeded_split"] == 1
    assert ids(hotpotqa, "test") != ids(corpus(official / DEV, 1), "test")
    assert ids(hotpotqa, "test") == ids(corpus(official / DEV, max_items=5, validation=0.5), "test")
    assert list(hotpotqa.passages()) == list(corpus(official / DEV, 1).passages())


@pytest.mark.slow
def test_max_items_are_nested_and_leave_all_else(official):
    few, more = (corpus(official / DEV, max_items=count) for count in (50, 120))
    assert (len(ids(few, "train")), len(ids(more, "train"))) == (50, 120)
    assert ids(few, "train") < ids(more, "train")
    assert ids(few, "validation") == ids(more, "validation")
    assert list(few.passages()) == list(more.passages())


def test_a_folder_with_one_part_is_split_visibly(tmp_path, official, caplog):
    (tmp_path / TRAIN).write_bytes((official / TRAIN).read_bytes())
    hotpotqa = corpus(tmp_path)
    assert Counter(question.split for question in hotpotqa.questions()) == {"train": 39, "test": 10, "validation": 1}
    assert hotpotqa.counts["test_part_missing"] == 1
    assert "contains no hotpot_dev_distractor_v1.json: the other file is split at random" in caplog.text


def test_test_questions_are_removed_from_training(tmp_path):
    written(tmp_path, [record("a"), record("b", question="Where IS it?")], "hotpot_dev_distractor_v1.json")
    train = [record("a", question="?!"), record("c", question="where is it"), record("d"), record("e")]
    written(tmp_path, train, "hotpot_train_v1.1.json")
    hotpotqa = corpus(tmp_path, validation=0.0)
    assert [(question.id, question.split) for question in hotpotqa.questions()] == [
        ("a", "test"),
        ("b", "test"),
        ("d", "train"),
        ("e", "train"),
    ]
    assert hotpotqa.counts["test_questions_removed_from_train"] == 2


def test_questions_of_the_same_words_go_one_way(tmp_path):
    rows = [record(str(number), question=f"Where is {number // 3}{'?' * (number % 3)}") for number in range(30)]
    written(tmp_path, [record("test")], "hotpot_dev_distractor_v1.json")
    written(tmp_path, rows, "hotpot_train_v1.1.json")
    alone = corpus(written(tmp_path, rows), validation=0.25)
    for hotpotqa, tested in ((corpus(tmp_path, validation=0.5), 1), (alone, 6)):
        questions = list(hotpotqa.questions())
        sides = Counter(question.split for question in questions)
        assert sides == {"test": tested, "validation": 15 if tested == 1 else 6, "train": 15 if tested == 1 else 18}
        assert len({(question.question, question.split) for question in questions}) == len(
            {question.question for question in questions}
        ), "questions with the same words share a split"


def test_repeated_training_questions_do_not_stop_the_build(tmp_path):
    rows = [record(str(number), question=f"Where is {number // 2}?") for number in range(12)]
    written(tmp_path, [record("test")], "hotpot_dev_distractor_v1.json")
    written(tmp_path, rows, "hotpot_train_v1.1.json")
    few = (f"corpus.path={tmp_path}", "corpus.validation=0.5", "dataset.allow_fewer=true")
    made = run(tmp_path / "store", *LOCAL, *few, only=["dataset[raft]"])
    assert {row.split for row in read_jsonl(made["dataset[raft]"] / "rows.jsonl", Example)} == {"train", "validation"}


# Records with holes


def test_holes_are_counted_and_not_trained_on(tmp_path):
    written(tmp_path, [record("test")], "hotpot_dev_distractor_v1.json")
    holes = [
        record("whole"),
        record("no answer", answer=None),
        record("no facts", supporting_facts="left out"),
        record("beyond", supporting_facts=[["One", 2], ["Two", 0]]),
        record(
            "empty sentence",
            supporting_facts=[["Two", 0], ["Three", 1]],
            context=[
                ["Two", ["Text."]],
                ["Three", ["More.", " "]],
                ["Four", []],
            ],
        ),
        record("absent", supporting_facts=[["Nowhere", 0]]),
        record("part", supporting_facts=[["One", 0], ["Nowhere", 0]]),
    ]
    written(tmp_path, holes, "hotpot_train_v1.1.json")
    hotpotqa = corpus(tmp_path, validation=0.0)
    assert [question.id for question in hotpotqa.questions()] == ["test", "whole"]
    counts = hotpotqa.counts
    assert (counts["without_answer"], counts["unresolved_facts"], counts["empty_paragraphs"]) == (1, 2, 1)
    assert (counts["gold_absent"], counts["gold_part"], counts["gold_whole"]) == (2, 1, 5)
    assert counts["not_trained_without_evidence"] == 5
    assert "Four" not in {passage.title for passage in hotpotqa.passages()}


def test_a_fact_that_is_named_twice_is_one(tmp_path):
    twice = record("a", supporting_facts=[["Two", 0], ["One", 1], ["Two", 0]])
    (question,) = corpus(written(tmp_path, [twice]), test_share=1.0).questions()
    assert [number for _, number in question.evidence] == [0, 1]
    assert [name.partition(":")[0] for name in question.gold] == ["Two", "One"]


def test_a_paragraph_of_many_records_is_one_passage_and_another_text_another(tmp_path):
    other = record("c", context=[["Zero", ["Something else."]], ["One", ["A town.", " In Two."]], ["Two", ["Paris."]]])
    hotpotqa = corpus(written(tmp_path, [record("a"), record("b"), other]))
    titles = Counter(passage.title for passage in hotpotqa.passages())
    assert titles == {"Zero": 2, "One": 1, "Two": 2}


def test_streams_start_before_the_file_is_read_through(tmp_path):
    many = json.dumps([record(str(number), context=[[str(number), ["Text."]]]) for number in range(5000)])
    path = written(tmp_path, many[: len(many) // 2])
    assert len(list(islice(corpus(path).passages(), 1000))) == 1000


# Errors: one line that names file, record and remedy


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([record("a"), record("b", question=" ")], r"hotpot\.json, record 2: field 'question' is missing or empty"),
        ([record("a", _id=None)], "record 1: field '_id' is missing"),
        ([record("a", context="text")], "record 1: field 'context' is 'text'; give a list or an object"),
        ([record("a", context=[["One"]])], "field 'context' holds .*; give pairs of title and sentences"),
        ([record("a", context=[["One", "text"]])], "field 'context' holds .*; give a title and a list of sentences"),
        ([record("a", supporting_facts=[["One", "1"]])], "field 'supporting_facts' holds .*sentence number"),
        ([record("a", context={"title": ["One"], "sentences": []})], "needs title and sentences of the same length"),
        ([{"PMID": "1", "QUESTION": "?"}], r"not a HotpotQA file: record 1 has the keys \['PMID', 'QUESTION'\]"),
        ({"a": record("a")}, "contains one object of records"),
        ("", "empty"),
        (json.dumps([record(str(number)) for number in range(900)])[:100_000], r"cut off after record \d+"),
    ],
)
def test_broken_records(tmp_path, records, message):
    hotpotqa = corpus(written(tmp_path, records))
    for stream in (hotpotqa.passages, hotpotqa.questions):
        with pytest.raises(DataError, match=message) as error:
            list(stream())
        assert "\n" not in str(error.value)


def test_missing_path_and_folder_without_records(tmp_path):
    with pytest.raises(DataError, match=r"'.*nowhere' does not exist"):
        corpus(tmp_path / "nowhere").files()
    with pytest.raises(DataError, match=r"contains no HotpotQA file \(looked for hotpot_train_v1\.1\.json, .*a file"):
        corpus(tmp_path).files()


def test_hub_that_cannot_be_reached_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hotpotqa = corpus(None)
    assert hotpotqa.files() == []
    with pytest.raises(DataError, match=r"'hotpotqa/hotpot_qa' \(distractor/train-\*\.parquet\) cannot be fetched"):
        next(hotpotqa.passages())


def test_hub_cache_serves_both_parts(tmp_path, monkeypatch, official):
    import pyarrow
    from pyarrow import parquet

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hotpotqa = corpus(None)
    folder = tmp_path / "datasets--hotpotqa--hotpot_qa" / "snapshots" / hotpotqa.config.revision / "distractor"
    folder.mkdir(parents=True)
    zipped = (official / "hf_hotpot_qa_distractor_validation.jsonl.gz").read_bytes()
    rows = [json.loads(line) for line in gzip.decompress(zipped).splitlines()]
    for name, part in (("train", rows[:60]), ("validation", rows[60:])):
        parquet.write_table(pyarrow.Table.from_pylist(part), folder / f"{name}-00000-of-00001.parquet")
    assert ids(hotpotqa, "test") == {row["id"] for row in rows[60:]}
    assert len(ids(hotpotqa, "train")) == 59
    assert {passage.source for passage in hotpotqa.passages()} == {
        f"hotpotqa/hotpot_qa {part}" for part in ("distractor/train", "distractor/validation")
    }


# Datasets and the whole study


LOCAL = ("+experiment=hotpotqa", "model=tiny", "trainer=cpu", "trainer.threads=1")
WHOLE = "model.max_length=8192"  # ten paragraphs fit: gold that a cut takes away is no gold any more


def rows_of(folder: Path, split: str) -> list[Example]:
    return [row for row in read_jsonl(folder / "rows.jsonl", Example) if row.split == split]


@pytest.mark.slow
def test_rows_of_the_experiment(tmp_path, official):
    labels = ("dataset[raft]", "dataset[test]")
    made = run(tmp_path, *LOCAL, WHOLE, f"corpus.path={official}", "evaluation.max_items=20", only=labels)
    dev, train = published(official / DEV), published(official / TRAIN)
    for row in rows_of(made["dataset[test]"], "test"):
        assert [passage.title for passage in row.context] == [title for title, _ in dev[row.id]["context"]]
        assert row.has_gold
    learned = rows_of(made["dataset[raft]"], "train")
    assert len(learned) == 49
    for row in learned:
        given, gold = {title for title, _ in train[row.id]["context"]}, dict(train[row.id]["supporting_facts"])
        assert {passage.title for passage in row.context if passage.gold} == set(gold)
        (distractor,) = (passage.title for passage in row.context if not passage.gold)
        assert distractor in given
        for title, number in train[row.id]["supporting_facts"]:
            sentence = dict(train[row.id]["context"])[title][number].strip()
            assert f"##begin_quote## {sentence} ##end_quote##" in row.target
        assert row.target.endswith(f"##Answer: {train[row.id]['answer']}")


@pytest.mark.slow
def test_full_wiki_rows_tell_what_gold_they_hold(tmp_path, official):
    fullwiki = ("corpus.setting=fullwiki", "evaluation.max_items=60", "evaluation.arms=[base]")
    made = run(tmp_path, *LOCAL, WHOLE, f"corpus.path={official}", *fullwiki, only=["dataset[test]"])
    tested = rows_of(made["dataset[test]"], "test")
    assert all(row.has_gold == (row.slices["gold"] == "whole") for row in tested)
    assert {row.slices["gold"] for row in tested} == {"whole", "part", "absent"}
    for row in tested:
        assert any(passage.gold for passage in row.context) == (row.slices["gold"] != "absent")
    audit = json.loads((made["dataset[test]"] / "audit.json").read_text())
    assert audit["gold_found"]["all_gold"] == sum(row.has_gold for row in tested) / 60


@pytest.mark.parametrize("context", ["retrieved", "gold_and_distractors"])
def test_gold_that_another_record_brings_is_gold_and_never_a_distractor(tmp_path, context):
    lacking = record("lacking", context=[["Zero", ["Nothing."]], ["One", ["A town.", " In Two."]]])
    others = [record(f"q{i}", context=[*record("x")["context"], [f"Of {i}", [f"Town {i}."]]]) for i in range(6)]
    written(tmp_path, [record(f"t{i}") for i in range(4)], "hotpot_train_v1.1.json")
    file = written(tmp_path, [lacking, *others], "hotpot_dev_fullwiki_v1.json")
    settings = ("corpus.setting=fullwiki", f"evaluation.context={context}", "evaluation.num_distractors=3")
    more = ("evaluation.distractors=random", "retriever.k=9", "evaluation.arms=[base]", "evaluation.max_items=null")
    made = run(tmp_path, *LOCAL, f"corpus.path={file.parent}", *settings, *more, only=["dataset[test]"])
    row = next(row for row in rows_of(made["dataset[test]"], "test") if row.id == "lacking")
    shown = {passage.document_id: passage.gold for passage in row.context}
    assert len(shown) == (9 if context == "retrieved" else 4)
    assert {title for title, gold in shown.items() if gold} == ({"One", "Two"} if context == "retrieved" else {"One"})
    assert not row.has_gold or context == "retrieved"
    if context == "gold_and_distractors":
        assert "Two" not in shown


def test_a_corpus_without_published_contexts_cannot_be_tested_in_them(tmp_path):
    with pytest.raises(DataError, match=r"published without a context; use evaluation\.context=gold_and_distractors"):
        run(tmp_path, "corpus.num_entities=40", "evaluation.context=given", "evaluation.arms=[base]")


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["distractor", "fullwiki"])
def test_the_study_runs_end_to_end(tmp_path, official, setting):
    small = ("trainer.max_steps=2", "trainer.batch_size=4", "evaluation.max_items=6", "model.max_new_tokens=24")
    done = raft_exp(tmp_path, *LOCAL, f"corpus.path={official}", f"corpus.setting={setting}", *small)
    assert done.returncode == 0, done.stderr
    results = json.loads((run_folder(tmp_path) / "results.json").read_text())
    assert "supporting_f1" in results["arms"]["raft"]["metrics"]
    assert "supporting_f1" not in results["arms"]["rag"]["metrics"], "an arm that does not reason quotes nothing"
    assert {"type", "level"} <= set(results["slices"])
