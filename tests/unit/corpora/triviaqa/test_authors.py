"""The authors' layout: evidence files cut into passages, verified questions, aliases; and the hub's columns."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.errors import DataError
from raft_exp.core.triviaqa import normalize
from raft_exp.corpora.readers.fields import Fields
from raft_exp.corpora.triviaqa.aliases import accepted
from raft_exp.corpora.triviaqa.evidence import passages_of
from raft_exp.pipeline.fingerprints import Fingerprints
from raft_exp.pipeline.store import Store
from tests.helpers.natural_questions import by_id, split
from tests.helpers.triviaqa import archive, corpus, record

RIVERS = "The Avon is long. " * 12 + "Bath lies on the Avon. It is old. " + "Trees grow there. " * 12 + "Bath again."


def made(folder: Path) -> Path:
    train = [
        record("t1", "Which city lies on the Avon?", "Bath", "City of Bath", pages={"Avon.txt": "Avon"}),
        record("t2", "Which city is old?", "Rome", pages={"Avon.txt": "Avon"}),
        record("t3", "Where is it cold?", "Oslo", pages={"None.txt": "None"}),
        record("t4", "which city  LIES on the Thames", "Bath", pages={"Avon.txt": "Avon"}),
    ]
    test = [
        record("v1", "Which city lies on the Thames?", "London", pages={"Thames.txt": "Thames"}),
        record("v2", "Which river is it?", "Isis", pages={"Thames.txt": "Thames"}),
        record("v3", "Not checked?", "London", pages={"Thames.txt": "Thames"}, QuestionPartOfVerifiedEval=False),
    ]
    evidence = {"wikipedia/Avon.txt": RIVERS, "wikipedia/Thames.txt": "London lies on the Thames. It rains."}
    return archive(folder, {"wikipedia-train": train, "verified-wikipedia-dev": test}, evidence)


def test_evidence_becomes_passages_with_one_gold(tmp_path: Path) -> None:
    trivia = corpus(made(tmp_path), train="wikipedia", test="verified_wikipedia", words=30)
    passages = by_id(trivia)
    (question,) = split(trivia, "train")
    assert (question.id, question.answers) == ("t1", ["Bath", "City of Bath"])
    assert "Bath lies on the Avon." in passages[question.gold[0]].text
    assert question.also_answering == [], "other passages with the answer are not in the training part"
    assert all("Bath" not in passages[name].text for name in question.given)
    assert question.given
    assert passages[question.gold[0]].sentences[question.evidence[0][1]].strip() == "Bath lies on the Avon."
    assert max(len(passage.text.split()) for passage in passages.values()) <= 30
    counts = trivia.counts
    assert (counts["without_gold"], counts["test_questions_removed_from_train"]) == (2, 1)
    assert counts["evidence_files_missing"] == 1


def test_verified_questions_alone_are_the_test_and_none_is_lost(tmp_path: Path) -> None:
    trivia = corpus(made(tmp_path), train="wikipedia", test="verified_wikipedia")
    tested = split(trivia, "test")
    assert [question.id for question in tested] == ["v1", "v2"]
    assert all(question.gold and question.published is None for question in tested)
    assert (trivia.counts["not_verified"], trivia.counts["gold_without_answer"]) == (1, 1)


def test_a_folder_without_dprs_files_reads_the_authors(tmp_path: Path) -> None:
    trivia = corpus(made(tmp_path))
    assert {question.split for question in trivia.questions()} == {"train", "test"}
    assert (trivia.counts["train_file_missing"], trivia.counts["test_file_missing"]) == (1, 1)


def keys(folder: Path, store: Path) -> dict[str, str]:
    """The content hashes in the keys of the stages that read the folder."""
    return Fingerprints(Store(store))(corpus(folder).files())


def test_every_change_of_the_evidence_gives_a_new_key(tmp_path: Path) -> None:
    folder, store = made(tmp_path / "data"), tmp_path / "store"
    avon = folder / "evidence" / "wikipedia" / "Avon.txt"
    seen = [keys(folder, store)]
    assert set(seen[0]) == {"wikipedia-train.json", "verified-wikipedia-dev.json", "evidence"}
    avon.write_text(avon.read_text().replace("Bath", "Rome"))  # of the same size
    os.utime(avon, ns=(1, 1))  # within one tick of the file system's clock
    seen.append(keys(folder, store))
    (folder / "evidence" / "wikipedia" / "None.txt").write_text("Oslo is cold.")
    seen.append(keys(folder, store))
    avon.rename(avon.with_name("Isis.txt"))
    seen.append(keys(folder, store))
    assert len({each["evidence"] for each in seen}) == len(seen)
    assert keys(folder, tmp_path / "other") == seen[-1], "the hash is of the content, not of what the store remembers"


def test_evidence_files_are_read_again_only_after_a_change_of_size_or_time(tmp_path: Path) -> None:
    folder, store = made(tmp_path / "data"), tmp_path / "store"
    avon, first = folder / "evidence" / "wikipedia" / "Avon.txt", keys(folder, store)
    before = avon.stat()
    avon.write_text(avon.read_text().replace("Bath", "Rome"))
    os.utime(avon, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert keys(folder, store) == first
    assert keys(folder, tmp_path / "other") != first


def test_a_file_name_outside_the_evidence_is_refused(tmp_path: Path) -> None:
    rows = [record("t1", "Who?", "Ada", pages={"../../secret.txt": "Secret"})]
    folder = archive(tmp_path, {"wikipedia-train": rows}, {"wikipedia/a.txt": "Ada."})
    with pytest.raises(DataError, match=r"EntityPages 1: Filename is '\.\./\.\./secret\.txt', outside the folder"):
        list(corpus(folder / "qa" / "wikipedia-train.json").questions())


def test_the_hubs_columns_say_the_same(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    answer = {"value": "Bath", "aliases": ["City of Bath"], "normalized_aliases": ["bath", "city of bath"]}
    rows = [
        {
            "question": "Which city lies on the Avon?",
            "question_id": "t1",
            "answer": answer,
            "entity_pages": {"title": ["Avon"], "wiki_context": [RIVERS]},
            "search_results": {"title": [], "search_context": []},
        }
    ]
    (tmp_path / "hub" / "rc.wikipedia").mkdir(parents=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "hub/rc.wikipedia/train-00000-of-00001.parquet")
    of_hub = list(corpus(tmp_path / "hub", train="wikipedia", test_share=0.0).questions())
    authors = archive(
        tmp_path / "authors",
        {
            "wikipedia-train": [
                record("t1", "Which city lies on the Avon?", "Bath", "City of Bath", pages={"Avon.txt": "Avon"})
            ]
        },
        {"wikipedia/Avon.txt": RIVERS},
    )
    assert of_hub == list(corpus(authors, train="wikipedia", test_share=0.0).questions())


texts = st.lists(st.text(alphabet="aAb B'-_./1é", min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=5)


@given(texts, texts, st.lists(st.text(alphabet="ab c", min_size=1, max_size=6).filter(str.strip), max_size=2))
def test_the_accepted_forms_are_those_of_the_script(aliases: list[str], official: list[str], human: list[str]) -> None:
    names = {name: name for name in ("Value", "Aliases", "NormalizedAliases", "HumanAnswers")}
    normalised = [normalize(text) for text in [*official, aliases[0]]]
    row = {"Value": aliases[0], "Aliases": aliases, "NormalizedAliases": normalised, "HumanAnswers": human}
    answers = accepted(Fields("here", row), names)
    assert {normalize(text) for text in answers} == {*normalised, *(normalize(text) for text in human)}
    assert answers[0] == aliases[0], "the value is the target"


@given(st.text(alphabet="abc. \n", max_size=400), st.integers(1, 12))
def test_passages_hold_every_word_once(text: str, words: int) -> None:
    passages = list(passages_of(text, words))
    assert "".join("".join(passages).split()) == "".join(text.split())
    assert all(0 < len(passage.split()) <= words for passage in passages)
