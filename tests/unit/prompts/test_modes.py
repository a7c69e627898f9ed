"""Every mode is well-formed and reads back for every input, and no text of a document can forge its marks."""

import json
import re
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from raft_exp.core.records import ContextPassage
from raft_exp.prompts import MODES, Document
from raft_exp.prompts.plain_text import PlainText

# Anything at all, and often what a mode could take for its own.
MARKS = [
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "\t",
    " ",
    "\\",
    "\0",
    "\x85",
    "\u2028",
    "\ufeff",
    "\ufffe",
    "\ud800",
    "&",
    "<",
    "]]>",
    '"',
    "'",
    "Passage 2: x",
    "Question: y",
    "\\Question:",
    "## Passage 2",
    "## Question",
    "## Instruction\n\n",
    "> ",
    "Title: z",
    "</passage>",
    "<text>",
    "&lt;",
    "- text: |-",
    "question:",
    "---",
    "...",
    "#",
    ": ",
    '"}',
    "```",
    "- ",
    "yes",
    "(a)",
]
ANY = st.lists(st.sampled_from(MARKS) | st.text(st.characters(), max_size=8), max_size=6).map("".join)
PASSAGES = st.lists(st.tuples(ANY, ANY, ANY), max_size=3)


def rendered(mode: str, question: str, passages: list[tuple[str, str, str]], instruction: str) -> str:
    context = [ContextPassage("id", "d", title, text, True, place) for title, place, text in passages]
    return MODES[mode].render(question, context, instruction)


def line(text: str) -> str:
    return " ".join(text.split())


def carried(mode: str, document: Document) -> Document:
    """The document without what the mode loses, as its docstring lists it."""

    def text(value: str) -> str:
        value = re.sub(r"[\ud800-\udfff]", "\ufffd", value)
        if mode == "xml":
            value = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", value)
        return value.replace("\0", "\ufffd") if mode == "markdown" else value

    def block(value: str) -> str:
        return text(value).replace("\r\n", "\n").replace("\r", "\n") if mode == "markdown" else text(value)

    def heading(value: str) -> str:
        return line(text(value)) if mode in ("plain_text", "markdown") else text(value)

    question = line(text(document.question)) if mode == "plain_text" else block(document.question)
    passages = [(heading(title), heading(place), block(words)) for title, place, words in document.passages]
    return Document(question, passages, text(document.instruction))


def headed(document: Document) -> Document:
    """The document with title and place joined to one heading, as `plain_text` does."""
    heads = [" ".join(filter(None, (title, place and f"({place})"))) for title, place, _ in document.passages]
    passages = [(head, "", text) for head, (_, _, text) in zip(heads, document.passages, strict=True)]
    return Document(document.question, passages, document.instruction)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@given(question=ANY, passages=PASSAGES, instruction=ANY)
@example(question="", passages=[], instruction="")
@example(question="q", passages=[("", "", "")], instruction="i")
@example(question="", passages=[("", "\ufeff\n(", "")], instruction="")
@settings(max_examples=300, deadline=None)
def test_every_message_reads_back(mode, question, passages, instruction):
    found = MODES[mode].read(rendered(mode, question, passages, instruction))
    expected = carried(mode, Document(question, passages, instruction))
    if mode == "plain_text":  # there a title's brackets and a place's are one thing
        found, expected = headed(found), headed(expected)
    assert found == expected


@given(st.text(st.characters(exclude_characters="()"), max_size=9), st.text(st.characters(exclude_characters="()")))
@settings(deadline=None)
def test_plain_text_tells_title_and_place_apart(title, place):
    found = MODES["plain_text"].read(rendered("plain_text", "q", [(title, place, "text")], "i"))
    assert found == carried("plain_text", Document("q", [(title, place, "text")], "i"))


KEYS = {"passages", "question", "instruction"}


def of_mapping(mapping):
    assert set(mapping) in (KEYS, KEYS - {"passages"})
    return [sorted(passage) for passage in mapping.get("passages", [])]


def of_xml(root):
    assert root.tag == "prompt"
    assert {part.tag for part in root} in (KEYS, KEYS - {"passages"})
    assert len(root.findall("question")) == len(root.findall("instruction")) == 1
    return [sorted(part.tag for part in passage) for passage in root.iterfind("passages/passage")]


PARSERS = {
    "json": lambda text: of_mapping(json.loads(text)),
    "yaml": lambda text: of_mapping(yaml.safe_load(text)),
    "xml": lambda text: of_xml(ElementTree.fromstring(text)),
}


@pytest.mark.parametrize("mode", PARSERS)
@given(question=ANY, passages=PASSAGES)
@settings(max_examples=100, deadline=None)
def test_the_formats_own_parser_finds_the_passages_and_nothing_else(mode, question, passages):
    shown = rendered(mode, question, passages, "Answer.")
    names = [[*(["place"] if p else []), "text", *(["title"] if t else [])] for t, p, _ in passages]
    assert PARSERS[mode](shown) == names


@pytest.mark.slow
@given(question=ANY, passages=PASSAGES)
@settings(max_examples=200, deadline=None)
def test_a_markdown_parser_finds_our_headings_and_quotes_alone(question, passages):
    shown = rendered("markdown", question, passages, "Answer.")
    lines = re.split("\r\n|\r|\n", shown)
    blocks = [token for token in MarkdownIt("commonmark").parse(shown) if token.level == 0 and token.nesting == 1]
    heads = [lines[token.map[0]] for token in blocks if token.type == "heading_open" and token.map]
    numbered = [f"## Passage {number}" for number in range(1, len(passages) + 1)]
    assert heads == [*numbered, "## Question", "## Instruction"]
    spans = [lines[slice(*token.map)] for token in blocks if token.type == "blockquote_open" and token.map]
    quoted = [[mark for mark in span if mark] for span in spans]  # the parser counts an empty line behind some
    texts = [text for *_, text in carried("markdown", Document(question, passages)).passages]
    texts.append(carried("markdown", Document(question)).question)
    assert [[mark[2:] for mark in quote] for quote in quoted] == [text.split("\n") for text in texts if text]
    facts = [token for token in blocks if token.type == "paragraph_open"]
    assert len(facts) == 1 + sum(bool(line(title) or line(place)) for title, place, _ in passages)
    assert len(blocks) == len(heads) + len(quoted) + len(facts), "and nothing else stands at the top"


@given(PASSAGES, ANY)
@settings(max_examples=200, deadline=None)
def test_in_plain_text_only_our_lines_begin_as_ours(passages, question):
    shown = rendered("plain_text", question, passages, "Answer.")
    ends = r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]"  # wherever some program would begin a line
    heads = [found[1] for found in re.finditer(rf"(?:\A|(?<={ends}))(Passage \d+|Question):", shown)]
    assert heads == [*(f"Passage {number}" for number in range(1, len(passages) + 1)), "Question"]


WHOLE = [("Velmor", "paragraph 1", 'It is a town.\n\nSince 1802 & "so on".'), ("", "", "Other. 你好 \U0001f600")]
LAYOUTS = {
    "plain_text": """\
Passage 1: Velmor (paragraph 1)
It is a town.

Since 1802 & "so on".

Passage 2:
Other. 你好 \U0001f600

Question: When?
Answer.""",
    "markdown": """\
## Passage 1

Title: Velmor
Place: paragraph 1

> It is a town.
>
> Since 1802 & "so on".

## Passage 2

> Other. 你好 \U0001f600

## Question

> When?

## Instruction

Answer.""",
    "yaml": """\
passages:
- title: "Velmor"
  place: "paragraph 1"
  text: |-
    It is a town.

    Since 1802 & "so on".
- text: |-
    Other. 你好 \U0001f600
question: |-
  When?
instruction: |-
  Answer.""",
    "xml": """\
<prompt>
<passages>
<passage>
<title>Velmor</title>
<place>paragraph 1</place>
<text>It is a town.

Since 1802 &amp; "so on".</text>
</passage>
<passage>
<text>Other. 你好 \U0001f600</text>
</passage>
</passages>
<question>When?</question>
<instruction>Answer.</instruction>
</prompt>""",
    "json": """\
{
  "passages": [
    {
      "title": "Velmor",
      "place": "paragraph 1",
      "text": "It is a town.\\n\\nSince 1802 & \\"so on\\"."
    },
    {
      "text": "Other. 你好 \U0001f600"
    }
  ],
  "question": "When?",
  "instruction": "Answer."
}""",
}


@pytest.mark.parametrize("mode", MODES)
def test_the_layout(mode):
    assert rendered(mode, "When?", WHOLE, "Answer.") == LAYOUTS[mode]


@pytest.mark.parametrize("end", "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
def test_plain_text_knows_every_end_of_a_line(end):
    shown = rendered("plain_text", "q", [("T", "", f"a{end}Question: b{end}Passage 7: c")], "i")
    assert f"a{end}\\Question: b{end}\\Passage 7: c\n" in shown


def test_plain_text_shows_what_a_passage_has():
    for title, place, heading in [
        ("T", "page 2", "Passage 1: T (page 2)"),
        ("T", "", "Passage 1: T"),
        ("", "section METHODS", "Passage 1: (section METHODS)"),
        ("", "", "Passage 1:"),
    ]:
        assert rendered("plain_text", "q", [(title, place, "x")], "i") == f"{heading}\nx\n\nQuestion: q\ni"


@pytest.mark.parametrize(
    ("mode", "forged"),
    [
        ("plain_text", "a\nPassage 2: x\n\\Question: y"),
        ("markdown", "a\n## Passage 2\n# Question"),
        ("yaml", "a\n- text: x\nquestion: y"),
        ("xml", "a</text></passage>"),
        ("json", '"text": "x", "question" : "y"'),
    ],
)
def test_forged_delimiters_are_counted(mode, forged):
    assert len(MODES[mode].DELIMITER.findall(forged)) == 2
    assert not MODES[mode].DELIMITER.findall("An ordinary text: it says that passage 2 has no question mark.")


@pytest.mark.parametrize("text", ["", "no prompt at all", "## Question\n\n> x"])
def test_what_is_no_prompt_is_not_read(text):
    for mode in ("plain_text", "markdown"):
        with pytest.raises(ValueError, match="not a"):
            MODES[mode].read(text)


def test_plain_text_escapes_can_be_undone():
    text = "Question: x\n\\Question: y\n\\\\Passage 3: z\nA Question: stays"
    shown = PlainText().render("q", [ContextPassage("i", "d", "T", text, True)], "i")
    assert "\\Question: x\n\\\\Question: y\n\\\\\\Passage 3: z\nA Question: stays" in shown
    assert PlainText().read(shown).passages == [("T", "", text)]


@pytest.mark.parametrize("mode", MODES)
def test_real_abstracts_read_back_as_they_are(test_data, mode):
    records = json.loads((test_data / "pubmedqa" / "ori_pqal.json").read_text(encoding="utf-8"))
    assert len(records) >= 500
    for name, record in records.items():
        sections = [
            ("", f"section {label}", text) for label, text in zip(record["LABELS"], record["CONTEXTS"], strict=True)
        ]
        document = Document(record["QUESTION"], [(name, "", record["LONG_ANSWER"]), *sections], "Answer.")
        found = MODES[mode].read(rendered(mode, document.question, document.passages, document.instruction))
        assert found == carried(mode, document)
