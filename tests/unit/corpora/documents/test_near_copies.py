"""Passages that repeat others: those without anything new are left out, those with words of their own are kept."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.shingles import shingles, units
from raft_exp.corpora import open_corpus
from raft_exp.corpora.documents import Documents
from raft_exp.corpora.documents.near_copies import NearCopies, sketch
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose
from tests.helpers.worlds import EXAMPLES

TEXT = (
    "The warranty of the pump lasts two years from the day of delivery. It covers the motor, the seal and the housing. "
    "Wear of the filter is not covered. Damage must be told within 14 days, in writing, to the office in Velmor. Parts "
    "that were changed belong to the seller, who may repair them or send new ones, and who pays for their way."
)


def ingested(folder, tmp_path, *overrides):
    how = ("corpus=documents", f"corpus.path={folder}", f"store={tmp_path / 'store'}", "corpus.workers=1", *overrides)
    opened = open_corpus(parse(compose(*how)).corpus)
    assert isinstance(opened, Documents)
    return opened, list(opened.passages())


@pytest.fixture
def folder(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "a.txt").write_text(TEXT + " Further rules stand in the contract.")
    return own


@pytest.mark.parametrize(
    ("later", "found"),
    [
        (TEXT.upper().replace(".", "").replace(" ", "\n"), "near_duplicates"),
        (TEXT.replace("day of delivery", "day of  “delivery”"), "near_duplicates"),
        (TEXT[TEXT.index("It covers") :], "near_duplicates"),
        (TEXT.replace("two years", "three years"), "similar"),
        (TEXT.replace("14", "-14"), "similar"),
        (TEXT.replace("the seal and", "the seal, not"), "similar"),
        ("The warranty of the mill is another matter, " + TEXT[40:70], None),
        ("Wear of the filter is not covered.", None),
    ],
)
def test_what_holds_nothing_new_is_left_out_and_the_rest_kept(folder, tmp_path, later, found):
    (folder / "b.txt").write_text(later)
    opened, passages = ingested(folder, tmp_path)
    kept = found != "near_duplicates"
    assert [passage.document_id for passage in passages] == ["a.txt", "b.txt"][: 1 + kept]
    for name in ("near_duplicates", "similar"):
        assert opened.counts[name] == (name == found)
        assert opened.report.as_dict()[name] == (name == found)
        assert {row["file"]: row[name] for row in opened.report.as_dict()["documents"]} == {
            "a.txt": 0,
            "b.txt": name == found,
        }
    assert bool(opened.report.remarks()) == (found is not None)


@pytest.mark.slow
def test_similar_passages_and_none_by_choice(folder, tmp_path):
    (folder / "b.txt").write_text(TEXT.replace("two years", "three years"))
    (folder / "c.txt").write_text(TEXT.upper())
    for choice, kept in (("contained", "ab"), ("similar", "a"), ("keep", "abc")):
        _, passages = ingested(folder, tmp_path, f"corpus.chunk.near_copies={choice}")
        assert [passage.document_id[0] for passage in passages] == list(kept), choice


def test_passages_that_overlap_are_no_copies(tmp_path):
    own = tmp_path / "own.txt"
    own.write_text(" ".join(f"Sentence {number} tells about the mill number {number * 7}." for number in range(60)))
    overrides = ("corpus.chunk.size=200", "corpus.chunk.overlap=190", "corpus.chunk.near_copies=similar")
    opened, passages = ingested(own, tmp_path, *overrides)
    assert len(passages) > 20
    assert opened.counts["near_duplicates"] == 0


WORDS = st.lists(st.integers(0, 400), min_size=50, max_size=80, unique=True)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4), st.data())
def test_what_is_left_out_stands_in_an_earlier_passage(earlier, data):
    """No run of words is lost, whatever is left out; and a part that is most of an earlier text is left out."""
    texts = [" ".join(f"w{word}" for word in words) for words in earlier]
    near = NearCopies(lambda number: (number, texts[number]))
    for number, text in enumerate(texts):
        near.add(sketch(text), number)
    source = data.draw(st.sampled_from(earlier))
    cut = data.draw(st.integers(0, 2))
    later = " ".join(f"w{word}" for word in source[cut:])
    changed = data.draw(st.booleans())
    if changed:
        place = data.draw(st.integers(0, len(source[cut:]) - 1))
        later = " ".join("new" if at == place else f"w{word}" for at, word in enumerate(source[cut:]))
    found = near.find(later, sketch(later), len(texts))
    assert found
    assert found.kind == ("similar" if changed else "contained")
    if found.kind == "contained":
        assert not changed
        assert set(shingles(units(later)).tolist()) <= set(shingles(units(texts[found.earlier])).tolist())


@pytest.mark.slow
def test_the_study_tells_them(folder, tmp_path):
    from tests.helpers.command_line import raft_exp

    (folder / "b.txt").write_text(TEXT.upper())
    (folder / "c.txt").write_text(TEXT.replace("two years", "three years"))
    study = ("+experiment=documents", "model=tiny", "trainer=cpu", f"corpus.path={folder}", "until=ingest")
    done = raft_exp(tmp_path, *study)
    assert done.returncode == 0, done.stderr
    told = " ".join((done.stdout + done.stderr).split())
    assert "1 passage left out: 0 have the same words as an earlier passage, 1 nearly repeat" in told
    assert "1 passage kept although similar to a passage of another document" in told
    (report,) = (tmp_path / "store" / "ingest").glob("*/ingest_report.json")
    assert json.loads(report.read_text())["near_duplicates"] == 1


def test_the_gold_of_a_copy_is_the_passage_that_was_kept(tmp_path):
    from raft_exp.core.collection import Passages
    from tests.helpers.stages import run

    own = tmp_path / "own"
    own.mkdir()
    (own / "a.txt").write_text(TEXT)
    (own / "b.txt").write_text(TEXT.upper())
    (own / "c.txt").write_text(TEXT)
    (own / "d.txt").write_text("Another text.")
    how = ("corpus=documents", f"corpus.path={own}", "model=tiny", "trainer=cpu")
    collection = Passages(run(tmp_path / "store", *how, until="ingest")["ingest"])
    assert len(collection) == 2
    assert [collection.of_document(f"{name}.txt") for name in "abcde"] == [[0], [0], [0], [1], []]


TEXTS = st.lists(st.text(st.sampled_from("abz09 .,;-\n"), min_size=1, max_size=8), min_size=20, max_size=60).map(
    " ".join
)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(TEXTS, st.data())
def test_a_sketch_tells_only_the_words_and_their_order(text, data):
    """Case, punctuation and blanks make no difference, in ASCII and in other texts."""
    other = "".join(data.draw(st.sampled_from([sign, sign.upper()])) for sign in text).replace(" ", "  \n")
    assert sketch(text) == sketch(other)
    assert sketch(text + " é") == sketch(other + " É.")
    words = units(text)
    assert bool(sketch(text)) == (len(words) >= 20)
    if sketch(text) and len(sketch(text)) == 4:
        assert min(sketch(" ".join(words))) == sketch(text)[0]
