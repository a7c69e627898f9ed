"""A model folder with absurd or damaged files ends in one line, before memory or minutes are spent."""

import json
import math
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig

from raft_exp.core.errors import ModelError, RaftError
from raft_exp.models import checks, encoder, loading
from raft_exp.training.config import LoraConfig
from tests.helpers import small_training as small
from tests.helpers.tokenizers import qwen2
from tests.helpers.worlds import EXAMPLES

SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
SMALL |= {"num_key_value_heads": 1, "vocab_size": 600, "max_position_embeddings": 1024}
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A model folder without weights."""
    made = tmp_path_factory.mktemp("models") / "model"
    LlamaConfig(**SMALL, architectures=["LlamaForCausalLM"]).save_pretrained(made)
    qwen2().save_pretrained(made)
    return made


@pytest.fixture(scope="module")
def values(folder) -> dict[str, object]:
    return json.loads((folder / "config.json").read_text())


@pytest.fixture(autouse=True)
def _as_before(folder, values):
    yield
    (folder / "config.json").write_text(json.dumps(values))


def check(folder):
    lora = LoraConfig(**small.values("lora", "default") | {"r": 4})
    return checks.check(small.model_config(name_or_path=str(folder)), lora, False, download=False)


def refusal(folder, call=check) -> str:
    began = time.process_time()
    with pytest.raises(ModelError) as refused:
        call(folder)
    assert time.process_time() - began < 20
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"num_hidden_layers": 10**9}, r"num_hidden_layers=1000000000; must be a whole number from 1 to 1,000;"),
        ({"hidden_size": -1}, r"hidden_size=-1; must be a whole number from 1 to 100,000,000"),
        ({"hidden_size": 0}, r"hidden_size=0; must be"),
        ({"vocab_size": 10**12}, r"vocab_size=1000000000000; must be"),
        ({"vocab_size": 10**60}, r"vocab_size=a number of more than 40 digits; must be"),
        ({"intermediate_size": -48}, r"intermediate_size=-48; must be a whole number from 0"),
        ({"hidden_size": "32"}, r"hidden_size='32'; must be"),
        ({"hidden_size": 32.5}, r"hidden_size=32.5; must be"),
        ({"num_attention_heads": True}, r"num_attention_heads=True; must be"),
        ({"rms_norm_eps": math.nan}, r"rms_norm_eps=nan; must be a finite number"),
        ({"rope_theta": math.inf}, r"rope_theta=inf; must be a finite number"),
        ({"rope_scaling": {"rope_type": "linear", "factor": math.nan}}, r"factor=nan; must be a finite number"),
        ({"text_config": {"num_hidden_layers": 10**9}}, r"num_hidden_layers=1000000000"),
        ({"hidden_act": "no_such_function"}, r"no_such_function"),
        ({"architectures": 5}, r"not a usable model folder"),
    ],
)
def test_absurd_values(folder, values, changes, fault):
    (folder / "config.json").write_text(json.dumps(values | changes))
    told = refusal(folder)
    assert re.search(fault, told), told
    assert told.startswith(f"model.name_or_path={str(folder)!r}: ")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f'{{"a": {DEEP}}}', r"config\.json is nested too deeply"),
        ("[1, 2]", r"config\.json must hold a JSON object"),
        ("{", r"config\.json cannot be read \(Expecting property name"),
        (f'{{"vocab_size": {"9" * 10_000}}}', r"config\.json cannot be read \(Exceeds the limit"),
        ("\x00\xff", r"config\.json cannot be read"),
    ],
)
def test_damaged_files(folder, text, fault):
    (folder / "config.json").write_text(text, encoding="latin-1")
    assert re.search(fault, refusal(folder))
    assert re.search(fault, refusal(folder, lambda place: loading.load(small.model_config(name_or_path=str(place)))))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"])
def test_files_of_half_a_gigabyte(tmp_path, folder, name):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / name).open("ab") as opened:
        opened.truncate(500 * 2**20)  # takes no room on the disk
    fault = rf"{re.escape(name)} has 500 MB; must be at most (16|128) MB"
    assert re.search(fault, refusal(tmp_path))
    assert re.search(fault, refusal(tmp_path, lambda place: loading.load_tokenizer(str(place))))
    config = encoder.EncoderConfig(
        **small.values("encoder", "minilm") | {"name_or_path": str(tmp_path), "accelerator": "cpu"}
    )
    assert re.search(fault, refusal(tmp_path, lambda _: encoder.load(config)))


def test_weights_that_are_far_too_few(tmp_path, folder, values):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(values | {"hidden_size": 10**6, "head_dim": 16}))
    (tmp_path / "model.safetensors").write_bytes(bytes(50_000))
    assert re.search(
        r"config.json describes [\d,]+ weights, but the \*\.safetensors files have only 50,000 bytes", refusal(tmp_path)
    )


def test_states_without_an_end_of_time_steps(folder, values):
    (folder / "config.json").write_text(json.dumps(values | {"time_step_limit": [0.0, math.inf]}))
    check(folder)


def test_deep_nesting_in_other_files(tmp_path, folder):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(f'{{"a": {DEEP}}}')
    assert "not a usable model folder" in refusal(tmp_path)
    (tmp_path / "tokenizer_config.json").write_bytes((folder / "tokenizer_config.json").read_bytes())
    (tmp_path / "tokenizer.json").write_text(f'{{"a": {DEEP}}}')
    assert "not a usable model folder" in refusal(tmp_path)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(?:-|--)*$"])
def test_splitting_of_words_without_end(tmp_path, folder, monkeypatch, pattern):
    monkeypatch.setattr(checks, "_SPLITTING_SECONDS", 1)
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer | {"pre_tokenizer": split}))
    told = refusal(tmp_path)
    assert re.search(r"its tokenizer.json (needs more than 1 s for|fails on) a few lines of text", told), told


ODD = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=5),
    st.booleans(),
    st.none(),
    st.lists(st.one_of(st.integers(-3, 3), st.text(max_size=2)), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@pytest.mark.slow
@settings(
    max_examples=min(EXAMPLES, 60),  # each builds a model
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_value_of_any_field_is_accepted_or_refused_in_one_line(folder, values, data):
    name = data.draw(st.sampled_from(sorted(values)))
    (folder / "config.json").write_text(json.dumps(values | {name: data.draw(ODD)}))
    began = time.process_time()
    try:
        check(folder)
    except RaftError as error:
        lines = str(error).splitlines()
        assert len(lines) == 1
    assert time.process_time() - began < 20
