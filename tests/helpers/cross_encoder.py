"""A tiny cross-encoder with random weights. It reads letters, and its scores depend on question and passage."""

import string
from collections.abc import Sequence
from pathlib import Path

NLI = ("contradiction", "entailment", "neutral")


def write(folder: Path, labels: int = 1, seed: int = 0, names: Sequence[str] = ()) -> Path:
    """Saves the model and its tokenizer into the folder and returns it. Equal seeds give equal weights.

    `names`: the names of its labels, in place of `labels`.
    """
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    signs = string.ascii_lowercase + string.digits + string.punctuation
    vocabulary = {piece: at for at, piece in enumerate([*marks, *signs, *(f"##{sign}" for sign in signs)])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=256, **special).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=256,
        initializer_range=0.5,  # scores that differ
        **({"id2label": dict(enumerate(names))} if names else {"num_labels": labels}),
    )
    BertForSequenceClassification(config).eval().save_pretrained(folder)
    return folder
