"""What a model's configuration rules out is refused without its weights: no folder here has any."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import (
    BertConfig,
    Gemma2Config,
    GPT2Config,
    GptOssConfig,
    LlamaConfig,
    Mistral3Config,
    MixtralConfig,
    Qwen2MoeConfig,
    Qwen3Config,
    Qwen3MoeConfig,
    T5Config,
)

from raft_exp.core.errors import ModelError
from raft_exp.models import checks
from raft_exp.training import weights
from raft_exp.training.config import LoraConfig
from tests.helpers import small_training as small
from tests.helpers.small_models import EXPERTS, SMALL
from tests.helpers.tokenizers import TOKENIZERS, qwen2

FAMILIES = {
    "llama": LlamaConfig(**SMALL, architectures=["LlamaForCausalLM"]),
    "qwen3": Qwen3Config(**SMALL | {"tie_word_embeddings": True}, architectures=["Qwen3ForCausalLM"]),
    "qwen3_moe": Qwen3MoeConfig(**SMALL, **EXPERTS, architectures=["Qwen3MoeForCausalLM"]),
    "qwen2_moe": Qwen2MoeConfig(**SMALL, **EXPERTS, shared_expert_intermediate_size=16),
    "mixtral": MixtralConfig(**SMALL, num_local_experts=4, architectures=["MixtralForCausalLM"]),
    "gpt_oss": GptOssConfig(**SMALL, num_local_experts=4, num_experts_per_tok=2),
    "gemma2": Gemma2Config(**SMALL, sliding_window=8),
    "gpt2": GPT2Config(n_positions=512, n_embd=32, n_layer=2, n_head=2, vocab_size=600),
}


@pytest.fixture
def folder(tmp_path):
    """A model folder without weights; `changes` go into its config.json."""

    def write(config=FAMILIES["llama"], tokenizer=None, **changes):
        target = tmp_path / "model"
        config.save_pretrained(target)
        (tokenizer or qwen2()).save_pretrained(target)
        file = target / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
        return str(target)

    return write


def lora(**changes):
    return LoraConfig(**small.values("lora", "default") | {"r": 4} | changes)


def check(name, adapter=None, packing=False, **changes):
    return checks.check(small.model_config(name_or_path=name, **changes), adapter or lora(), packing, download=False)


def refusal(name, adapter=None, **changes):
    with pytest.raises(ModelError) as error:
        check(name, adapter, **changes)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("family", FAMILIES)
def test_default_settings_are_accepted(family, folder):
    assert check(folder(FAMILIES[family])) == []


@pytest.mark.parametrize(
    ("family", "positions"), [("gpt2", 512), ("llama", 1024), ("gemma2", 1024), ("qwen3_moe", 1024)]
)
def test_more_tokens_than_positions(family, positions, folder):
    name = folder(FAMILIES[family])
    message = refusal(name, max_length=positions + 1)
    assert message.startswith(f"model.max_length={positions + 1}: {name} has {positions} positions; set model.max_leng")
    assert check(name, max_length=positions) == []


def test_a_reply_longer_than_all_positions(folder):
    name = folder(FAMILIES["gpt2"])
    message = refusal(name, max_length=2000, max_new_tokens=600)
    assert "set model.max_length=512 and model.max_new_tokens below 512" in message
    assert check(name, max_length=512, max_new_tokens=511) == []


def test_as_many_tokens_as_learned_positions_can_be_computed():
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_config(FAMILIES["gpt2"])
    assert model(input_ids=torch.ones((1, 512), dtype=torch.int64)).logits.shape[1] == 512
    with pytest.raises(IndexError):
        model(input_ids=torch.ones((1, 513), dtype=torch.int64))


@pytest.mark.parametrize(
    ("rope", "positions"),
    [
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024}, 4096),
        ({"rope_type": "linear", "factor": 2.0}, 2048),
        (
            {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 128,
            },
            1024,
        ),
    ],
)
def test_scaled_positions(rope, positions, folder):
    name = folder(rope_parameters={"rope_theta": 10000.0, **rope})
    assert check(name, max_length=positions) == []
    assert f"has {positions} positions" in refusal(name, max_length=positions + 1)


def test_a_sliding_window_is_no_limit(folder):
    assert check(folder(FAMILIES["gemma2"]), max_length=1000) == []


def test_a_model_without_positions_has_no_limit():
    assert checks._positions({"vocab_size": 5}) is None
    assert checks._positions({"max_position_embeddings": 9, "alibi": True}) is None


@pytest.mark.slow
def test_a_chat_template_beyond_the_embeddings(folder):
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = qwen2()
    highest = tokenizer.convert_tokens_to_ids("</think>")
    name = folder(tokenizer=tokenizer, vocab_size=highest)
    message = refusal(name)
    assert f"the token '</think>' with id {highest}, but the model's embeddings have only {highest} rows" in message
    assert f"resize_token_embeddings({highest + 1})" in message
    template = tokenizer.chat_template.replace("<think>\\n\\n</think>\\n\\n", "")
    assert check(folder(tokenizer=qwen2(template), vocab_size=highest)) == []
    name = folder(tokenizer=tokenizer, vocab_size=highest)
    model = AutoModelForCausalLM.from_config(loading_config(name), dtype=torch.float32)
    model.resize_token_embeddings(highest + 1)
    model.save_pretrained(name)
    assert check(name) == []


def loading_config(name):
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(name)


def test_a_vocabulary_beyond_the_embeddings(folder):
    assert "but the model's embeddings have only 100 rows" in refusal(folder(vocab_size=100))


def test_a_control_token_that_no_prompt_has_needs_no_row(folder):
    tokenizer = qwen2()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image_soft_token>"]})  # as Gemma 3's 1B has
    rows = tokenizer.convert_tokens_to_ids("<image_soft_token>")
    assert check(folder(tokenizer=tokenizer, vocab_size=rows)) == []


def test_a_model_without_chat_template_is_told(folder):
    (line,) = check(folder(tokenizer=TOKENIZERS["llama2"]()))
    assert "has no chat template, so prompts are plain text" in line
    assert "\n" not in line
    name = folder(tokenizer=TOKENIZERS["no system role"]())  # writes chat_template.jinja
    assert check(name) == []


def test_a_tokenizer_without_end_token(folder):
    tokenizer = TOKENIZERS["llama2"]()
    tokenizer.eos_token = None
    name = folder(tokenizer=tokenizer)
    assert "its tokenizer has no end token; set eos_token in its tokenizer_config.json" in refusal(name)
    file = Path(name) / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"eos_token": "</s>"}))
    assert len(check(name)) == 1


@pytest.mark.slow
def test_a_template_that_fails(folder):
    assert "the chat template of" in refusal(folder(tokenizer=qwen2("{{ raise_exception('never') }}")))


@pytest.mark.parametrize(
    ("config", "part"),
    [
        (T5Config(d_model=16, num_layers=1, num_heads=2, vocab_size=600), "an encoder with a decoder (t5)"),
        (BertConfig(hidden_size=16, vocab_size=600, architectures=["BertForMaskedLM"]), "is BertForMaskedLM"),
        (LlamaConfig(**SMALL, architectures=["LlamaForSequenceClassification"]), "LlamaForSequenceClassification"),
    ],
)
def test_a_model_that_predicts_no_next_token(config, part, folder):
    message = refusal(folder(config))
    assert part in message
    assert "choose a causal language model, whose config.json names a class ...ForCausalLM" in message


def test_a_type_without_causal_language_model(folder):
    from transformers import ViTConfig

    assert "no causal language model of type 'vit'" in refusal(folder(ViTConfig(architectures=["ViTModel"])))


def test_a_type_that_transformers_lacks(folder):
    message = refusal(folder(model_type="unheard_of", architectures=["UnheardOfForCausalLM"]))
    assert "not a usable model folder" in message


@pytest.mark.parametrize(
    ("family", "names", "part", "remedy"),
    [
        (
            "llama",
            ["q_prj", "v_proj"],
            "'q_prj' is not a module of LlamaForCausalLM; did you mean 'q_proj'?",
            ["q_proj"],
        ),
        ("llama", ["mlp"], "'mlp' is a LlamaMLP, which LoRA does not support; use", ["gate_proj", "up_proj"]),
        ("qwen3", ["q_proj", "lm_head"], "'lm_head' is tied to the other embedding layer", ["q_proj"]),
        ("qwen3", ["embed_tokens"], "'embed_tokens' is tied to the other embedding layer", ["q_proj"]),
        (
            "gpt2",
            ["q_proj"],
            "'q_proj' is not a module of GPT2LMHeadModel; did you mean 'c_proj'",
            ["c_proj", "c_attn"],
        ),
        ("qwen3_moe", ["gate_proj", "q_proj"], "Cannot convert PEFT target", ["gate_proj", "up_proj", "q_proj"]),
        ("qwen3_moe", ["experts"], "'experts' is a Qwen3MoeExperts, which LoRA does", ["q_proj", "k_proj"]),
        ("mixtral", ["q_proj", "gate_proj"], "'gate_proj' is not a module of MixtralForCausalLM", ["q_proj", "w2"]),
        ("gpt_oss", ["gate_proj"], "'gate_proj' is not a module of GptOssForCausalLM", ["q_proj"]),
    ],
)
def test_target_modules_that_the_model_has_not(family, names, part, remedy, folder):
    name = folder(FAMILIES[family])
    message = refusal(name, lora(target_modules=names))
    assert message.startswith("lora.target_modules")
    assert part in message
    right = lora(target_modules=remedy, dropout=0.0)
    assert check(name, right) == []
    skeleton = checks._skeleton(small.model_config(name_or_path=name), FAMILIES[family])
    assert skeleton is not None
    adapted = weights.add_adapter(skeleton, right, 0)
    assert any("lora_A" in weight for weight, _ in adapted.named_parameters())


@pytest.mark.parametrize("family", ["qwen3_moe", "mixtral", "qwen2_moe"])
def test_experts_are_named_as_their_former_layers(family, folder):
    projections = ["w1", "w2", "w3"] if family == "mixtral" else ["gate_proj", "up_proj", "down_proj"]
    assert check(folder(FAMILIES[family]), lora(target_modules=[*projections, "q_proj"])) == []


def test_an_untied_output_head_can_be_adapted(folder):
    assert check(folder(), lora(target_modules=["lm_head"])) == []


def test_a_rank_above_the_size_of_the_model(folder):
    name = folder()
    message = refusal(name, lora(r=33))
    assert "lora.r=33: the rank is larger than the hidden size 32 of LlamaForCausalLM; set lora.r=32 or less" in message
    assert check(name, lora(r=32)) == []
    assert check(name, lora(r=0)) == []


@pytest.mark.parametrize(("family", "part"), [("gemma2", "attn_logit_softcapping=50.0"), ("gpt_oss", "sinks")])
def test_packed_rows_where_the_model_cannot(family, part, folder):
    name = folder(FAMILIES[family])
    message = refusal(name, packing=True)
    assert message.startswith("trainer.packing=true: ")
    assert part in message
    assert message.endswith("use trainer.packing=false")
    assert check(name, packing=False) == []


def test_packed_rows_where_the_model_can(folder):
    assert check(folder(), packing=True) == []


def test_the_embedded_models(monkeypatch):
    monkeypatch.setattr(checks, "_config", None)  # not read by transformers
    assert check("asset:pocket", max_length=2048) == []
    assert "asset:pocket has 2048 positions" in refusal("asset:pocket", max_length=2049)


def test_target_modules_of_an_embedded_model():
    assert "did you mean 'q_proj'" in refusal("asset:tiny", lora(target_modules=["q_prj"]))
    assert len(check("asset:tiny", lora(target_modules=["q_proj"]))) == 1  # it has no chat template


def test_a_folder_without_weights(folder):
    from transformers import AutoModelForCausalLM

    model = small.model_config(name_or_path=folder())
    with pytest.raises(
        ModelError, match=r"the folder has no weights \(\*\.safetensors\); save the model there with save_pretr"
    ):
        checks.check_weights(model)
    AutoModelForCausalLM.from_config(loading_config(model.name_or_path)).save_pretrained(model.name_or_path)
    checks.check_weights(model)
    checks.check_weights(small.model_config(name_or_path="owner/name"))


def test_a_hub_model_that_is_not_cached_is_not_checked():
    settings = small.model_config(name_or_path="owner/name", revision="0" * 40)
    assert checks.check(settings, lora(), True, download=True) == []


def test_a_hub_model_in_the_local_cache(folder, tmp_path, monkeypatch):
    snapshot = tmp_path / "hub" / "models--owner--name" / "snapshots" / ("0" * 40)
    snapshot.parent.mkdir(parents=True)
    Path(folder(FAMILIES["gpt2"])).rename(snapshot)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(snapshot.parents[2]))
    assert "owner/name has 512 positions" in refusal("owner/name", revision="0" * 40, max_length=600)


def test_the_embedded_models_need_no_import_of_transformers():
    code = (
        "import sys\nfrom raft_exp.models import checks\nfrom tests.helpers import small_training as small\n"
        "loaded = {name for name in sys.modules if name in ('torch', 'transformers', 'peft')}\n"
        "model = small.model_config(name_or_path='asset:pocket')\n"
        "assert checks.check(model, small.LoraConfig(**small.values('lora', 'default')), True, True) == []\n"
        "assert {name for name in sys.modules if name in ('torch', 'transformers', 'peft')} == loaded\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_vllm_runs_models_for_which_transformers_has_no_causal_class(tmp_path):
    Mistral3Config(architectures=["Mistral3ForConditionalGeneration"]).save_pretrained(tmp_path)
    model = small.model_config(name_or_path=str(tmp_path))
    with pytest.raises(ModelError, match="no causal language model"):
        checks.check(model, None, False, download=False)
    assert checks.check(model, None, False, download=False, by_transformers=False) == []
