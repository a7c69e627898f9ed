"""No text of a file or a server commands the terminal: errors, log messages, tables, and printed lines."""

import io
import logging
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from raft_exp.apps.arguments import one_line_errors
from raft_exp.core import errors, screen
from raft_exp.core.printable import PrintableRecord, printable
from tests.helpers.worlds import MANY

HOSTILE = [
    "\x1b[2J\x1b[H all is well",  # clears the screen
    "\x1b]8;;http://127.0.0.1/\x1b\\a link\x1b]8;;\x1b\\",
    "\x1b]52;c;cm0gLXJm\x07",  # sets the clipboard
    "\x9b31m C1 \x9d0;title\x9c",
    "good\rbad",
    "gpj.\u202eexe\u202c",
    "\u2066a\u2069\u2028b\u2029c",
    "bell\x07, backspace\x08, null\x00, delete\x7f",
    "a\U000e0041\U000e007f",
]
OURS = re.compile(r"\x1b\[[0-9;]*m")  # colours of rich
TEXTS = st.one_of(st.text(), st.sampled_from(HOSTILE), st.text(alphabet=st.characters(categories=["Cc", "Cf", "Lu"])))


def is_quiet(text: str) -> bool:
    """Whether a text holds nothing that a terminal executes, or that changes the direction of other characters."""
    wrong = {"BN", "B", "S", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return all(
        char in "\n\t" or not (unicodedata.category(char) == "Cc" or unicodedata.bidirectional(char) in wrong - {"BN"})
        for char in text
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts(text):
    assert not is_quiet(text) or "\U000e0041" in text
    assert is_quiet(printable(text))
    assert "\U000e0041" not in printable(text)


@MANY
@given(TEXTS)
def test_printable_replaces_controls_alone(text):
    shown = printable(text)
    assert is_quiet(shown)
    assert printable(shown) == shown
    if is_quiet(text) and not any(
        "\U000e0000" <= char <= "\U000e007f" or "\ufff9" <= char <= "\ufffb" for char in text
    ):
        assert shown == text


def test_words_of_all_scripts_stay():
    text = "na\u00efve \u4f60\u597d \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 1\u202f000\u00a0km "
    text += "\U0001f468\u200d\U0001f469 \u2212 \u2026\n\tnext"
    assert printable(text) == text


@MANY
@given(TEXTS)
def test_errors_are_printable(text):
    for kind in (errors.ConfigError, errors.DataError, errors.ServerError, errors.ModelError):
        assert is_quiet(str(kind(f"teacher: {text}; try again")))


@MANY
@given(TEXTS)
def test_tables_panels_and_lines_of_the_console_are_printable(text):
    file = io.StringIO()
    console = screen.Console(file=file, force_terminal=True, color_system="standard", width=60)
    table = Table("model", "path")
    table.add_row(escape(text), Text(text, style="green"))
    console.print(table, Panel(Text(text), title=Text(text)), f"[bold]{escape(text)}[/]", text, markup=False)
    assert is_quiet(OURS.sub("", file.getvalue()))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_command_prints_an_error_without_controls(capsys, text):
    with pytest.raises(SystemExit), one_line_errors():
        raise errors.ServerError(f"engine: {text}")
    printed = capsys.readouterr().err
    assert printed.startswith("ServerError: engine: ")
    assert is_quiet(printed)
    assert printed.count("\n") == 1


def test_log_messages_of_raft_exp_are_printable(capsys):
    before = logging.getLogRecordFactory()
    try:
        screen.take_any_text()
        made = logging.getLogger("raft_exp.engines").makeRecord(
            "raft_exp.engines", logging.WARNING, "", 0, "%s: %d lines", (HOSTILE[0], 3), None
        )
        other = PrintableRecord("uvicorn.access", logging.INFO, "", 0, "%s", ("\x1b[1m",), None)
    finally:
        logging.setLogRecordFactory(before)
    assert (
        logging.Formatter("%(message)s").format(made)
        == "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}[H all is well: 3 lines"
    )
    assert other.getMessage() == "\x1b[1m"


def test_lines_about_files_are_printable(capsys):
    screen.say("not read: a\x1b[1mb.pdf", error=True)
    screen.say("report: a\x07")
    printed = capsys.readouterr()
    assert printed.err == "not read: a\N{REPLACEMENT CHARACTER}[1mb.pdf\n"
    assert printed.out == "report: a\N{REPLACEMENT CHARACTER}\n"
