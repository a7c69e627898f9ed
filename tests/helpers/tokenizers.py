"""Small tokenizers of the usual kinds, built here so that no test needs a download."""

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from raft_exp.models.loading import load_tokenizer

TEXT = [
    "Passage 1: Velmor (paragraph 1)\nVelmor is a town. It was founded in 1802.\n\nQuestion: When was Velmor founded?",
    'Answer in the form: ##Answer: {answer} ##Reason: ##begin_quote## ##end_quote## {"reason": "", "answer": ""}',
    "<prompt> <passages> <passage> <title> <text> </text> ## Question\n\n> - title: |- system user assistant",
] * 3

# Qwen2's template, with the switch for thoughts that Qwen3 has.
CHATML = (
    "{%- if messages[0]['role'] != 'system' %}{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}"
    "{%- endif %}{%- for message in messages %}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}"
    "{%- endif %}"
)
# Begins the thoughts whatever it is told.
ALWAYS_THINKS = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}"
)
# Llama 2's form, as those of its descendants have it that refuse a system role.
INST = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] | trim + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] | trim + ' ' + eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)


def shipped() -> Any:
    return load_tokenizer("asset:pocket")


def qwen2(template: str = CHATML) -> Any:
    """Byte-level BPE behind NFC, no BOS, an end of turn that is not the padding; thoughts are no special tokens."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    words = Regex(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+")
    split = pre_tokenizers.Split(words, "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=450, initial_alphabet=alphabet, show_progress=False))
    made.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    made.add_tokens([AddedToken(tag, normalized=False) for tag in ("<think>", "</think>")])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=template
    )


def llama2(template: str | None = None) -> Any:
    """BPE over characters with bytes to fall back on, BOS in front of every text, pad = eos."""
    learned = Tokenizer(models.BPE(unk_token="<unk>"))
    learned.normalizer = normalizers.Replace(" ", "▁")
    trainer = trainers.BpeTrainer(vocab_size=350, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False)
    learned.train_from_iterator(TEXT, trainer)
    found = json.loads(learned.to_str())["model"]
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"<0x{byte:02X}>": byte + 3 for byte in range(256)}
    vocab |= {token: number for number, token in enumerate((t for t in found["vocab"] if t not in vocab), len(vocab))}
    merges = [tuple(merge) for merge in found["merges"]]
    made = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>",
        chat_template=template,
    )


def disguising() -> Any:
    """One that folds width and case before it looks for its tokens; one of them is a single character."""
    made = qwen2()
    backend = made.backend_tokenizer
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    backend.add_special_tokens([AddedToken("<|stop|>", normalized=True), AddedToken("█", normalized=False)])
    return made


TOKENIZERS = {
    "shipped": shipped,
    "qwen2": qwen2,
    "always thinks": lambda: qwen2(ALWAYS_THINKS),
    "llama2": llama2,
    "no system role": lambda: llama2(INST),
}


def saved(name: str, folder: Path) -> str:
    """The tokenizer as a model folder, as a study names it."""
    if name == "shipped":
        return "asset:pocket"
    TOKENIZERS[name]().save_pretrained(folder)
    return str(folder)
