"""The headings of plain_text and markdown in the prompt's language: they read back, and no document forges them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.errors import ConfigError
from raft_exp.core.records import ContextPassage
from raft_exp.core.schema import identity
from raft_exp.pipeline.config import conf_dir
from raft_exp.pipeline.parsing import parse
from raft_exp.prompts import MODES, Document, Headings, messages, mode_of
from raft_exp.prompts.free_text import before_next_question
from raft_exp.prompts.quotes import find
from raft_exp.prompts.visible import visible
from tests.helpers.composing import compose

CODES = sorted(file.stem for file in (conf_dir() / "prompt" / "languages").glob("*.yaml"))
PROMPTS = {code: parse(compose(f"prompt.language={code}")).prompt for code in CODES}


def marks(headings: Headings) -> list[str]:
    return [
        *(f"{headings.passage} 2:", f"{headings.question}:", f"{headings.question}: x", f"\\{headings.question}:"),
        *(
            f"## {headings.passage} 1",
            f"# {headings.question}",
            f"## {headings.instruction}\n\n",
            f"{headings.title}: t",
        ),
        *("\n", "\n\n", "> ", "text", " ", "\u2028", "Question:", "## Question"),
    ]


@pytest.mark.parametrize("mode", ["plain_text", "markdown"])
@pytest.mark.parametrize("code", CODES)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_every_message_reads_back_in_every_language(code, mode, data):
    prompt = PROMPTS[code]
    texts = st.lists(st.sampled_from(marks(prompt.headings)), max_size=6).map("".join)
    passages = data.draw(st.lists(texts, max_size=3))
    instruction = "Los."
    context = [ContextPassage("i", "d", "T", text, True) for text in passages]
    found = mode_of(prompt, mode).read(mode_of(prompt, mode).render("Was?", context, instruction))
    assert found == Document("Was?", [("T", "", text) for text in passages], instruction)


@pytest.mark.parametrize("code", CODES)
def test_no_heading_is_english_but_where_the_language_has_the_word(code):
    headings = PROMPTS[code].headings
    english = set(identity(Headings()).values())
    assert len(set(identity(headings).values()) - english) == {"fr": 3, "de": 4}.get(code, 5)
    context = [ContextPassage("i", "d", "T", "text", True, "1")]
    for mode in ("plain_text", "markdown"):
        user = messages(PROMPTS[code], mode, "q", context, cot=False)[-1]["content"]
        assert f"{headings.passage} 1" in user
        assert headings.question in user
    assert messages(PROMPTS[code], "json", "q", context, False)[-1]["content"].startswith('{\n  "passages"')


def test_english_prompts_keep_their_keys_and_modes():
    prompt = parse(compose()).prompt
    assert "headings" not in identity(prompt)
    assert all(mode_of(prompt, name) == MODES[name] for name in MODES)


@pytest.mark.slow
def test_own_headings_win_and_are_checked():
    own = parse(compose("prompt.language=de", "+prompt.headings={passage:Absatz,question:Frage}")).prompt.headings
    assert (own.passage, own.title) == ("Absatz", "Titel")
    for wrong in ("{passage:'a:b'}", "{passage:'1'}", "{passage:Question}", "{passage:''}", '{passage:"a\\nb"}'):
        with pytest.raises(ConfigError, match=r"headings"):
            parse(compose(f"+prompt.headings={wrong}"))


@pytest.mark.parametrize("code", CODES)
def test_headings_in_replies_are_read(code):
    headings = PROMPTS[code].headings
    text = "Velmor was founded in 1802 by millers."
    assert find(f"{headings.passage} 1: {text}", text)
    assert before_next_question(f"Paris\n{headings.question}: x", "") == "Paris"
    assert visible(f"Paris\n{headings.question}: x")
