"""Folders with few documents, and one document alone: the line of the README works, and says what it split by."""

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.records import Question, read_jsonl
from raft_exp.corpora import split_units
from raft_exp.reporting.dataset_warnings import dataset_warnings
from tests.helpers.command_line import raft_exp, run_folder
from tests.helpers.documents import paragraph, pdf, word
from tests.helpers.files import lines
from tests.helpers.scripted_server import Say, ScriptedServer
from tests.helpers.scripted_teacher import of_any_passage, teacher
from tests.helpers.stages import run

TINY = ("model=tiny", "trainer=cpu", "model.max_length=4096")
KINDS = ("docx", "pdf", "txt", "md")


def write(folder: Path, name: str, texts: list[str]) -> str:
    """Writes a document of some parts; returns its name in the folder."""
    folder.mkdir(exist_ok=True)
    kind = name.rpartition(".")[2]
    if kind == "pdf":
        lines = [[(20, 700 - 20 * n, part) for n, part in enumerate(text.split(". "))] for text in texts]
        (folder / name).write_bytes(pdf(*lines))
    elif kind == "docx":
        heading = "<w:pStyle w:val='Heading1'/>"
        parts = (paragraph(f"Part {n}", heading) + paragraph(text) for n, text in enumerate(texts))
        (folder / name).write_bytes(word("".join(parts)))
    elif kind == "md":
        (folder / name).write_text("\n\n".join(f"## Part {n}\n\n{text}" for n, text in enumerate(texts)))
    else:
        (folder / name).write_text("\n\n".join(texts))
    return name


def manuals(folder: Path, count: int, parts: int, kinds: tuple[str, ...] = KINDS) -> Path:
    """A folder of manuals, and beside it a CSV file with a question about each of their parts."""
    rows = []
    for number in range(count):
        texts = [
            f"The unit {number}-{part} is checked every {part + 2} days. It stands at post {number}{part}. "
            f"Crew {number}{part} oils it in spring and looks after its seals"
            for part in range(parts)
        ]
        name = write(folder / "docs", f"manual {number}.{kinds[number % len(kinds)]}", texts)
        rows += [(f"Who oils the unit {number}-{part}?", f"crew {number}{part}", name) for part in range(parts)]
    with (folder / "questions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("question", "answer", "document_id"), *rows])
    return folder


def study(folder: Path, *overrides: str, **environment: str):
    settings = ("+experiment=documents", "corpus.path=docs", *TINY, "until=dataset", *overrides)
    return raft_exp(folder, *settings, **environment)


def stages(folder: Path, *overrides: str, until: str = "dataset") -> dict[str, Path]:
    """The stages up to `until`, in this process."""
    store = folder / "store"
    return run(store, "+experiment=documents", f"corpus.path={folder / 'docs'}", *TINY, *overrides, until=until)


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]


def given(folder: Path) -> str:
    return f"corpus.questions={folder / 'questions.csv'}"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three manuals of ten parts, with a store that its tests share."""
    return manuals(tmp_path_factory.mktemp("three"), 3, 10, ("md",))


@pytest.mark.slow
@pytest.mark.parametrize(("count", "parts", "by"), [(6, 3, "question"), (1, 40, "section")])
def test_the_line_of_the_readme_works(tmp_path, count, parts, by):
    done = study(manuals(tmp_path, count, parts, KINDS[:count]), "corpus.questions=questions.csv")
    assert done.returncode == 0, done.stderr
    assert f"Questions are split by {by}" in done.stderr
    made = json.loads((run_folder(tmp_path) / "audit.json").read_text())["split"]
    assert (made["by"], made["setting"], made["documents"]) == (by, "auto", count)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "parts", "kinds", "by"),
    [
        (6, 3, KINDS, "question"),
        (6, 20, ("md", "docx"), "section"),
        (1, 60, ("pdf",), "question"),
        (1, 40, ("docx",), "section"),
        (1, 8, ("md",), "question"),
        (2, 5, ("md",), "question"),
        (14, 10, ("md",), "document"),
    ],
)
def test_few_documents_are_split_by_the_largest_unit_that_is_enough(tmp_path, capsys, count, parts, kinds, by):
    manuals(tmp_path, count, parts, kinds)
    made = stages(tmp_path, given(tmp_path), "evaluation.arms=[rag,raft]")
    split = split_units.read(made["questions"])
    assert split
    assert (split["by"], split["setting"], split["documents"]) == (by, "auto", count)
    assert (f"Questions are split by {by}" in capsys.readouterr().err) == (by != "document")
    test, train = rows(made["dataset[test]"]), rows(made["dataset[raft]"])
    assert {row["split"] for row in train} == {"train", "validation"}
    assert len(test) >= 0.1 * count * parts
    assert {sum(not passage["gold"] for passage in row["context"]) for row in test} == {4}
    assert {len(row["context"]) for row in train if row["split"] == "train"} == {5}
    gold = {passage["id"] for row in test for passage in row["context"] if passage["gold"]}
    shown = {passage["id"] for row in train if row["split"] == "train" for passage in row["context"]}
    assert split["with_trained_gold"] == 0
    if by != "question":
        assert not gold & shown
    if by == "section":
        assert split["test_questions"] == split["of_trained_documents"] == len(test)
        assert split["beside_training"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("shares", [(), ("corpus.test=0.0",)])
def test_one_document_is_never_asked_for_settings_that_it_does_not_have(tmp_path, shares):
    manuals(tmp_path, 1, 40, ("md",))
    with pytest.raises(DataError, match=r"^corpus\.name='documents' has no test questions") as error:
        stages(tmp_path, given(tmp_path), "corpus.split=document", *shares)
    assert "corpus.train" not in str(error.value)
    remedies = [change for change in ("corpus.split=auto", "corpus.test=0.2") if f"set {change}" in str(error.value)]
    stages(tmp_path, given(tmp_path), *remedies, until="questions")


@pytest.mark.slow
def test_a_teacher_writes_the_questions_of_one_document(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", "key")
    manuals(tmp_path, 1, 40, ("md",))
    with ScriptedServer(of_any_passage) as server:
        made = stages(tmp_path, *teacher(server), *WRITTEN, "dataset.allow_answer_in_distractor=true")
    split = split_units.read(made["questions"])
    assert split
    assert split["by"] == "section"
    assert {row["split"] for name in ("raft", "test") for row in rows(made[f"dataset[{name}]"])} == {
        "train",
        "validation",
        "test",
    }


WRITTEN = ("teacher.questions.min_passage_words=5", "evaluation.arms=[rag,raft]")
IMPOSSIBLE = {
    "training": ("dataset.num_distractors=40",),
    "test": ("evaluation.num_distractors=40",),
    "a condition": ("+evaluation.conditions.k40={num_distractors: 40}",),
    "an arm": (
        "evaluation.arms=[rag,many]",
        "+arms.many={recipe: raft, context: passages, cot: true, adapter: null, dataset: {num_distractors: 40}}",
    ),
    "by document": ("corpus.split=document",),
    "the place of the gold": ("+evaluation.conditions.late={gold_at: 9}",),
    "no validation": ("evaluation.prompts=auto", "corpus.validation=0.0"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "with_questions"),
    [
        *((case, True) for case in IMPOSSIBLE),
        ("training", False),
        ("a condition", False),
        ("the place of the gold", False),
    ],
)
def test_a_paid_teacher_is_not_asked_where_the_pools_are_too_small(three, monkeypatch, case, with_questions):
    monkeypatch.setenv("SCRIPTED_KEY", "key")
    questions = [given(three)] if with_questions else []
    with ScriptedServer(of_any_passage) as server:
        with pytest.raises((DataError, ConfigError)):
            stages(three, *teacher(server), *WRITTEN, *questions, *IMPOSSIBLE[case], until="report")
        assert server.asked == []


@pytest.mark.slow
def test_the_command_line_names_the_split_that_helps_before_a_teacher_is_asked(tmp_path):
    manuals(tmp_path, 3, 10, ("md",))
    with ScriptedServer(of_any_passage) as server:
        done = study(tmp_path, *teacher(server), *WRITTEN, "corpus.split=document", SCRIPTED_KEY="key")
        assert server.asked == []
    assert done.returncode == 2, done.stderr
    message = done.stderr.splitlines()[-1]
    assert message.startswith("DataError: question 'about manual ")
    assert "set corpus.split=section" in message


@pytest.mark.slow
def test_a_paid_teacher_is_not_asked_where_a_margin_leaves_too_few(three, monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", "key")
    near = ("dataset.distractors=bm25", "dataset.max_score=0.0")
    with ScriptedServer(lambda *_: Say("no")) as server:
        with pytest.raises(DataError, match="distractors are left"):
            stages(three, *teacher(server), given(three), *WRITTEN, *near)
        assert server.asked == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [4, 8, 9, 15, 28, 29])
def test_the_split_that_the_error_names_helps(three, number):
    demanded = (f"dataset.num_distractors={number}", f"evaluation.num_distractors={number}", "dataset.p=1")
    study = ("evaluation.arms=[rag,raft]", given(three), *demanded)
    with pytest.raises(DataError) as error:
        stages(three, *study, "corpus.split=document")
    other = re.search(r"set (corpus.split=\w+)", str(error.value))
    if other:
        stages(three, *study, other[1])
    else:
        with pytest.raises(DataError):
            stages(three, *study, "corpus.split=question")
    assert bool(other) == (number < 30)


@pytest.mark.slow
def test_a_short_document_is_told_to_be_cut_into_smaller_passages(tmp_path):
    manuals(tmp_path, 1, 14, ("txt",))
    with pytest.raises(DataError, match=r"distractors are left") as error:
        stages(tmp_path, given(tmp_path), "evaluation.arms=[rag,raft]")
    smaller = re.search(r"set (corpus.chunk.size=\d+)", str(error.value))
    assert smaller, error.value
    made = stages(tmp_path, given(tmp_path), "evaluation.arms=[rag,raft]", smaller[1])
    assert rows(made["dataset[test]"])


def uneven(folder: Path, sizes: tuple[int, ...]) -> tuple[str, ...]:
    """Passages of documents with ten passages each, and a file with so many questions about each document.

    Two documents more, without questions, have passages for distractors.
    """
    names = [f"manual {number}" for number in range(len(sizes) + 2)]
    passages = [
        {"id": f"{name}:{n}", "document_id": name, "text": " ".join(f"{word}{at}x{n}" for word in ("ax", *"bcdefghij"))}
        for at, name in enumerate(names)
        for n in range(10)
    ]
    questions = [
        {
            "question": f"Which word ({at}, {n}) is that?",
            "answers": [f"ax{at}x{n % 10}"],
            "document_id": name,
        }
        for at, (name, size) in enumerate(zip(names, sizes, strict=False))
        for n in range(size)
    ]
    files = lines(folder / "passages.jsonl", *passages), lines(folder / "questions.jsonl", *questions)
    return ("+experiment=passages", f"corpus.path={files[0]}", f"corpus.questions={files[1]}", *TINY)


def splits_of(folder: Path, *settings: str) -> tuple[Counter[str], list[str]]:
    """The number of questions in each split, and the report's warnings about the split."""
    made = run(folder / "store", *settings, until="questions")
    split = split_units.read(made["questions"])
    assert split
    assert split["by"] == "document"
    questions = read_jsonl(made["questions"] / "questions.jsonl", Question)
    warnings = dataset_warnings({"datasets": {}, "test": {}, "split": split}, {})
    return Counter(question.split for question in questions), [*warnings]


@pytest.mark.slow
def test_few_documents_with_uneven_questions_are_split_near_the_share(tmp_path, capsys):
    for seed in range(4):
        counts, warnings = splits_of(tmp_path, *uneven(tmp_path, (28, 12, 10)), f"seed={seed}", "corpus.validation=0.0")
        assert counts["test"] in (10, 12)
        assert not warnings
    assert "are test questions" not in capsys.readouterr().err


def test_a_share_that_whole_documents_do_not_allow_is_named(tmp_path, capsys):
    counts, (warning,) = splits_of(tmp_path, *uneven(tmp_path, (30, 20)), "corpus.validation=0.0")
    test = counts["test"]
    assert warning.startswith(f"{test} of 50 questions ({2 * test}%) are test questions, and corpus.test is 0.2")
    assert "For another share set corpus.split=section or question, add documents, or name the split" in warning
    assert warning in capsys.readouterr().err
