"""Records come back from their lines as they were written, whatever stands in them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.errors import DataError
from raft_exp.core.records import (
    Answer,
    ContextPassage,
    Example,
    Passage,
    Question,
    Target,
    dumps,
    loads,
    parse,
    read_jsonl,
    read_rows,
    write_jsonl,
)

# Surrogates too: what is decoded with `surrogateescape` holds them.
text = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(
    ["\ud800", "a\udfff\u2028", '"\\\n\t\0', "\x85"]
)
texts = st.lists(text, max_size=3)
slices = st.dictionaries(text, text, max_size=2)
passage = st.builds(Passage, text, text, text, text, text, texts, text)
question = st.builds(
    Question,
    text,
    text,
    texts,
    texts,
    text,
    texts,
    st.lists(st.tuples(text, st.integers(0, 9)), max_size=2),
    text,
    slices,
    st.none() | texts,
    st.integers(0, 3),
)
target = st.builds(Target, text, text, text)
shown = st.builds(ContextPassage, text, text, text, text, st.booleans(), text)
example = st.builds(
    Example,
    text,
    text,
    texts,
    st.lists(shown, max_size=2),
    st.booleans(),
    text,
    st.booleans(),
    st.lists(st.dictionaries(st.sampled_from(["role", "content"]), text), max_size=2),
    text,
    slices,
)
answer = st.builds(Answer, text, text, st.booleans(), st.integers(0, 9), st.integers(0, 9), st.booleans())


@given(st.one_of(passage, question, target, example, answer))
def test_a_record_is_the_same_after_its_line(record):
    line = dumps(record)
    assert "\n" not in line
    for written in (line, line.encode()):
        found = parse(type(record), written)
        assert found == record
        assert dumps(found) == line


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


@given(values)
def test_rows_are_read_as_json_reads_them(value):
    found = loads(dumps(value))
    assert found == json.loads(json.dumps(value))
    assert [type(part) for part in _leaves(found)] == [type(part) for part in _leaves(value)]


def _leaves(value):
    if isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    else:
        yield value


def test_numbers_that_json_has_no_word_for_are_read_too():
    assert math.isnan(loads("NaN"))
    assert loads("-Infinity") == -math.inf


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": "a", "answer": "b"', "line 2: not JSON"),
        ('{"id": "a"}', "line 2: answer: Field required"),
        ('{"id": "a", "answer": null}', "line 2: answer: Input should be a valid string"),
        ('["a", "b"]', "line 2: the row: Input should be an object"),
        ('{"id": "\\ud800"}', "line 2: answer: Field required"),
        ('{"id": "\\ud800", "answer": 3}', "line 2: answer: Input should be a valid string"),
        ('["\\ud800"]', "line 2: the row: Input should be an object"),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path, line, told):
    file = tmp_path / "targets.jsonl"
    write_jsonl(file, [Target("q1", "yes")])
    with file.open("a") as lines:
        lines.write(line + "\n")
    with pytest.raises(DataError) as caught:
        list(read_jsonl(file, Target))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_line_in_another_encoding_is_named(tmp_path):
    file = tmp_path / "targets.jsonl"
    write_jsonl(file, [Target("q1", "yes")])
    with file.open("ab") as lines:
        lines.write('{"id": "q2", "answer": "caf\u00e9"}\n'.encode("latin-1"))
    for read in (lambda: read_jsonl(file, Target), lambda: read_rows(file)):
        with pytest.raises(DataError, match=r"targets\.jsonl, line 2: not UTF-8; correct or remove the line$"):
            list(read())


@pytest.mark.parametrize("number", ['"3"', "3.5", "true", "null"])
def test_a_number_is_a_number(number):
    for said in ("yes", "\\ud800"):
        with pytest.raises(ValueError, match="prompt_tokens: Input should be a valid integer"):
            parse(
                Answer,
                f'{{"id": "a", "raw": "{said}", "truncated": false, "prompt_tokens": {number}, "new_tokens": 1}}',
            )


def test_what_a_later_version_adds_is_passed_over(tmp_path):
    file = tmp_path / "targets.jsonl"
    for told in ("", "\ud800"):
        write_jsonl(file, [{"id": "q1", "answer": "yes", "reason": told, "mood": "good"}])
        assert list(read_jsonl(file, Target)) == [Target("q1", "yes", told)]
        assert [row["mood"] for row in read_rows(file)] == ["good"]
