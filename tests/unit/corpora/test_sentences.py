import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from raft_exp.corpora.sentences import split_sentences

# What text from abstracts and documents is made of, and what splitters stumble over.
WORDS = ["A", "B", "word", "vs.", "i.e.", "et al.", "P = .03", "1.", "a)", "é", "µ", "ß", "\U0001d4b3", "\u0301"]
MARKS = ["(", ")", ".", "!", "?", "…", "。", '"', "“", "”", "\x00", "\ufeff", "\ud800"]
SPACES = ["\n", "\n\n", "\r\n", "\t", " ", "  ", "\u00a0", "\u2009", "\u3000", "\u2029", "\x85", "\x1c"]
PIECES = st.sampled_from([*WORDS, *MARKS, *SPACES])


@given(st.text() | st.lists(PIECES, max_size=30).map("".join))
@example("")
@example(" \n")
@example("vitamin B\u00a0. Next")  # the splitter's own slip on wide white space after a capital
@example("lone \udcff surrogate. Kept.")
def test_nothing_is_lost(text):
    sentences = split_sentences(text)
    assert "".join(sentences) == text
    assert all(sentence.strip() for sentence in sentences) or not text.strip()
    assert not any(sentence.endswith((" ", "\n")) for sentence in sentences[:-1])


@pytest.mark.parametrize(
    "sentences",
    [
        ["Group A vs. group B differed (P = .03).", " Smith et al. saw no change, i.e. 3.5 mg were enough."],
        ["E. coli was found in 12 (24 %) of them.", " S. aureus was not."],
        ["Does it help?", " It does!", " We think so."],
        ["First paragraph.", "\n\nSecond paragraph."],
        ["It fell by 12\u00a0% (P<0.05).", "\u2009It rose later."],
        ["One sentence without an end "],
    ],
)
def test_sentences_of_abstracts(sentences):
    assert split_sentences("".join(sentences)) == sentences


def test_real_abstracts(test_data):
    records = json.loads((test_data / "pubmedqa" / "ori_pqal.json").read_text(encoding="utf-8"))
    texts = [text for record in records.values() for text in record["CONTEXTS"]]
    split_texts = [split_sentences(text) for text in texts]
    assert ["".join(sentences) for sentences in split_texts] == texts
    assert 2.5 < sum(map(len, split_texts)) / len(texts) < 3.5  # stored evidence counts sentences: a jump is a change
