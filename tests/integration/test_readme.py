"""The example of README's "A new corpus", added to a copy of the package as it is written there."""

import json
import re
import shutil
from pathlib import Path

from tests.helpers.command_line import raft_exp, run_folder

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"`([\w/.]+)`:\n```\w+\n(.*?)```", re.DOTALL)


def with_notes(folder: Path) -> None:
    """A copy of the package and of conf/ in `folder`, with the corpus of README.md."""
    for name in ("raft_exp", "conf"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("### A new corpus\n")[2].partition("\n### ")[0]
    files = dict(BLOCK.findall(section))
    assert list(files) == ["raft_exp/corpora/notes.py", "conf/corpus/notes.yaml", "conf/experiment/notes.yaml"]
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    corpora = folder / "raft_exp" / "corpora" / "__init__.py"
    text = corpora.read_text(encoding="utf-8")
    for old, new in (
        (
            "from raft_exp.corpora.origin",
            "from raft_exp.corpora.notes import Notes, NotesConfig\nfrom raft_exp.corpora.origin",
        ),
        ("    AlmanacConfig | ", "    AlmanacConfig | NotesConfig | "),
        ('    "almanac": Almanac,\n', '    "almanac": Almanac,\n    "notes": Notes,\n'),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    corpora.write_text(text, encoding="utf-8")


def test_the_corpus_of_the_readme_works_as_written(tmp_path):
    with_notes(tmp_path)
    towns = [f"Town{number}" for number in range(40)]
    (tmp_path / "notes.txt").write_text(
        "\n\n".join(f"{town} lies on a river. Its mayor is Ms {town}a." for town in towns)
    )
    questions = [
        {"question": f"Who is the mayor of {town}?", "answers": [f"Ms {town}a"], "document_id": f"note-{number}"}
        for number, town in enumerate(towns)
    ]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(question) + "\n" for question in questions))
    study = ("+experiment=notes", "corpus.path=notes.txt", "model=tiny", "trainer=cpu", "until=dataset")
    done = raft_exp(tmp_path, *study, "corpus.questions=questions.jsonl")
    assert done.returncode == 0, done.stderr
    run = run_folder(tmp_path)
    assert run.parent.name == "notes"
    rows = [json.loads(line) for line in (run / "dataset" / "raft.jsonl").open(encoding="utf-8")]
    assert {row["split"] for row in rows} == {"train", "validation"}
    assert len(rows) == 40 - len((run / "dataset" / "test.jsonl").read_text().splitlines()) == 32
    assert all("##Reason" in row["target"] for row in rows), "the sentence with the answer is the evidence"
    done = raft_exp(tmp_path, *study)
    assert done.returncode == 2
    assert "has no train questions" in done.stderr
    done = raft_exp(tmp_path, "+experiment=notes", "dry_run=true")
    assert done.stderr.startswith("ConfigError: corpus.path: got None; must be a valid string")
