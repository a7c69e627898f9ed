"""Cleans untrusted text, so that no text of a document is read as a control token or as a marker of a reply."""

import re
from typing import TYPE_CHECKING

from raft_exp.prompts.document import REPLACEMENT, Mode

if TYPE_CHECKING:
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerBase

# Control tokens of common chat formats. They are escaped for every tokenizer, so that an exported data set is safe for
# other models too.
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
    """Escapes the reply markers of a text with a space (`##Answer` -> `# #Answer`).

    Returns the text and the number of escaped markers.
    """
    return _MARKER.subn("# #", text)


class Cleaner:
    """Escapes markers and control tokens with a space: `<|im_end|>` -> `< |im_end|>`, `##Answer:` -> `# #Answer:`.

    The control tokens are those of the tokenizer and COMMON_CONTROL; without a tokenizer, those of COMMON_CONTROL. Also
    replaces characters that the prompt mode cannot represent by U+FFFD, so that the passages stored in a row equal the
    passages in its prompt.
    """

    def __init__(self, mode: Mode, tokenizer: "PreTrainedTokenizerBase | None" = None) -> None:
        self._mode, self._tokenizer = mode, tokenizer
        added = tokenizer.added_tokens_decoder if tokenizer else {}
        self._control = _pattern({*COMMON_CONTROL, *(token.content for token in added.values())})
        normalises = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None) is not None
        self._hidden = {number for number, token in added.items() if _hides(token, normalises)}
        self.escaped = 0  # number so far of escaped markers and control tokens, and of delimiters that the mode escapes
        self.replaced = 0  # number so far of characters replaced by U+FFFD

    def __call__(self, text: str) -> str:
        """Returns the text in a form that is safe in a prompt; increases `escaped` and `replaced`."""
        text, replaced = self._mode.FORBIDDEN.subn(REPLACEMENT, text)
        self.replaced += replaced
        self.escaped += len(self._mode.DELIMITER.findall(text))
        while found := self._control.subn(lambda token: f"{token[0][0]} {token[0][1:]}", text):
            text, controls = found
            self.escaped += controls
            if not controls:  # repeated: what remains of two overlapping tokens may be a token
                break
        text, markers = break_markers(text)
        self.escaped += markers
        return self._without_hidden(text) if self._hidden else text

    def _without_hidden(self, text: str) -> str:
        """Writes U+FFFD in place of control tokens that `_control` cannot match.

        These are tokens of one character, and text that the tokenizer normalises to a token (`＜|IM_END|＞`).
        """
        while spans := self._spans(text):
            for start, end in reversed(spans):
                text = text[:start] + re.sub(r"\S", REPLACEMENT, text[start:end]) + text[end:]
            self.escaped += len(spans)
        return text

    def _spans(self, text: str) -> list[tuple[int, int]]:
        assert self._tokenizer is not None, "hidden tokens come from a tokenizer"
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        tokens = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        return [(start, end) for token, (start, end) in tokens if token in self._hidden and text[start:end].strip()]


def _pattern(tokens: set[str]) -> re.Pattern[str]:
    """Returns a pattern for any of the tokens, the longest first.

    White space in a token matches any white space, because titles and questions are joined to one line later.
    """
    words = [token.split() for token in sorted(tokens, key=lambda token: (-len(token), token))]
    return re.compile("|".join(r"\s+".join(map(re.escape, parts)) for parts in words if parts and len(parts[0]) > 1))


def _hides(token: "AddedToken", normalises: bool) -> bool:
    """Whether `_pattern` cannot find a token: it has one character, or the tokenizer normalises other text to it."""
    if len(token.content.strip()) == 1:
        return bool(token.special)
    return bool(token.normalized and normalises and token.content.strip())
