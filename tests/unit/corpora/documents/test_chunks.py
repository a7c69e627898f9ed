"""Passages of documents: nothing is lost, nothing is too long, sentences stay whole where they can."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.corpora.documents.chunks import chunks, cut, flows
from raft_exp.corpora.documents.units import tokens
from raft_exp.corpora.readers.documents.document import Part


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("  \n", 0),
        ("a", 1),
        ("sixsix", 1),
        ("sevens7", 2),
        ("Retrieval is hard.", 5),
        ("1,000", 3),
        ("naïve", 1),
        ("Straßen", 2),
        ("検索拡張", 2),
        ("👍", 1),
        ("snake_case_name", 3),
    ],
)
def test_tokens_are_counted_without_a_model(text, count):
    assert tokens(text) == count


TEXTS = st.text(st.sampled_from("ab. !?\n\t\u00a0é漢👨\u200d👩\u0301,1_-\u202e"), max_size=400) | st.text(max_size=200)
KINDS = st.sampled_from(["page", "paragraph", "row", "record", "section", "slide", ""])
PARTS = st.lists(st.builds(Part, TEXTS, KINDS, st.sampled_from(["1", "2", "Methods"])), max_size=6)


@settings(deadline=None, max_examples=300)
@given(PARTS, st.integers(1, 40), st.integers(0, 39))
def test_all_text_is_there_in_order_and_only_what_overlaps_twice(parts, size, overlap):
    overlap = min(overlap, size - 1)
    assert " ".join(flow.text for flow in flows(parts)).split() == " ".join(part.text for part in parts).split()
    for flow in flows(parts):
        done = 0
        for chunk in cut(flow, size, overlap):
            assert chunk.start <= chunk.fresh <= chunk.end
            assert not flow.text[done : chunk.fresh].strip(), "only white space stands in no passage"
            assert flow.text[chunk.start : chunk.end].strip() == chunk.text != ""
            assert "".join(chunk.sentences) == chunk.text
            assert all(chunk.sentences)
            assert tokens(chunk.text) <= size
            assert tokens(flow.text[chunk.start : chunk.fresh]) <= overlap
            done = chunk.end
        assert not flow.text[done:].strip()


@settings(deadline=None)
@given(st.lists(st.integers(0, 11), min_size=1, max_size=40), st.integers(60, 200), st.integers(0, 59))
def test_passages_begin_and_end_with_sentences(numbers, size, overlap):
    (flow,) = flows([Part(" ".join(SENTENCES[number] for number in numbers), "page", "1")])
    places = range(len(numbers) + 1)
    runs = {" ".join(SENTENCES[number] for number in numbers[a:b]) for a in places for b in places[a:]}
    for chunk in cut(flow, size, overlap):
        assert chunk.text in runs
        assert len(chunk.sentences) == chunk.text.count(".")


SENTENCES = [
    f"{name} has {number} mills and a river."
    for number, name in enumerate(
        (
            "Velmor",
            "Harwick",
            "Calton",
            "Garford",
            "Denbury",
            "Ostpel",
            "Yorzan",
            "Brivar",
            "Selham",
            "Tormere",
            "Ro",
            "Ut",
        )
    )
]


def test_a_passage_repeats_the_last_sentences_of_the_one_before():
    text = " ".join(f"{word} is it." for word in ("One", "Two", "Three", "Four", "Five"))  # four tokens each
    assert [chunk.text for chunk in chunks([Part(text, "page", "1")], 12, 4)] == [
        "One is it. Two is it. Three is it.",
        "Three is it. Four is it. Five is it.",
    ]
    assert [chunk.text for chunk in chunks([Part(text, "page", "1")], 12, 0)][1] == "Four is it. Five is it."


def test_text_runs_on_over_pages_and_the_place_says_so():
    pages = [Part("It begins here. It goes", "page", "3"), Part("on there. Then it ends.", "page", "4")]
    assert [(chunk.text, chunk.place) for chunk in chunks(pages, 100, 0)] == [
        ("It begins here. It goes\non there. Then it ends.", "pages 3-4")
    ]
    assert [(chunk.text, chunk.place) for chunk in chunks(pages, 5, 0)] == [
        ("It begins here.", "page 3"),
        ("It goes\non there.", "pages 3-4"),
        ("Then it ends.", "page 4"),
    ]


def test_sections_and_slides_stand_alone():
    parts = [
        Part("Before."),
        Part("A. B.", "section", "Methods"),
        Part("C.", "section", "Results"),
        Part("D.", "slide", "1"),
        Part("E.", "slide", "2"),
    ]
    assert [(chunk.text, chunk.place) for chunk in chunks(parts, 100, 50)] == [
        ("Before.", ""),
        ("A. B.", "section Methods"),
        ("C.", "section Results"),
        ("D.", "slide 1"),
        ("E.", "slide 2"),
    ]


def test_rows_are_broken_only_where_one_alone_is_too_long():
    rows = [Part("name: A. B", "row", "2"), Part("name: C. D", "row", "3"), Part("E. " * 9, "row", "4")]
    found = [(chunk.text, chunk.place) for chunk in chunks(rows, 9, 0)]
    assert found[:2] == [("name: A. B", "row 2"), ("name: C. D\nE. E.", "rows 3-4")]
    (together,) = chunks(rows[:2], 10, 0)
    assert (together.text, together.place) == ("name: A. B\nname: C. D", "rows 2-3")


def test_what_has_no_border_is_cut_to_size_but_never_inside_a_sign():
    family = "👨\u200d👩\u200d👧"
    for text in ("x" * 10_000, family * 500, "e\u0301" * 2_000, "\u0301" * 5_000):
        found = [chunk.text for chunk in chunks([Part(text, "paragraph", "1")], 20, 5)]
        assert "".join(found) == text
        assert all(tokens(piece) <= 20 for piece in found)
        assert len(found) < len(text) / 6
    assert all(piece.startswith("👨") for piece in (c.text for c in chunks([Part(family * 500, "page", "1")], 20, 0)))


TABLE = "\n".join(f"part: bolt {n}; price: {n * 3} euros; stock: {n} pieces in the hall" for n in range(60))
CODE = "\n".join(f"    x{n} = f(x{n - 1}).g  # step. Next one" for n in range(80))


@pytest.mark.parametrize("by", ["sentences", "sections"])
@pytest.mark.parametrize("block", [TABLE, TABLE.replace("; ", " | "), CODE], ids=["named", "plain", "code"])
def test_no_row_and_no_line_of_code_is_cut(by, block):
    found = list(chunks([Part(f"Heading\n\nA sentence before it.\n\n{block}", "section", "Heading")], 120, 20, by))
    lines = {line.strip() for line in ["Heading", "A sentence before it.", *block.split("\n")]}
    assert len(found) > 5
    assert {line.strip() for chunk in found for line in chunk.text.split("\n") if line.strip()} == lines


def test_rows_of_a_table_are_sentences():
    (chunk,) = chunks([Part("Prices are:\n\na: 1; b: 2\na: 3; b: 4\n\nx | y\nz | u\nThe end", "section", "P")], 100, 0)
    assert [sentence.strip() for sentence in chunk.sentences] == [
        "Prices are:", "a: 1; b: 2", "a: 3; b: 4", "x | y", "z | u", "The end"
    ]  # fmt: skip


def test_by_sections_paragraphs_stay_whole():
    paragraphs = [f"Paragraph {n} has one sentence. It has another one, too." for n in range(6)]
    part = Part("Heading\n\n" + "\n\n".join(paragraphs), "section", "Heading")
    size = tokens(f"Heading\n\n{paragraphs[0]}\n\n{paragraphs[1]}") + 4
    found = [chunk.text for chunk in chunks([part, Part("Short.", "section", "Other")], size, 0, "sections")]
    assert found == [
        "Heading\n\n" + "\n\n".join(paragraphs[:2]),
        "\n\n".join(paragraphs[2:4]),
        "\n\n".join(paragraphs[4:]),
        "Short.",
    ]
    whole = [chunk.text for chunk in chunks([part], 1000, 50, "sections")]
    assert whole == [part.text]


def test_by_sections_a_heading_never_stands_alone():
    long = " ".join(f"Sentence {n} of it." for n in range(10))
    found = [chunk.text for chunk in chunks([Part(f"Heading\n\n{long}", "section", "H")], tokens(long), 0, "sections")]
    assert found[0].startswith("Heading\n\nSentence 0 of it. Sentence 1")


@settings(deadline=None, max_examples=200)
@given(PARTS, st.integers(1, 40), st.integers(0, 39))
def test_by_sections_all_text_is_there_in_order(parts, size, overlap):
    overlap = min(overlap, size - 1)
    for flow in flows(parts):
        done = 0
        for chunk in cut(flow, size, overlap, "sections"):
            assert not flow.text[done : chunk.fresh].strip()
            assert "".join(chunk.sentences) == chunk.text
            assert tokens(chunk.text) <= size
            done = chunk.end
        assert not flow.text[done:].strip()
