import gzip
import json
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
import yaml

from raft_exp.core.errors import DataError
from raft_exp.corpora.pubmedqa import Pubmedqa, PubmedqaConfig
from tests.helpers import files

CONF = Path(__file__).parents[3] / "conf" / "corpus" / "pubmedqa.yaml"


def corpus(path: Path | None, seed: int = 0, **changes: object) -> Pubmedqa:
    settings = yaml.safe_load(CONF.read_text(encoding="utf-8"))
    return Pubmedqa(PubmedqaConfig(**{**settings, "path": path and str(path), **changes}), seed)


def ids(source: Pubmedqa, split: str) -> set[str]:
    return {question.id for question in source.questions() if question.split == split}


def record(**changes: object) -> dict[str, object]:
    whole = {
        "QUESTION": "Does it help?",
        "CONTEXTS": ["It was tried. It was good.", "All were well."],
        "LABELS": ["METHODS", "RESULTS"],
        "LONG_ANSWER": "It helps.",
        "final_decision": "yes",
    }
    return files.changed(whole, **changes)


def written(folder: Path, records: object, name: str = "ori_pqal.json") -> Path:
    return files.json_file(folder, records, name)


@pytest.fixture
def official(test_data: Path) -> Path:
    return test_data / "pubmedqa"


@pytest.fixture
def labeled(official: Path) -> dict[str, dict[str, object]]:
    records: dict[str, dict[str, object]] = json.loads((official / "ori_pqal.json").read_text(encoding="utf-8"))
    return records


# The real records


def test_official_records(official, labeled):
    pubmedqa = corpus(official, train="pqa_labeled")
    questions = list(pubmedqa.questions())
    truth = json.loads((official / "test_ground_truth.json").read_text())
    test = {question.id: question.answers[0] for question in questions if question.split == "test"}
    assert test == truth
    assert Counter(test.values()) == {"yes": 83, "no": 43, "maybe": 24}
    assert Counter(question.split for question in questions) == {"train": 350, "test": 150}
    assert Counter(question.slices["class"] for question in questions) == {"yes": 276, "no": 169, "maybe": 55}
    assert sum(question.slices["year"] == "" for question in questions) == 36
    assert all(question.explanation == labeled[question.id]["LONG_ANSWER"] for question in questions)
    assert pubmedqa.files() == [official / "ori_pqal.json", official / "test_ground_truth.json"]
    assert pubmedqa.counts["records"] == 500


def test_sections_are_passages_and_all_of_them_gold(official, labeled):
    pubmedqa = corpus(official)
    passages = {passage.id: passage for passage in pubmedqa.passages()}
    assert len(passages) == sum(len(one["CONTEXTS"]) for one in labeled.values()) == pubmedqa.counts["passages"]
    for question in pubmedqa.questions():
        gold = [passages[name] for name in question.gold]
        assert [passage.text for passage in gold] == labeled[question.id]["CONTEXTS"]
        assert [passage.place for passage in gold] == [f"section {name}" for name in labeled[question.id]["LABELS"]]
        assert {passage.document_id for passage in gold} == {question.id}
        assert question.question not in {passage.title for passage in gold}
    assert all("".join(passage.sentences) == passage.text for passage in passages.values())
    assert {passage.source for passage in passages.values()} == {"ori_pqal.json"}


def test_abstracts_are_passages(official, labeled):
    pubmedqa = corpus(official, passage="abstract")
    passages = {passage.id: passage for passage in pubmedqa.passages()}
    assert {pmid: passage.text for pmid, passage in passages.items()} == {
        pmid: "\n".join(one["CONTEXTS"]) for pmid, one in labeled.items()
    }
    assert all("".join(passage.sentences) == passage.text for passage in passages.values())
    assert all(question.gold == [question.id] for question in pubmedqa.questions())


def test_absent_training_subset_falls_back_visibly(official, caplog):
    pubmedqa = corpus(official, train="pqa_artificial")
    assert Counter(question.split for question in pubmedqa.questions()) == {"train": 350, "test": 150}
    assert pubmedqa.counts["train_subset_missing"] == 1
    assert "corpus.train uses pqa_labeled instead" in caplog.text


def test_without_ground_truth_the_shipped_list_decides(tmp_path, labeled):
    other = {str(number): record(final_decision=decision) for number, decision in enumerate(["yes", "no", "maybe"], 1)}
    written(tmp_path, {**labeled, **other})
    pubmedqa = corpus(tmp_path, train="pqa_labeled")
    assert ids(pubmedqa, "test") == set(other)
    assert ids(pubmedqa, "train") == set(labeled)
    assert pubmedqa.counts["seeded_split"] == 0


def test_ground_truth_of_all_records_is_not_a_split(tmp_path, labeled):
    written(tmp_path, {**labeled, "1": record()})
    written(tmp_path, dict.fromkeys([*labeled, "1"], "yes"), "test_ground_truth.json")
    assert ids(corpus(tmp_path, train="pqa_labeled"), "test") == {"1"}


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "parquet", "folder"])
def test_hub_layout_in_every_container(tmp_path, official, labeled, form):
    lines = (official / "hf_pqa_labeled.derived20.jsonl").read_bytes()
    rows = [json.loads(line) for line in lines.splitlines()]
    path = tmp_path / f"my_rows.{form}"
    if form == "parquet" or form == "folder":
        import pyarrow
        from pyarrow import parquet

        path = path if form == "parquet" else tmp_path / "pqa_labeled" / "train-00000-of-00001.parquet"
        path.parent.mkdir(exist_ok=True)
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_bytes(gzip.compress(lines) if form.endswith("gz") else lines)
    pubmedqa = corpus(tmp_path if form == "folder" else path, train="pqa_labeled")
    questions = list(pubmedqa.questions())
    assert Counter(question.split for question in questions) == {"train": 16, "test": 4}
    assert pubmedqa.counts["seeded_split"] == 1
    assert pubmedqa.files() == [path]
    for question in questions:
        published = labeled[question.id]
        assert question.answers == [published["final_decision"]]
        assert question.question == published["QUESTION"]
        assert question.explanation == published["LONG_ANSWER"]
    passages = list(pubmedqa.passages())
    assert [passage.text for passage in passages] == [
        text for row in rows for text in labeled[str(row["pubid"])]["CONTEXTS"]
    ]


def test_zipped_published_file(tmp_path, official):
    (tmp_path / "ori_pqal.json.gz").write_bytes(gzip.compress((official / "ori_pqal.json").read_bytes()))
    zipped, plain = corpus(tmp_path), corpus(official)
    assert [p.text for p in zipped.passages()] == [p.text for p in plain.passages()]


@pytest.mark.parametrize(("name", "answers", "sections"), [("pqaa", ["yes"], 4), ("pqau", [], 7)])
def test_samples_of_the_other_subsets(official, name, answers, sections):
    pubmedqa = corpus(official / f"ori_{name}.sample.json")
    (question,) = pubmedqa.questions()
    assert (question.answers, len(question.gold)) == (answers, sections)
    assert [passage.id for passage in pubmedqa.passages()] == question.gold
    assert pubmedqa.counts["without_decision"] == (not answers)


# Splits


def test_labeled_records_validate_a_training_on_another_subset(tmp_path, official, labeled):
    test = list(json.loads((official / "test_ground_truth.json").read_text()))
    rest = [pmid for pmid in labeled if pmid not in test]
    for name in ("ori_pqal.json", "test_ground_truth.json"):
        (tmp_path / name).write_bytes((official / name).read_bytes())
    own = {str(number): record() for number in range(1, 31)}
    written(tmp_path, {**own, test[0]: record(), test[1]: record(), rest[0]: record()}, "ori_pqaa.json")
    pubmedqa = corpus(tmp_path, train="pqa_artificial", validation=0.5)
    assert (ids(pubmedqa, "train"), ids(pubmedqa, "validation")) == (set(own), set(rest))
    assert ids(pubmedqa, "test") == set(test)
    assert pubmedqa.counts["test_ids_removed_from_train"] == 2
    assert pubmedqa.counts["validation_ids_removed_from_train"] == 1
    passages = list(pubmedqa.passages())
    assert len({passage.id for passage in passages}) == len(passages)
    copied = [passage.text for passage in passages if passage.document_id == test[0]]
    assert copied == labeled[test[0]]["CONTEXTS"]


def test_validation_share_is_of_the_training_articles(official):
    whole = corpus(official, train="pqa_labeled")
    shared = corpus(official, train="pqa_labeled", validation=0.1)
    validation, train = ids(shared, "validation"), ids(shared, "train")
    assert len(validation) == 35
    assert validation | train == ids(whole, "train")
    assert not validation & train
    assert ids(shared, "test") == ids(whole, "test")
    assert validation != ids(corpus(official, 1, train="pqa_labeled", validation=0.1), "validation")


def test_max_items_are_nested_and_leave_all_else(official):
    few, more = (corpus(official, train="pqa_labeled", validation=0.1, max_items=count) for count in (50, 120))
    assert (len(ids(few, "train")), len(ids(more, "train"))) == (50, 120)
    assert ids(few, "train") < ids(more, "train")
    assert ids(few, "validation") == ids(more, "validation")
    assert len(ids(few, "test")) == 150
    assert len(list(few.passages())) == len(list(more.passages())) == 1669


def test_passages_and_order_do_not_depend_on_the_seed(official):
    one, other = corpus(official, 1), corpus(official, 2, max_items=3)
    assert list(one.passages()) == list(other.passages())
    assert list(corpus(official, 1).questions()) == list(one.questions())


def test_test_share_of_a_file_without_official_test(official, tmp_path):
    path = tmp_path / "alone.json"
    path.write_bytes((official / "ori_pqal.json").read_bytes())
    assert len(ids(corpus(path, test_share=0.3), "test")) == 150
    assert len(ids(corpus(path, test_share=0.001), "test")) == 1


def test_file_beside_a_foreign_ground_truth(tmp_path):
    written(tmp_path, {"9": "yes"}, "test_ground_truth.json")
    path = written(tmp_path, {str(number): record() for number in range(5)}, "ori_pqaa.json")
    pubmedqa = corpus(path)
    assert Counter(question.split for question in pubmedqa.questions()) == {"train": 4, "test": 1}
    assert pubmedqa.counts["seeded_split"] == 1


# Records with holes


def test_empty_sections_and_articles_without_context(tmp_path):
    holes = {
        "1": record(CONTEXTS=["", "Kept.", " \n"], LABELS=["A", "B", "C"]),
        "2": record(CONTEXTS=["", ""]),
        "3": record(CONTEXTS=[], LABELS=[]),
        "4": record(LABELS=["ONE"]),
    }
    pubmedqa = corpus(written(tmp_path, holes, "any.json"))
    assert [(p.id, p.place) for p in pubmedqa.passages()] == [("1:1", "section B"), ("4:0", ""), ("4:1", "")]
    assert [(question.id, question.gold) for question in pubmedqa.questions()] == [
        ("1", ["1:1"]),
        ("4", ["4:0", "4:1"]),
    ]
    assert (pubmedqa.counts["empty_sections"], pubmedqa.counts["without_context"]) == (4, 2)
    abstracts = corpus(tmp_path / "any.json", passage="abstract")
    assert next((p.id, p.text) for p in abstracts.passages()) == ("1", "Kept.")


def test_streams_start_before_the_file_is_read_through(tmp_path):
    many = json.dumps({str(number): record() for number in range(5000)})
    path = written(tmp_path, many[: len(many) // 2], "cut.json")
    assert len(list(islice(corpus(path).passages(), 1000))) == 1000


# Errors: one line that names file, record and remedy


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({"7": record(QUESTION="left out")}, r"ori_pqal\.json: PMID 7 has no QUESTION; add it or remove the record"),
        ({"7": record(QUESTION=" ")}, "PMID 7 has no QUESTION"),
        ({"7": record(CONTEXTS="one string")}, "PMID 7 has CONTEXTS that is not a list of strings; correct"),
        ({"7": record(CONTEXTS=["fine", 3])}, "PMID 7 has CONTEXTS that is not a list of strings"),
        ({"7": record(CONTEXTS="left out")}, "PMID 7 has CONTEXTS that is not a list of strings"),
        ({"7": record(final_decision="perhaps")}, r"PMID 7 has the decision 'perhaps'; .*yes, no, maybe"),
        ({"7": record(final_decision=["yes"])}, r"PMID 7 has the decision \['yes'\]"),
        ('{"7": %s, "8": %s, "7": %s}' % ((json.dumps(record()),) * 3), "PMID 7 comes twice"),
        ({"7": {"title": "x"}}, r"not a PubMedQA file: record '7' has the keys \['title'\]"),
        ([{"_id": "a", "question": "?", "context": []}], "not a PubMedQA file: record 1"),
        ('{"pubid": 7, "question": "?", "context": "text"}\n', "PMID 7 has contexts that is not a list of strings"),
        ('{"pubid": 7, "context": {"contexts": []}}\n', "PMID 7 has no question"),
        ('{"pubid": 7, "question": "?", "context": {"contexts": []}}\n{"pubid": null}\n', "record 2: pubid is None"),
        ("", "empty"),
        (json.dumps({str(number): record() for number in range(900)})[:100_000], r"cut off after '\d+' \(record \d+"),
    ],
)
def test_broken_records(tmp_path, records, message):
    pubmedqa = corpus(written(tmp_path, records))
    for stream in (pubmedqa.passages, pubmedqa.questions):
        with pytest.raises(DataError, match=message) as error:
            list(stream())
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ({"9": "yes"}, r"test_ground_truth\.json: PMID 9 is not in the data"),
        ({"7": "no"}, "PMID 7 is 'no' in this file and 'yes' in the data"),
        ({"7": "sure"}, "PMID 7 has the decision 'sure'"),
        (["7"], "expected a JSON object"),
        ('{"7": ', "not JSON"),
    ],
)
def test_broken_ground_truth(tmp_path, truth, message):
    written(tmp_path, {"7": record(), "8": record()})
    written(tmp_path, truth, "test_ground_truth.json")
    with pytest.raises(DataError, match=message):
        list(corpus(tmp_path, train="pqa_labeled").questions())


def test_missing_path_and_folder_without_records(tmp_path):
    with pytest.raises(DataError, match=r"'.*nowhere' does not exist"):
        corpus(tmp_path / "nowhere").files()
    with pytest.raises(DataError, match=r"contains no pqa_artificial \(looked for ori_pqaa\.json, .*nor pqa_labeled"):
        corpus(tmp_path).files()


def test_hub_that_cannot_be_reached_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    pubmedqa = corpus(None)
    assert pubmedqa.files() == []
    with pytest.raises(
        DataError, match=r"'qiaojin/PubMedQA' \(pqa_labeled/\*\.parquet\) cannot be fetched.*corpus\.path=DIR"
    ):
        next(pubmedqa.passages())


def test_hub_cache_serves_all_subsets(tmp_path, monkeypatch, official):
    import pyarrow
    from pyarrow import parquet

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    pubmedqa = corpus(None)
    snapshot = tmp_path / "datasets--qiaojin--PubMedQA" / "snapshots" / pubmedqa.config.revision
    rows = [json.loads(line) for line in (official / "hf_pqa_labeled.derived20.jsonl").read_text().splitlines()]
    for name, part in (("pqa_labeled", rows[:8]), ("pqa_artificial", rows[8:])):
        (snapshot / name).mkdir(parents=True)
        parquet.write_table(pyarrow.Table.from_pylist(part), snapshot / name / "train-00000-of-00001.parquet")
    assert ids(pubmedqa, "train") == {str(row["pubid"]) for row in rows[8:]}
    assert len(ids(pubmedqa, "validation") | ids(pubmedqa, "test")) == 8
    assert {p.source for p in pubmedqa.passages()} == {
        "qiaojin/PubMedQA pqa_labeled",
        "qiaojin/PubMedQA pqa_artificial",
    }
