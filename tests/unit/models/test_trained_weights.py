import json
import shutil

import peft
import pytest
import torch

from raft_exp.core.errors import ModelError
from raft_exp.models import loading
from raft_exp.models.trained_weights import TrainedWeights
from tests.helpers import small_training as small

BASE = small.model_config(name_or_path="asset:tiny", revision="abc")


def adapter_of_ones(folder):
    """A rank-1 adapter that moves the logits."""
    model = peft.get_peft_model(loading.load(BASE), peft.LoraConfig(r=1, target_modules=["q_proj"]))
    for name, weight in model.named_parameters():
        if "lora" in name:
            weight.data.fill_(0.1)
    model.save_pretrained(folder)


def logits(model):
    with torch.no_grad():
        return model(torch.tensor([[1, 2, 3]])).logits


def test_an_adapter_is_loaded_on_the_base_model(tmp_path):
    adapter_of_ones(tmp_path / "adapter")
    weights = TrainedWeights.open(tmp_path)
    assert weights.folder == weights.adapter == tmp_path / "adapter"
    assert weights.model_config(BASE) == BASE
    loaded = weights.load(BASE)
    assert isinstance(loaded, peft.PeftModel)
    assert not loaded.training
    assert not torch.equal(logits(loaded), logits(loading.load(BASE)))


def test_a_whole_model_replaces_the_base_model(tmp_path):
    shutil.copytree(loading.resolve("asset:tiny"), tmp_path / "model")
    weights = TrainedWeights.open(tmp_path)
    assert weights.folder == tmp_path / "model"
    assert weights.adapter is None
    config = weights.model_config(BASE)
    assert (config.name_or_path, config.revision) == (str(tmp_path / "model"), None)
    assert (config.dtype, config.max_length) == (BASE.dtype, BASE.max_length)
    elsewhere = small.model_config(name_or_path="/no/such/base")
    assert torch.equal(logits(weights.load(elsewhere)), logits(loading.load(BASE)))


def test_a_whole_model_needs_its_config(tmp_path):
    adapter_of_ones(tmp_path / "adapter")
    (tmp_path / "model").mkdir()
    assert TrainedWeights.open(tmp_path).is_adapter


def test_a_ready_adapter(tmp_path):
    adapter_of_ones(tmp_path)
    weights = TrainedWeights(tmp_path, is_adapter=True)
    assert weights.adapter == tmp_path
    rank = json.loads((tmp_path / "adapter_config.json").read_text())["r"]
    assert weights.load(BASE).peft_config["default"].r == rank


def test_a_result_without_weights(tmp_path):
    weights = TrainedWeights.open(tmp_path)
    with pytest.raises(ModelError, match=r"the folder has no adapter_config.json"):
        weights.load(BASE)
