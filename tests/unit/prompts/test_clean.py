"""Text of a document never becomes a control token or a marker, at any place of the prompt and after any cut."""

import re
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp import prompts
from raft_exp.core.collection import write_passages
from raft_exp.core.records import ContextPassage, Passage, Question, Target
from raft_exp.dataset.rows import RowFormat, RowSpec, Window, render_rows
from raft_exp.models.tokens import encode_completion, encode_prompt
from raft_exp.prompts import MODES, PromptConfig
from raft_exp.prompts.clean import COMMON_CONTROL, Cleaner
from raft_exp.prompts.fit import fit
from tests.helpers.small_training import values
from tests.helpers.tokenizers import TOKENIZERS, disguising, llama2, saved

PROMPT = PromptConfig("System.", "", "Answer.", "Reason.", "None.", "paper")
HOSTILE = [*COMMON_CONTROL, "##Answer:", "##Reason:", "##begin_quote##", "##end_quote##"]
BUILDERS = {**TOKENIZERS, "disguising": disguising}

# Whole control tokens, halves that want to meet, and what may stand between them.
HALVES = [half for token in ("<|im_end|>", "</s>", "[INST]", "</DOCUMENT>") for half in (token[:3], token[3:])]
BETWEEN = [" ", "\n", "\r", "\t", "\u2028", "\\", "\0", "a", "#", "##", "＜|STOP|＞", "<|Stop|>", "█"]
PIECES = st.lists(st.sampled_from([*HOSTILE, "<|endoftext|>", "<|im_start|>", *HALVES, *BETWEEN]), max_size=8)
TEXT = PIECES.map("".join)


@cache
def tokenizer(name):
    return BUILDERS[name]()


def controls(tokenizer, ids):
    return Counter(token for token in ids if token in tokenizer.added_tokens_decoder)


@given(TEXT)
@settings(max_examples=300, deadline=None)
def test_cleaned_text_holds_no_control_text(text):
    cleaned = Cleaner(MODES["plain_text"])(text)
    assert not any(control in cleaned or control in " ".join(cleaned.split()) for control in COMMON_CONTROL)
    assert not re.search(r"##\s*(Reason|Answer|begin_quote|end_quote)", cleaned)
    assert Cleaner(MODES["plain_text"])(cleaned) == cleaned, "cleaning once is enough"


def test_cleaning_is_counted():
    clean = Cleaner(MODES["plain_text"])
    assert clean("a <think> b </s> ##Answer: c\n Question: d\nQuestion: e") == (
        "a < think> b < /s> # #Answer: c\n Question: d\nQuestion: e"
    )
    assert clean.escaped == 4, "two control tokens, a marker, and a line that plain_text puts a backslash before"
    assert clean.replaced == 0


@pytest.mark.parametrize(
    ("mode", "replaced"), [("plain_text", 1), ("markdown", 2), ("yaml", 1), ("xml", 4), ("json", 1)]
)
def test_characters_that_a_mode_cannot_carry_are_replaced_and_counted(mode, replaced):
    clean = Cleaner(MODES[mode])
    shown = clean("a\ud800b\0c\x0bd\uffffe\u2028")
    assert clean.replaced == shown.count("\ufffd") == replaced


def test_tokens_that_overlap_or_hold_white_space_are_broken_up():
    made = llama2()
    made.add_special_tokens({"additional_special_tokens": ["s>x", "<|a b|>"]})
    clean = Cleaner(MODES["plain_text"], made)
    for text in ("<s>x", "<|a\n b|>", "<|a b|>"):
        cleaned = clean(text)
        assert not controls(made, made(" ".join(cleaned.split()), add_special_tokens=False)["input_ids"])


def test_what_only_the_tokenizer_sees_as_a_token_is_replaced():
    made = disguising()
    clean = Cleaner(MODES["plain_text"], made)
    text = "a ＜|STOP|＞ b █ c"
    assert controls(made, made(text, add_special_tokens=False)["input_ids"]).total() == 2, "it does see them"
    cleaned = clean(text)
    assert re.fullmatch(r"a \ufffd+ b \ufffd c", cleaned)
    assert clean.escaped == 2
    assert not controls(made, made(cleaned, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("mode", MODES)
@given(question=TEXT, contents=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=2), room=st.integers(0, 90))
@settings(max_examples=30, deadline=None)
def test_a_prompt_has_the_control_tokens_of_a_harmless_one(name, mode, question, contents, room):
    made = tokenizer(name)
    clean = Cleaner(MODES[mode], made)

    def asked(question, context):
        return prompts.messages(PROMPT, mode, question, context, cot=True)

    context = [
        ContextPassage(str(i), "d", clean(title), clean(text), False, clean(place))
        for i, (title, place, text) in enumerate(contents)
    ]
    shown = clean(question)
    empty = [ContextPassage(p.id, "d", p.title, "", False, p.place) for p in context]
    budget = len(encode_prompt(made, asked(shown, empty))) + 20 + room  # so that many a text is cut somewhere

    def with_texts(texts):
        return asked(shown, [replace(passage, text=text) for passage, text in zip(context, texts, strict=True)])

    fitted = fit(made, [with_texts], [passage.text for passage in context], budget, "q")
    harmless = [ContextPassage(p.id, "d", "T", "x", False, "P") for p in context]
    expected = controls(made, encode_prompt(made, asked("x", harmless)))
    assert controls(made, encode_prompt(made, with_texts(fitted))) == expected


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("form", ["default", "json_reply"])
@pytest.mark.parametrize("mode", MODES)
def test_rows_of_hostile_documents_hold_our_control_tokens_alone(tmp_path, name, form, mode):
    made = tokenizer(name)
    hostile = "\ud800 ".join(HOSTILE) + "".join(HOSTILE)
    told = [Passage(f"{i}", f"{i}", hostile, hostile, hostile, [hostile], "") for i in range(2)]
    (tmp_path / "p").mkdir()
    write_passages(tmp_path / "p", told)
    question = Question("q", f"Is it {hostile}?", ["yes"], ["0"], "train")
    said = hostile.replace("_quote##", "")  # a reason has its quotes where it says so
    target = Target("q", hostile, f"{said} {prompts.quote(hostile)}")
    prompt = PromptConfig(**values("prompt", "default") | values("prompt", form))
    window = Window(saved(name, tmp_path / "model"), None, 30_000, 8)
    rendering, job = RowFormat(prompt, mode, True, window, False), RowSpec(question, [0, 1], target, True)
    (row,) = render_rows(rendering, tmp_path / "p", [job], workers=1)

    *asked, reply_message = row.example.messages
    found = controls(made, encode_prompt(made, asked))
    assert found == controls(made, encode_prompt(made, [{**message, "content": "x"} for message in asked]))
    assert controls(made, encode_completion(made, reply_message["content"])).total() == 1, "the end token"
    parsed = prompts.parse(reply_message["content"], prompt.reply_format)
    assert len(row.quotes) == len(parsed.quotes) == 1
    assert parsed.parsed
    assert "<|im_end|>" not in parsed.prediction
    assert row.counts["escaped"] > 10 * len(HOSTILE)
    assert row.counts["replaced"] >= 9 * (len(HOSTILE) - 1)
