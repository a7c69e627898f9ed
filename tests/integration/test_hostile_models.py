"""A study with a hostile model folder or adapter ends in one line, within seconds, before anything is trained."""

import json

import pytest
from transformers import LlamaConfig

from raft_exp.models import loading
from raft_exp.training import weights
from raft_exp.training.config import LoraConfig
from tests.helpers import small_training as small
from tests.helpers.command_line import SMALL, raft_exp
from tests.helpers.tokenizers import qwen2

LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


def model(folder, **changes):
    """A model folder without weights."""
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(**sizes, vocab_size=600, max_position_embeddings=4096, architectures=["LlamaForCausalLM"])
    config.save_pretrained(folder)
    qwen2().save_pretrained(folder)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return folder


def refusal(folder, *settings):
    done = raft_exp(folder, "+experiment=quickstart", *SMALL, *settings)
    lines = [line for line in done.stderr.splitlines() if line.startswith("ModelError: ")]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1
    assert "Traceback" not in done.stderr
    assert not list(folder.glob("store/train/*"))
    return lines[0]


@pytest.mark.slow
def test_a_chat_template_without_end(tmp_path):
    folder = model(tmp_path / "model")
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}" + LOOP)
    told = refusal(tmp_path, f"model.name_or_path={folder}", "model.max_length=2048")
    assert "its chat template needs more than 10 s for a few sample chats; replace it" in told


@pytest.mark.slow
def test_a_billion_layers_are_refused_while_the_study_is_planned(tmp_path):
    folder = model(tmp_path / "model\x1b[2J", num_hidden_layers=10**9)
    told = refusal(tmp_path, f"model.name_or_path='{folder}'", "dry_run=true")
    assert "config.json has num_hidden_layers=1000000000; must be a whole number from 1 to 1,000" in told
    assert "\x1b" not in told


@pytest.mark.slow
def test_an_adapter_with_a_pattern_without_end(tmp_path):
    config = small.model_config()
    made = weights.add_adapter(loading.load(config), LoraConfig(**small.values("lora", "default") | {"r": 4}), seed=0)
    weights.save(made, weights.weights(made), config, tmp_path)
    file = tmp_path / "adapter" / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"target_modules": "(.|.)*!"}))
    arm = f"+arms.mine={{recipe:none,context:passages,cot:true,adapter:'{tmp_path / 'adapter'}',dataset:{{}}}}"
    told = refusal(tmp_path, "evaluation.arms=[rag,mine]", arm, "dry_run=true")
    assert "has patterns for module names whose matching needs more than 5 s" in told
