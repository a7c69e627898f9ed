"""The passage collection on disk."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.collection import Passages, fingerprint, write_passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage


def passage(name: str, text: str = "text", document: str = "d") -> Passage:
    return Passage(name, document, "title", text, "page 1", [text], "made")


@given(st.dictionaries(st.text(st.characters(exclude_categories=()), max_size=12), st.text(max_size=60), min_size=1))
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("collection")
    made = [passage(name, text) for name, text in texts.items()]
    assert write_passages(folder, made) == len(made)
    found = Passages(folder)
    assert list(found) == made
    assert [found[found.find(name)].text for name in texts] == list(texts.values())


def test_copies_have_one_fingerprint():
    assert fingerprint("The  Mill\n") == fingerprint("the mill")
    assert fingerprint("the mill") != fingerprint("the mills")


def test_errors_name_the_id(tmp_path):
    with pytest.raises(DataError, match="'b' occurs twice"):
        write_passages(tmp_path, [passage("a"), passage("b"), passage("b")])
    with pytest.raises(DataError, match="no passages"):
        write_passages(tmp_path, [])
    write_passages(tmp_path, [passage("a")])
    with pytest.raises(DataError, match="'zz': a question names this passage"):
        Passages(tmp_path).find("zz")
    with pytest.raises(IndexError):
        Passages(tmp_path)[-1]
