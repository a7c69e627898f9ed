import json
import shutil
import sys

import pytest

from raft_exp.core.errors import ModelError
from raft_exp.models import loading
from tests.helpers import small_training as small

TINY = loading.resolve("asset:tiny")


def config(name: str, **more: str):
    return small.model_config(name_or_path=name, **more)


@pytest.mark.parametrize("name", ["/no/such/folder", "./here", "~/there", "a/b/c", "asset:huge"])
def test_a_path_without_a_folder_is_refused(name):
    for load in (loading.files, loading.load):
        with pytest.raises(ModelError, match=f"model.name_or_path='{name}': no such"):
            load(config(name))


def test_a_file_is_no_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").touch()
    with pytest.raises(ModelError, match="no such folder"):
        loading.resolve("weights")


def test_files_are_what_makes_a_local_model(tmp_path):
    folder = shutil.copytree(TINY, tmp_path / "model")
    names = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert {path.name for path in loading.files(config(str(folder)))} == names
    assert {path.name for path in loading.files(config("asset:tiny"))} == names
    assert loading.files(config("Qwen/Qwen2.5-0.5B-Instruct", revision="7ae5575")) == []
    with pytest.raises(ModelError, match=r"model\.revision: has no value"):
        loading.files(config("Qwen/Qwen2.5-0.5B-Instruct"))


def test_a_hub_model_without_the_hub():
    for load in (lambda: loading.load(config("owner/name")), lambda: loading.load_tokenizer("owner/name")):
        with pytest.raises(
            ModelError, match=r"not in the local hub cache .*; allow access, or use a local model folder"
        ):
            load()


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(ModelError, match="not a usable model folder"):
        loading.load(config(str(tmp_path)))
    with pytest.raises(ModelError, match="not a usable model folder"):
        loading.load_tokenizer(str(tmp_path))


def test_pickled_weights_are_not_opened(tmp_path):
    import torch

    folder = shutil.copytree(TINY, tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save(loading.load(config("asset:tiny")).state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"it needs config.json, \*.safetensors"):
        loading.load(config(str(folder)))


def test_code_in_a_model_folder_is_not_run(tmp_path):
    folder = shutil.copytree(TINY, tmp_path / "model")
    (folder / "evil.py").write_text("import sys\nsys.evil = True\nclass Model: pass\nclass Config: pass\n")
    settings = json.loads((folder / "config.json").read_text())
    settings |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="the model needs code from its repository"):
        loading.load(config(str(folder)))
    assert not hasattr(sys, "evil")


def test_broken_weights(tmp_path):
    folder = shutil.copytree(TINY, tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="not a usable model folder"):
        loading.load(config(str(folder)))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("GatedRepoError", "access is restricted; request it on https://huggingface.co/owner/name, then set HF_TOKEN"),
        ("RevisionNotFoundError", "the hub has no model.revision='abc'"),
        ("RepositoryNotFoundError", "no such folder, and no such model on the hub"),
    ],
)
def test_what_the_hub_refuses(monkeypatch, error, words):
    import httpx
    import huggingface_hub.errors as hub
    import transformers

    def refuse(*_, **__):
        response = httpx.Response(403, request=httpx.Request("GET", "https://huggingface.co"))
        try:
            raise getattr(hub, error)("refused", response=response)
        except hub.HfHubHTTPError as cause:
            raise OSError("transformers' own words\nand more of them") from cause

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", refuse)
    with pytest.raises(ModelError) as caught:
        loading.load_tokenizer("owner/name", "abc")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_adapter_of_another_model(tmp_path):
    import peft
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "vocab_size": 50}
    other = LlamaForCausalLM(LlamaConfig(num_hidden_layers=1, **sizes))
    peft.get_peft_model(other, peft.LoraConfig(target_modules=["q_proj"])).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="does not fit this base model"):
        loading.with_adapter(loading.load(config("asset:tiny")), tmp_path)
