"""A model that reads images too trains on text with the default adapter."""

import json
from dataclasses import replace

import torch
import transformers

from raft_exp.models import loading
from raft_exp.training.stage import train
from tests.helpers import small_training as small

TEXT = {
    "vocab_size": 2048,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "sliding_window": 64,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 56,
    "patch_size": 14,
}


def test_the_adapter_is_on_the_text_decoder_alone(tmp_path, rows):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.Gemma3ForConditionalGeneration(
            transformers.Gemma3Config(text_config=TEXT, vision_config=VISION)
        )
    model.save_pretrained(tmp_path / "model")
    loading.load_tokenizer("asset:tiny").save_pretrained(tmp_path / "model")
    config = small.train_stage(model={"name_or_path": str(tmp_path / "model")}, max_steps=3, checkpoint_every=1)
    losses = {}
    for packing in (True, False):
        out = tmp_path / f"packing={packing}"
        out.mkdir()
        settings = replace(config, lora=replace(config.lora, dropout=0.0))
        train(replace(settings, trainer=replace(config.trainer, packing=packing)), dataset=rows, out=out)
        losses[packing] = json.loads((out / "counts.json").read_text())["loss"]
    assert abs(losses[True] - losses[False]) < 1e-4
    adapted = loading.with_adapter(loading.load(config.model), out / "adapter")
    names = {name for name, _ in adapted.named_parameters() if "lora_" in name}
    assert len(names) == 2 * 7 * 2
    assert all(".language_model." in name for name in names)
