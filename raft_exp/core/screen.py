"""Text on terminals and pipes of any encoding: no character ends a finished study in an error."""

import codecs
import io
import os
import stat
import sys
from collections.abc import Iterable
from typing import TextIO

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
    A pipe whose reader has left (`| head`) takes the rest without an error.
    """
    codecs.register_error(_ERRORS, _plain)
    sys.stdout, sys.stderr = _unbroken(sys.stdout), _unbroken(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)
    if isinstance(sys.stdin, io.TextIOWrapper) and codecs.lookup(sys.stdin.encoding).name == "ascii":
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")


class _Pipe(io.FileIO):
    """A pipe that swallows what nobody reads any more."""

    def write(self, data: object) -> int:
        """Writes to the pipe; after its reader has left, to nowhere, as do the child processes that inherit it."""
        try:
            return super().write(data)  # type: ignore[arg-type]  # any buffer
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return super().write(data)  # type: ignore[arg-type]


def _unbroken(stream: TextIO) -> TextIO:
    """The same stream, as a `_Pipe` where it is one of the process's own pipes."""
    if type(stream) is not io.TextIOWrapper or isinstance(getattr(stream.buffer, "raw", None), _Pipe):
        return stream
    try:
        number = stream.fileno()
        mode = os.fstat(number).st_mode
    except (OSError, ValueError):  # no file of the system, or a closed one
        return stream
    if number not in (1, 2) or not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return stream
    stream.flush()
    pipe = io.BufferedWriter(_Pipe(number, "wb", closefd=False))
    return io.TextIOWrapper(
        pipe, stream.encoding, stream.errors, line_buffering=stream.line_buffering, write_through=stream.write_through
    )


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
