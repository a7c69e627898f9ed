import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from raft_exp.engines.cpu import NAME, use_attention

SIZES = {"vocab_size": 64, "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 6}


def llama(key_heads: int, dtype: torch.dtype = torch.float32) -> LlamaForCausalLM:
    torch.manual_seed(3)
    config = LlamaConfig(**SIZES, num_key_value_heads=key_heads, attn_implementation="sdpa")
    return LlamaForCausalLM(config).to(dtype).eval()


def replies(model) -> list[list[int]]:
    """Greedy replies to three prompts of 9, 7 and 2 tokens, padded on the left."""
    ids = torch.randint(1, 64, (3, 9), generator=torch.Generator().manual_seed(5))
    mask = torch.ones_like(ids)
    mask[1, :2] = mask[2, :7] = 0
    settings = {"max_new_tokens": 24, "do_sample": False, "eos_token_id": 63, "pad_token_id": 0}
    with torch.inference_mode():
        return model.generate(input_ids=ids * mask, attention_mask=mask, **settings)[:, 9:].tolist()


@pytest.mark.parametrize("key_heads", [1, 2, 3, 6])
def test_greedy_replies_are_those_of_torchs_attention(key_heads):
    expected = replies(llama(key_heads))
    model = llama(key_heads)
    use_attention(model)
    assert model.config._attn_implementation == NAME
    assert replies(model) == expected
    assert len({tuple(reply) for reply in expected}) == 3


def test_a_sliding_window_is_kept():
    torch.manual_seed(3)
    config = MistralConfig(**SIZES, num_key_value_heads=2, sliding_window=4, attn_implementation="sdpa")
    model = MistralForCausalLM(config).eval()
    expected = replies(model)
    use_attention(model)
    assert replies(model) == expected


@pytest.mark.parametrize("key_heads", [2, 6])
def test_16_bits_are_as_near_to_float32_as_torchs_attention(key_heads):
    ids = torch.randint(1, 64, (2, 40), generator=torch.Generator().manual_seed(5))

    def last_step(model) -> torch.Tensor:
        with torch.inference_mode():
            cache = model(ids[:, :-1], use_cache=True).past_key_values
            return model(ids[:, -1:], past_key_values=cache).logits.float()

    exact, own = last_step(llama(key_heads)), llama(key_heads, torch.bfloat16)
    torchs = (last_step(own) - exact).abs().max()
    use_attention(own)
    assert (last_step(own) - exact).abs().max() < 1.5 * torchs + 1e-4


def test_another_attention_stays():
    model = llama(2)
    model.set_attn_implementation("eager")
    use_attention(model)
    assert model.config._attn_implementation == "eager"
