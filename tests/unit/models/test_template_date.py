"""A prompt is a function of the settings: a chat template that asks for today's date is told prompt.date."""

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.apps.export import tokenizer as exported
from raft_exp.apps.export.drift import DriftSample
from raft_exp.core.errors import ConfigError, ModelError
from raft_exp.core.stage import Stage
from raft_exp.models import template_limits
from raft_exp.models.loading import ModelConfig, load_tokenizer
from raft_exp.models.template_date import parsed, written
from raft_exp.models.tokens import chat_text, encode_prompt, end_token_id
from raft_exp.pipeline.build import build
from raft_exp.pipeline.fingerprints import Fingerprints
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.store import Store
from raft_exp.tasks.model import is_local
from tests.helpers.composing import compose
from tests.helpers.tokenizers import CHATML, qwen2


@pytest.fixture(autouse=True)
def _trusted_templates(monkeypatch):
    """No child process tries the templates of these tests; it would take a second for each."""
    monkeypatch.setattr(template_limits, "fault", lambda _: "")


# As in Llama 3.x: the date of the caller, else the machine's, else a fixed one.
DATED = (
    "{%- if not date_string is defined %}{%- if strftime_now is defined %}"
    "{%- set date_string = strftime_now('%d %b %Y') %}{%- else %}{%- set date_string = '26 Jul 2024' %}{%- endif %}"
    "{%- endif %}{{- '<|im_start|>Today Date: ' + date_string + '<|im_end|>\\n' }}" + CHATML
)
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "When?"}]


def model(folder, template: str) -> str:
    with_template = qwen2(template)
    with_template.save_pretrained(folder)
    (folder / "config.json").write_text("{}")
    return str(folder)


@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)))
def test_the_template_writes_the_date_of_the_settings(day):
    dated = qwen2(DATED)
    dated._raft_exp_date = day.isoformat()
    assert f"Today Date: {day.strftime('%d %b %Y')}<" in chat_text(dated, CHAT)


def test_two_days_give_one_prompt(monkeypatch, tmp_path):
    import transformers.utils.chat_template_utils as templates

    class Later(templates.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2031, 5, 6)

    dated = load_tokenizer(model(tmp_path, DATED))
    before = encode_prompt(dated, CHAT)
    monkeypatch.setattr(templates, "datetime", Later)
    templates._compile_jinja_template.cache_clear()
    assert encode_prompt(load_tokenizer(str(tmp_path)), CHAT) == before
    assert "26 Jul 2024" in dated.decode(before)
    assert "06 May 2031" in dated.apply_chat_template(CHAT, tokenize=False), "the test moved the machine's day"


def stages(*overrides: str) -> list[Stage]:
    return build(parse(compose("+experiment=quickstart", *overrides)), Fingerprints(Store("unused"), save=False))


def keys(name: str, *overrides: str) -> dict[str, str]:
    return {stage.label: stage.key for stage in stages(f"model.name_or_path={name}", *overrides)}


@pytest.mark.slow
def test_the_date_is_in_the_keys_of_models_that_ask_for_it(tmp_path):
    dated, plain = model(tmp_path / "dated", DATED), model(tmp_path / "plain", CHATML)
    first, other = keys(dated), keys(dated, "prompt.date=2025-01-31")
    changed = {label for label in first if first[label] != other[label]}
    assert {"dataset[raft]", "dataset[test]", "train[raft]", "evaluate[base]", "report"} <= changed
    assert not {"ingest", "questions", "targets"} & changed
    stages = build(
        parse(compose(f"model.name_or_path={plain}", "+experiment=quickstart")), Fingerprints(Store("x"), False)
    )
    assert not any("prompt.date" in stage.files for stage in stages)
    stages = build(
        parse(compose(f"model.name_or_path={dated}", "+experiment=quickstart")), Fingerprints(Store("x"), False)
    )
    assert all(stage.files["prompt.date"] == "2024-07-26" for stage in stages if stage.name in ("train", "evaluate"))


def test_the_teachers_template_is_told_the_date_too(tmp_path):
    name = model(tmp_path, DATED)
    local = ("teacher=transformers", f"teacher.model.name_or_path={name}", "teacher.model.revision=null")
    config = parse(compose("+experiment=quickstart", *local, "prompt.date=2025-01-31"))
    assert is_local(config.teacher)
    assert config.teacher.model.date == config.model.date == "2025-01-31"
    (targets,) = [stage for stage in stages(*local, "prompt.date=2025-01-31") if stage.name == "targets"]
    assert targets.config.weights["prompt.date"] == "2025-01-31"


@pytest.mark.parametrize("day", ["today", "2024-7-26", "20240726", "2024-02-30", ""])
def test_a_day_of_another_form_is_refused(day):
    with pytest.raises(ConfigError, match=r"^prompt\.date: got '.*'; write a date such as 2024-07-26$"):
        parse(compose(f"prompt.date='{day}'"))


def test_an_exported_template_makes_the_prompts_on_any_day(tmp_path):
    name = model(tmp_path / "model", DATED)
    settings = ModelConfig(name, None, "float32", 512, 16, date="2025-01-31")
    prompt = encode_prompt(load_tokenizer(name, None, "2025-01-31"), CHAT)
    assert exported.save(settings, [DriftSample(CHAT, prompt, [])], tmp_path / "out")
    text = load_tokenizer(str(tmp_path / "out")).apply_chat_template(CHAT, tokenize=False)
    assert "Today Date: 31 Jan 2025<" in text


def test_the_end_of_a_reply_is_found_in_a_template_with_a_date(tmp_path):
    dated = qwen2(DATED)
    assert end_token_id(dated) == dated.convert_tokens_to_ids("<|im_end|>")


FORMS = [
    "%d %b %Y",
    "%B %-d, %Y",
    "%A",
    "%a %p",
    "%c",
    "%x",
    "%X",
    "%Y-%m-%dT%H:%M:%S",
    "%s",
    "%j",
    "%%s",
    "%s%%",
    "%Z",
]


@given(st.dates(date(1971, 1, 1), date(2199, 12, 31)), st.lists(st.sampled_from(FORMS), min_size=1).map(" ".join))
def test_a_day_is_written_as_python_writes_it_in_english_and_utc(day, form):
    today = parsed(day.isoformat())
    assert written(today, form) == today.strftime(form)  # the tests run in the locale C


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_the_seconds_of_a_day_are_those_of_utc(monkeypatch, zone):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert written(parsed("2024-07-26"), "%s %%s") == "1721952000 %s"
    finally:
        monkeypatch.undo()
        time.tzset()


CALLS = [
    "strftime_now('%d %b %Y')",
    'strftime_now( "%d %b %Y" )',
    "strftime_now ('%d %b %Y')",
    "strftime_now(format='%d %b %Y')",
    "strftime_now(form)",
    "now('%d %b %Y')",
    "(strftime_now('%d') ~ strftime_now(' %b') + strftime_now(' %Y'))",
    "strftime_now('%d %b %Y') | upper | title",
    "'26 Jul 2024' if strftime_now is not defined else strftime_now('%d %b %Y')",
]


@pytest.mark.parametrize("call", CALLS)
def test_however_a_template_asks_it_gets_the_date_and_an_export_makes_the_same_prompts(call, tmp_path):
    before = "{%- set form = '%d %b %Y' %}{%- set now = strftime_now %}"
    name = model(tmp_path / "model", f"{before}{{{{- '<|im_start|>' ~ ({call}) ~ '<|im_end|>' }}}}" + CHATML)
    settings = ModelConfig(name, None, "float32", 512, 16, date="2025-01-31")
    prompt = encode_prompt(tokenizer := load_tokenizer(name, None, "2025-01-31"), CHAT)
    assert "31 Jan 2025<" in tokenizer.decode(prompt)
    samples = [DriftSample(CHAT, prompt, [])]
    alone = exported.save(settings, samples, tmp_path / "out")
    saved = load_tokenizer(str(tmp_path / "out"), None, "2025-01-31")
    assert encode_prompt(saved, CHAT) == prompt
    if alone:
        assert list(saved.apply_chat_template(CHAT, add_generation_prompt=True, return_dict=False)) == prompt
    else:
        assert call in ("strftime_now(form)", "now('%d %b %Y')"), "a form that the template computes"


@pytest.mark.parametrize(
    "part",
    [
        "{{ ['Hi', 'Hello', 'Hey'] | random }}",
        "{% set x = range(9) | random %}",
        "{{ lipsum(n=1) }}",
        "{{lipsum()[:5]}}",
    ],
)
def test_a_template_that_draws_by_chance_is_refused_before_anything_runs(part, tmp_path):
    name = model(tmp_path, part + CHATML)
    with pytest.raises(
        ModelError, match=r"^model\.name_or_path='.*': its chat template has (\|random|lipsum\(\)), which"
    ):
        encode_prompt(load_tokenizer(name), CHAT)


def test_a_variable_of_that_name_is_no_chance(tmp_path):
    name = model(tmp_path, "{% set lipsum = 'x' %}{% set random = 1 %}{{ lipsum ~ random }}" + CHATML)
    assert encode_prompt(load_tokenizer(name), CHAT)
