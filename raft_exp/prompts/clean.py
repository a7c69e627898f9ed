"""Text from a document can never become a control token or a marker of ours: it is broken up, and counted."""

import re
from collections.abc import Iterable

# Control texts of the common chat formats. They are broken up whatever the tokenizer, so that an exported
# data set is safe in other trainers as well.
COMMON_CONTROL = (
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|begin_of_text|>", "<|end_of_text|>",
    "<|start_header_id|>", "<|end_header_id|>", "<start_of_turn>", "<end_of_turn>", "<s>", "</s>", "<bos>", "<eos>",
    "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<think>", "</think>",
)  # fmt: skip
_MARKER = re.compile(r"##(?=\s*(?:Reason|Answer|begin_quote|end_quote))", re.IGNORECASE)


def break_markers(text: str) -> tuple[str, int]:
    """The text with markers of ours broken up, and how many there were."""
    return _MARKER.subn("# #", text)


class Cleaner:
    """Breaks up markers and control tokens: `<|im_end|>` becomes `< |im_end|>`, `##Answer:` becomes `# #Answer:`."""

    def __init__(self, control_tokens: Iterable[str] = ()) -> None:
        tokens = {token for token in (*COMMON_CONTROL, *control_tokens) if len(token.strip()) > 1}
        longest_first = sorted(tokens, key=lambda token: (-len(token), token))
        self._control = re.compile("|".join(re.escape(token) for token in longest_first))
        self.escaped = 0  # how many markers and control tokens were broken up so far

    def __call__(self, text: str) -> str:
        """The text, safe to stand in a prompt."""
        text, controls = self._control.subn(lambda found: f"{found[0][0]} {found[0][1:]}", text)
        text, markers = break_markers(text)
        self.escaped += controls + markers
        return text
