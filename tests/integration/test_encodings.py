"""Terminals and locales that are not UTF-8: a study ends with its table, and the other commands read what it wrote."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command_line import SMALL, environment, raft_exp, run_folder

ASCII = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
LATIN = {"PYTHONIOENCODING": "latin-1:strict", "PYTHONUTF8": "0", "LC_ALL": "C.UTF-8"}
TEXTS = {"d1": "北京是中国的首都 − the capital.", "d2": "Another text of passages.", "d3": "A third text stands here."}
OVER = (
    "corpus=passages",
    "corpus.path=passages.jsonl",
    "corpus.questions=questions.jsonl",
    "corpus.test=0.34",
    "model=tiny",
    "dataset.cot=false",
    "teacher=reference",
    "dataset.num_distractors=1",
    "evaluation.num_distractors=1",
    "dataset.allow_fewer=true",
    "evaluation.allow_fewer=true",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study that was run without a UTF-8 terminal and locale."""
    folder = tmp_path_factory.mktemp("ascii")
    chosen = ("evaluation.arms=[rag,raft]", "evaluation.conditions=null")
    done = raft_exp(folder, *SMALL, *chosen, **ASCII)
    assert done.returncode == 0, done.stderr
    (folder / "told").write_text(done.stdout + done.stderr, encoding="ascii")
    return folder


def test_a_study_ends_with_its_table(folder: Path) -> None:
    told = (folder / "told").read_text(encoding="ascii")
    assert "Traceback" not in told
    assert "+ ran     report" in told
    assert "|raft" in told, "a box of ASCII"
    verdict = json.loads((run_folder(folder) / "results.json").read_text(encoding="utf-8"))["verdict"]
    assert "\N{MINUS SIGN}" in verdict
    assert verdict.replace("\N{MINUS SIGN}", "-")[:60] in " ".join(told.split())


@pytest.mark.parametrize("locale", [ASCII, LATIN], ids=["ascii", "latin-1"])
@pytest.mark.parametrize(
    "words", [("report", "RUN"), ("ask", "RUN", "Where is it?"), ("export", "RUN", "out=OUT"), ("store", "ls")]
)
def test_the_other_commands_show_it(
    folder: Path, tmp_path: Path, words: tuple[str, ...], locale: dict[str, str]
) -> None:
    places = {"RUN": str(run_folder(folder)), "out=OUT": f"out={tmp_path / 'model'}"}
    command, *arguments = (places.get(word, word) for word in words)
    call = [sys.executable, "-m", f"raft_exp.{command}", *arguments]
    done = subprocess.run(call, cwd=folder, env=environment(**locale), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("locale", [ASCII, LATIN], ids=["ascii", "latin-1"])
def test_a_preview_shows_passages_that_the_terminal_lacks(tmp_path: Path, locale: dict[str, str]) -> None:
    rows = [
        {
            "id": f"{name}#0",
            "document_id": name,
            "title": "中文",
            "text": text,
            "place": "",
            "sentences": [text],
            "source": "",
        }
        for name, text in TEXTS.items()
    ]
    questions = [
        {"question": f"问题 {name}?", "answers": [text.split()[0]], "document_id": name} for name, text in TEXTS.items()
    ]
    for file, lines in (("passages", rows), ("questions", questions)):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (tmp_path / f"{file}.jsonl").write_text(text, encoding="utf-8")
    done = raft_exp(tmp_path, *OVER, "preview=3", **locale)
    assert done.returncode == 0, done.stderr
    assert "\\u95ee\\u9898" in done.stdout
    assert "the capital" in done.stdout
