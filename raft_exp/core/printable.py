"""Makes untrusted text safe for a terminal: replaces control characters, which a terminal would execute, by U+FFFD.

Untrusted texts are server errors, names of models and files, and titles of documents. Control characters could move
the cursor over other lines, set the clipboard, hide a link behind a text, or show letters in another order.
"""

import logging
import re

# C0 except line end and tab, DEL and C1; line and paragraph separators; characters that change the direction of text;
# interlinear annotation characters; tag characters, which are invisible letters.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """Returns the text with U+FFFD in place of each control character. Line feeds and tabs stay.

    A carriage return before a line feed is removed. Any other carriage return is a control character.
    """
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


class PrintableRecord(logging.LogRecord):
    """A log record. In messages of raft_exp's loggers, control characters are replaced."""

    def getMessage(self) -> str:  # noqa: N802  # a name of logging
        """Returns the formatted message."""
        message = super().getMessage()
        return printable(message) if self.name.partition(".")[0] == "raft_exp" else message
