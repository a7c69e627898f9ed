"""Cleaning of untrusted text: no text of a document becomes a control token of the model or a marker of a reply."""

import re
from typing import TYPE_CHECKING

from raft_exp.prompts.document import REPLACEMENT, Mode

if TYPE_CHECKING:
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerBase

# Control tokens of the common chat formats. They are broken up for every tokenizer, so that an exported data set is
# safe for other models too.
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
    """The text with its reply markers broken up (`##Answer` -> `# #Answer`), and their number."""
    return _MARKER.subn("# #", text)


class Cleaner:
    """Breaks up markers and control tokens: `<|im_end|>` becomes `< |im_end|>`, `##Answer:` becomes `# #Answer:`.

    Characters that the prompt mode cannot hold become U+FFFD here already, so that the passages of a data set row are
    exactly those of its prompt. Without a tokenizer only COMMON_CONTROL and the markers are broken up.
    """

    def __init__(self, mode: Mode, tokenizer: "PreTrainedTokenizerBase | None" = None) -> None:
        self._mode, self._tokenizer = mode, tokenizer
        added = tokenizer.added_tokens_decoder if tokenizer else {}
        self._control = _pattern({*COMMON_CONTROL, *(token.content for token in added.values())})
        normalises = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None) is not None
        self._hidden = {number for number, token in added.items() if _hides(token, normalises)}
        self.escaped = 0  # number so far of broken markers and control tokens, and of delimiters that the mode escapes
        self.replaced = 0  # number so far of characters that became U+FFFD because the mode cannot hold them

    def __call__(self, text: str) -> str:
        """The text in the form that is safe in a prompt; adds to `escaped` and `replaced`."""
        text, replaced = self._mode.FORBIDDEN.subn(REPLACEMENT, text)
        self.replaced += replaced
        self.escaped += len(self._mode.DELIMITER.findall(text))
        while found := self._control.subn(lambda token: f"{token[0][0]} {token[0][1:]}", text):
            text, controls = found
            self.escaped += controls
            if not controls:  # again, as tokens may overlap: the rest of one may be another
                break
        text, markers = break_markers(text)
        self.escaped += markers
        return self._without_hidden(text) if self._hidden else text

    def _without_hidden(self, text: str) -> str:
        """The text without control tokens that no pattern matches: one character, or normalised (`＜|IM_END|＞`)."""
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
    """Matches any of the tokens, the longest first. White space in a token matches any white space, as titles and
    questions are joined to one line later.
    """
    words = [token.split() for token in sorted(tokens, key=lambda token: (-len(token), token))]
    return re.compile("|".join(r"\s+".join(map(re.escape, parts)) for parts in words if parts and len(parts[0]) > 1))


def _hides(token: "AddedToken", normalises: bool) -> bool:
    """Whether the pattern cannot remove a token: it has one character, or other text is normalised to it."""
    if len(token.content.strip()) == 1:
        return bool(token.special)
    return bool(token.normalized and normalises and token.content.strip())
