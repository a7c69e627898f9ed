"""Text from a document can never become a control token or a marker of ours: it is broken up, and counted."""

import re
from typing import Any

from raft_exp.prompts.document import REPLACEMENT, Mode

# Control texts of the common chat formats. They are broken up whatever the tokenizer, so that an exported
# data set is safe in other trainers as well.
COMMON_CONTROL = (
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<s>",
    "</s>",
    "<bos>",
    "<eos>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|end|>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
    "<think>",
    "</think>",
    "<DOCUMENT>",
    "</DOCUMENT>",
)
_MARKER = re.compile(r"##(?=\s*(?:Reason|Answer|begin_quote|end_quote))", re.IGNORECASE)


def break_markers(text: str) -> tuple[str, int]:
    """The text with markers of ours broken up, and how many there were."""
    return _MARKER.subn("# #", text)


class Cleaner:
    """Breaks up markers and control tokens: `<|im_end|>` becomes `< |im_end|>`, `##Answer:` becomes `# #Answer:`.

    Characters that the mode cannot carry become U+FFFD, so that a row's passages are those of its prompt.
    """

    def __init__(self, mode: Mode, tokenizer: Any | None = None) -> None:
        self._mode, self._tokenizer = mode, tokenizer
        added = tokenizer.added_tokens_decoder if tokenizer else {}
        self._control = _pattern({*COMMON_CONTROL, *(token.content for token in added.values())})
        normalises = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None) is not None
        self._hidden = {number for number, token in added.items() if _hides(token, normalises)}
        self.escaped = 0  # how many markers, control tokens and delimiters of the mode were made harmless so far
        self.replaced = 0  # how many characters became U+FFFD because the mode cannot carry them

    def __call__(self, text: str) -> str:
        """The text, safe to stand in a prompt."""
        text, replaced = self._mode.FORBIDDEN.subn(REPLACEMENT, text)
        self.replaced += replaced
        self.escaped += len(self._mode.DELIMITER.findall(text))
        while found := self._control.subn(lambda token: f"{token[0][0]} {token[0][1:]}", text):
            text, controls = found
            self.escaped += controls
            if not controls:  # tokens may overlap: what is left of one may be another
                break
        text, markers = break_markers(text)
        self.escaped += markers
        return self._without_hidden(text) if self._hidden else text

    def _without_hidden(self, text: str) -> str:
        """The text without what only the tokenizer sees: tokens of one character, or such as `＜|IM_END|＞`."""
        while spans := self._spans(text):
            for start, end in reversed(spans):
                text = text[:start] + re.sub(r"\S", REPLACEMENT, text[start:end]) + text[end:]
            self.escaped += len(spans)
        return text

    def _spans(self, text: str) -> list[tuple[int, int]]:
        assert self._tokenizer is not None, "a hidden token is some tokenizer's"
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        tokens = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        return [(start, end) for token, (start, end) in tokens if token in self._hidden and text[start:end].strip()]


def _pattern(tokens: set[str]) -> re.Pattern[str]:
    """Any of the tokens, the longest first. White space matches any: titles and questions are made one line."""
    words = [token.split() for token in sorted(tokens, key=lambda token: (-len(token), token))]
    return re.compile("|".join(r"\s+".join(map(re.escape, parts)) for parts in words if parts and len(parts[0]) > 1))


def _hides(token: Any, normalises: bool) -> bool:
    """Whether text that does not hold the token may become it, or a space inside cannot break it up."""
    if len(token.content.strip()) == 1:
        return bool(token.special)
    return bool(token.normalized and normalises and token.content.strip())
