"""Output on terminals and pipes of any encoding: characters that cannot be encoded are replaced, without an error.

Control characters in texts from files and servers are replaced too (`core.printable`).
"""

import codecs
import io
import logging
import os
import stat
import sys
from collections.abc import Iterable
from typing import TextIO

from rich import console
from rich.segment import Segment

from raft_exp.core.errors import ConfigError
from raft_exp.core.printable import PrintableRecord, printable

_ERRORS = "raft_exp.plain"
# Replacements for characters that the encoding of the output lacks. A code in place of a minus sign would be misread.
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
    """Makes stdout and stderr replace characters that their encoding lacks.

    Signs such as the minus sign or typographic quotation marks are replaced by ASCII signs, any other character by its
    code, such as `\\u4e2d`. If stdin would be decoded as ASCII, it is decoded as UTF-8. Output to a pipe whose reader
    has ended (`| head`) is discarded without an error. Log messages of raft_exp are written without control characters.
    """
    logging.setLogRecordFactory(PrintableRecord)
    codecs.register_error(_ERRORS, _plain)
    sys.stdout, sys.stderr = _unbroken(sys.stdout), _unbroken(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)
    if isinstance(sys.stdin, io.TextIOWrapper) and codecs.lookup(sys.stdin.encoding).name == "ascii":
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")


def say(text: object, error: bool = False) -> None:
    """Prints untrusted text on stdout, or on stderr if `error` is true; control characters are replaced."""
    print(printable(str(text)), file=sys.stderr if error else sys.stdout, flush=error)


class Console(console.Console):
    """A rich console that replaces control characters in the texts that it prints."""

    def render(
        self, renderable: console.RenderableType, options: console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yields the segments of a renderable. Control segments, which rich itself creates, stay unchanged."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


class _Pipe(io.FileIO):
    """A pipe that discards output after its reader has closed it."""

    def write(self, data: object) -> int:
        """Writes `data`. If the reader has closed the pipe, first connects the file descriptor to the null device."""
        try:
            return super().write(data)  # type: ignore[arg-type]  # any buffer
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return super().write(data)  # type: ignore[arg-type]


def _unbroken(stream: TextIO) -> TextIO:
    """Returns the stream; if it is this process's stdout or stderr and a pipe, a new stream over a `_Pipe`."""
    if type(stream) is not io.TextIOWrapper or isinstance(getattr(stream.buffer, "raw", None), _Pipe):
        return stream
    try:
        number = stream.fileno()
        mode = os.fstat(number).st_mode
    except (OSError, ValueError):  # a stream without a file descriptor, or a closed one
        return stream
    if number not in (1, 2) or not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return stream
    stream.flush()
    pipe = io.BufferedWriter(_Pipe(number, "wb", closefd=False))
    return io.TextIOWrapper(
        pipe, stream.encoding, stream.errors, line_buffering=stream.line_buffering, write_through=stream.write_through
    )


def check_arguments(words: Iterable[str]) -> None:
    """Raises ConfigError for a command-line argument that the locale's encoding could not decode."""
    for word in words:
        if any("\ud800" <= char <= "\udfff" for char in word):
            raise ConfigError(
                f"{word!a}: the locale's encoding ({sys.getfilesystemencoding()}) cannot decode this argument; "
                "set PYTHONUTF8=1 in the environment and run the command again"
            )


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Error handler for `codecs.register_error`: returns the ASCII replacement, and the position after it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_PLAIN)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end
