"""A chat template that needs too much time, memory or text ends in one line, whatever it does."""

import subprocess
import time

import pytest

from raft_exp.core.errors import ModelError
from raft_exp.models import template_limits
from raft_exp.models.tokens import chat_text, encode_prompt
from tests.helpers.tokenizers import qwen2, shipped

MESSAGES = [{"role": "system", "content": "Answer."}, {"role": "user", "content": "When did the pump open?"}]
BODY = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
DOUBLED = "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"
NESTED = "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}"


def tokenizer(template: str):
    made = qwen2()
    made.chat_template = template
    return made


@pytest.fixture
def short(monkeypatch):
    """Returns a function that sets the limit to one second. Before, the limit is that of users: no test is slower."""
    return lambda: monkeypatch.setattr(template_limits, "SECONDS", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "fault"),
    [
        (BODY + LOOP, "needs more than 1 s"),
        (BODY + "{{ 7 ** (7 ** 11) }}", "needs more than 1 s"),  # one operation, which handles no signal
        (BODY + "{{ 'x' * 10 ** 11 }}", "needs more than 2048 MB of memory"),
        (BODY + DOUBLED, "needs more than"),  # time or memory, whichever ends first
        (BODY + "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}", "needs more levels of nesting"),
        (BODY + NESTED, "needs more levels of nesting"),
        (BODY + "{% for i in range(99999) %}xxxxxxxxxx{% endfor %}", "adds 999,994 characters to a chat"),
        (BODY + "{% if messages[-1].content | length > 999 %}" + LOOP + "{% endif %}", "needs more than 1 s"),
        (BODY + "{% if messages | length > 2 %}" + LOOP + "{% endif %}", "needs more than 1 s"),
    ],
)
def test_a_template_beyond_the_limits_is_refused_in_one_line(short, template, fault):
    short()
    began = time.process_time()
    with pytest.raises(ModelError, match=r"^model\.name_or_path=.*: its chat template ") as refused:
        encode_prompt(tokenizer(template), MESSAGES)
    assert fault in str(refused.value)
    assert "chat_template.jinja" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert time.process_time() - began < 5


def test_a_template_that_takes_long_for_one_question_alone_is_ended(short):
    hostile = tokenizer(BODY + "{% if 'pump' in messages[-1].content %}" + LOOP + "{% endif %}")
    assert "valve" in chat_text(hostile, [{"role": "user", "content": "When did the valve open?"}])
    short()
    with pytest.raises(ModelError, match=r"its chat template needs more than 1 s for one prompt") as refused:
        chat_text(hostile, MESSAGES)
    assert "\n" not in str(refused.value)


def test_a_template_that_writes_much_for_one_question_alone_is_refused():
    hostile = tokenizer(BODY + "{% if 'pump' in messages[-1].content %}{{ 'x' * 10 ** 6 }}{% endif %}")
    with pytest.raises(ModelError, match=r"the template adds 1,000,0\d\d characters"):
        chat_text(hostile, MESSAGES)


def test_a_template_without_end_in_the_loop_of_jinja_itself():
    with pytest.raises(ModelError, match=r"refuses the messages: Range too big"):
        chat_text(tokenizer(BODY + "{% for i in range(10 ** 12) %}{% endfor %}"), MESSAGES)


def test_a_template_is_tried_once_and_an_embedded_one_never(monkeypatch):
    started = []
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *words, **rest: (started.append(words), run(*words, **rest))[1])
    once = tokenizer(BODY + "{# a template of this test alone #}")
    for _ in range(3):
        chat_text(once, MESSAGES)
    assert len(started) == 1
    embedded = shipped()
    assert embedded.chat_template
    chat_text(embedded, MESSAGES[1:])
    assert len(started) == 1
