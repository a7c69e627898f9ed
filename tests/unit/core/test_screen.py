"""Output in any encoding: no text raises, and signs and figures stay what they are."""

import ast
import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core import screen
from raft_exp.core.errors import ConfigError

ROOT = Path(__file__).parents[3]
ENCODINGS = ("ascii", "latin-1", "cp1252", "koi8-r", "shift_jis", "utf-8", "utf-16")


def written(text: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a terminal of this encoding shows of the text."""
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        screen.take_any_text()
        print(text, end="", flush=True)
    terminal.buffer.seek(0)
    return terminal.buffer.read().decode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=st.text(st.characters(codec=None)))
def test_any_text_is_written_in_any_encoding(encoding: str, text: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        shown = written(text, encoding, monkeypatch)
    has_all = text.encode(encoding, "replace").decode(encoding) == text
    assert shown == text if has_all else len(shown) >= len(text)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "koi8-r"])
def test_signs_of_figures_are_kept(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = written("\N{MINUS SIGN}5.0 points, 41.2\N{EN DASH}50.9 \N{CHECK MARK} 中", encoding, monkeypatch)
    assert shown == "-5.0 points, 41.2-50.9 + \\u4e2d"


def test_a_terminal_that_has_the_characters_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written("\N{MINUS SIGN}5 中 \N{CHECK MARK}", "utf-8", monkeypatch) == "\N{MINUS SIGN}5 中 \N{CHECK MARK}"


def test_a_word_that_could_not_be_decoded_is_refused_in_a_line() -> None:
    with pytest.raises(ConfigError, match=r"PYTHONUTF8=1") as told:
        screen.check_arguments(["seed=1", "prompt.task=\udce4\udcb8\udcad"])
    assert len(str(told.value).splitlines()) == 1
    assert str(told.value).isascii()
    screen.check_arguments(["seed=1", "prompt.task=中"])


@pytest.mark.slow
def test_a_command_in_a_locale_without_the_characters_says_so(tmp_path: Path) -> None:
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    for words in (["raft_exp", "prompt.task=中"], ["raft_exp.ask", "runs/a", "中?"]):
        call = [sys.executable, "-m", *words]
        done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("ConfigError: ")
        assert "set PYTHONUTF8=1" in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_every_text_file_has_a_named_encoding() -> None:
    """The locale's own would make a file that another machine, or the same program, cannot read."""
    missing = []
    for file in sorted([*(ROOT / "raft_exp").rglob("*.py"), *(ROOT / "hydra_plugins").rglob("*.py")]):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                named = any(keyword.arg == "encoding" for keyword in node.keywords)
                positional = node.func.attr == "read_text" and bool(node.args)
                if node.func.attr in ("read_text", "write_text") and not (named or positional):
                    missing.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert missing == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["raft_exp", *(f"raft_exp.{name}" for name in ("report", "ask", "serve", "export", "store", "publish"))]
)
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_every_command_takes_any_text(command: str, encoding: str, tmp_path: Path) -> None:
    """An error with a name that the encoding lacks, as the first thing that a command prints."""
    words = {"raft_exp": ["+experiment=中−"], "raft_exp.publish": ["中−", "001_x"], "raft_exp.export": ["中−", "out=x"]}
    environment = {"PYTHONIOENCODING": f"{encoding}:strict", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    call = [sys.executable, "-m", command, *words.get(command, ["中−"])]
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, check=False)
    told = done.stderr.decode(encoding)
    assert done.returncode == 2, told
    assert "Traceback" not in told
    assert "\\u4e2d-" in told
