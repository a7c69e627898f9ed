"""Terminals and locales that are not UTF-8: a study ends with its table, and the other commands read what it wrote."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.helpers.command_line import SMALL, environment, several

pytestmark = pytest.mark.slow

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


STUDY = (*SMALL, "evaluation.arms=[rag,raft]", "evaluation.conditions=null", "hydra.run.dir=run")
SHOWING = (
    ("raft_exp.apps.report.main", "run"),
    ("raft_exp.apps.ask.main", "run", "Where is it?"),
    ("raft_exp.apps.export.main", "run", "out={out}"),
    ("raft_exp.apps.store", "ls"),
    ("raft_exp.apps.cli", *OVER, "preview=3", "hydra.run.dir={out}_preview"),
)


def write_passages(folder: Path) -> None:
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
        (folder / f"{file}.jsonl").write_text(text, encoding="utf-8")


def run_all(folder: Path, locale: dict[str, str], *lines: tuple[str, ...]) -> tuple[str, str]:
    """Runs the commands of some lines in a process with this locale. Returns standard output and standard error."""
    done = subprocess.run(several(*lines), cwd=folder, env=environment(**locale), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    return done.stdout.decode("latin-1"), done.stderr.decode("latin-1")


def showing(name: str) -> list[tuple[str, ...]]:
    return [tuple(word.format(out=name) if "{out}" in word else word for word in line) for line in SHOWING]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A folder with a study, and the output of it and of the other commands, in a terminal and locale of ASCII."""
    folder = tmp_path_factory.mktemp("ascii")
    write_passages(folder)
    return folder, *run_all(folder, ASCII, ("raft_exp.apps.cli", *STUDY), *showing("ascii"))


def check_preview(out: str) -> None:
    """A preview shows passages whose letters the terminal lacks."""
    assert "\\u95ee\\u9898" in out
    assert "the capital" in out


def test_a_study_ends_with_its_table(finished: tuple[Path, str, str]) -> None:
    folder, out, err = finished
    assert (out + err).isascii()
    assert "+ ran     report" in err
    assert "|raft" in out, "a box of ASCII"
    verdict = json.loads((folder / "run" / "results.json").read_text(encoding="utf-8"))["verdict"]
    assert "\N{MINUS SIGN}" in verdict
    assert verdict.replace("\N{MINUS SIGN}", "-")[:60] in " ".join((out + err).split())


def test_the_other_commands_show_it_in_ascii(finished: tuple[Path, str, str]) -> None:
    folder, out, _ = finished
    assert "report: " in out
    assert "train[raft]" in out, "of the store"
    assert (folder / "ascii" / "model.safetensors").exists()
    check_preview(out)


def test_the_other_commands_show_it_in_latin_1(finished: tuple[Path, str, str]) -> None:
    folder, *_ = finished
    out, _ = run_all(folder, LATIN, *showing("latin"))
    assert "train[raft]" in out
    assert (folder / "latin" / "model.safetensors").exists()
    check_preview(out)
