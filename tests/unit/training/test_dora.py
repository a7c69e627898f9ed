"""DoRA, a setting of the adapter."""

import json
from dataclasses import replace

import pytest
import torch

from raft_exp.models import loading
from raft_exp.models.merge import merge
from raft_exp.models.trained_weights import TrainedWeights
from raft_exp.training import callback
from raft_exp.training.stage import train
from tests.helpers import small_training as small
from tests.unit.training.test_stage import FILES, RUN, Killed, stopping_at


def logits(model):
    with torch.no_grad():
        return model(torch.arange(5, 45)[None]).logits


@pytest.mark.slow
@pytest.mark.parametrize("quantize", [None, "nf4"])
def test_dora_trains_goes_on_and_is_merged(tmp_path, rows, monkeypatch, quantize):
    if quantize:
        pytest.importorskip("bitsandbytes", reason="needs the extra [qlora]")
    config = small.train_stage(model={"quantize": quantize}, **RUN)
    config = replace(config, lora=replace(config.lora, dora=True))
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    train(config, dataset=rows, out=tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(callback.TrainingCallback, "_log", stopping_at(7))
        with pytest.raises(Killed):
            train(config, dataset=rows, out=tmp_path / "broken")
    train(config, dataset=rows, out=tmp_path / "broken")
    assert small.contents(tmp_path / "broken", FILES) == small.contents(tmp_path / "whole", FILES)
    assert json.loads((tmp_path / "whole" / FILES[1]).read_text())["use_dora"] is True
    learned = TrainedWeights.open(tmp_path / "whole")
    expected = logits(learned.load(config.model))
    merge(config.model, learned.adapter, tmp_path / "merged")
    assert any("lora_magnitude_vector" in name for name in learned.load(config.model).state_dict())
    merged = small.model_config(name_or_path=str(tmp_path / "merged"))
    assert torch.allclose(logits(loading.load(merged)), expected, atol=1e-4)
