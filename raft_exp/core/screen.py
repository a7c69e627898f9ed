"""Text on terminals and pipes of any encoding: no character ends a finished study in an error."""

import codecs
import io
import os
import sys
from collections.abc import Iterable

from raft_exp.core.errors import ConfigError

_ERRORS = "raft_exp.plain"
# What stands for a character that the encoding of the output does not have. A lost sign would change a figure.
_PLAIN = str.maketrans(
    {
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{NON-BREAKING HYPHEN}": "-",
        "\N{MIDDLE DOT}": ".",
        "\N{BULLET}": "*",
        "\N{HORIZONTAL ELLIPSIS}": "...",
        "\N{CHECK MARK}": "+",
        "\N{BALLOT X}": "x",
        "\N{MULTIPLICATION SIGN}": "x",
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{NO-BREAK SPACE}": " ",
        "\N{REPLACEMENT CHARACTER}": "?",
    }
)


def take_any_text() -> None:
    """Makes stdout and stderr write what their encoding lacks as ASCII: a minus sign as `-`, others as `\\u4e2d`.

    A stdin that is read as ASCII is read as UTF-8, which is the same for ASCII. Rich draws ASCII boxes by itself.
    """
    codecs.register_error(_ERRORS, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)
    if isinstance(sys.stdin, io.TextIOWrapper) and codecs.lookup(sys.stdin.encoding).name == "ascii":
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")


def show(text: str) -> None:
    """Prints a text; a reader that ends before it (`| head`) is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python writes at its end goes nowhere


def check_arguments(words: Iterable[str]) -> None:
    """Raises ConfigError for a word of the command line that the locale's encoding could not decode."""
    for word in words:
        if any("\ud800" <= char <= "\udfff" for char in word):
            raise ConfigError(
                f"{word!a}: the locale's encoding ({sys.getfilesystemencoding()}) does not have its characters; "
                "set PYTHONUTF8=1 in the environment, and write it again"
            )


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Handles the error of an encoder (`codecs.register_error`)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_PLAIN)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end
