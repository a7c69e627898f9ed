"""A sheet with questions and answers alone: a search over all passages finds the document of each question."""

import csv
import json
from pathlib import Path

import pytest

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Question, read_jsonl
from tests.helpers.command_line import raft_exp, run_folder
from tests.helpers.files import lines
from tests.helpers.stages import run, stages_of

TINY = ("model=tiny", "trainer=cpu", "model.max_length=4096", "evaluation.arms=[rag,raft]")
LOOSE = ("dataset.allow_overlap=true", "dataset.max_gold_overlap=1.0", "evaluation.conditions=null")
PARTS = ("pump", "valve", "boiler", "turbine", "gauge", "hoist")
SEASONS = ("spring", "summer", "autumn", "winter")


def text(part: str, season: str) -> str:
    return f"In {season} the crew of the {part} replaces all seals and writes a report to the harbour office."


def answer(part: str, season: str) -> str:
    """An answer in own words, with most words of the passage."""
    return f"Every {season} people of the {part} crew put in new seals, then they send a report to the office."


def own_words() -> list[tuple[str, str, str]]:
    """Question, answer and document."""
    return [
        (f"What happens to the {part} in {season}?", answer(part, season), f"{part}.md")
        for part in PARTS
        for season in SEASONS
    ]


def manuals(folder: Path) -> Path:
    (folder / "docs").mkdir()
    for part in PARTS:
        sections = "\n\n".join(f"## {season}\n\n{text(part, season)}" for season in SEASONS)
        (folder / "docs" / f"{part}.md").write_text(f"# The {part}\n\n{sections}\n")
    return folder / "docs"


def sheet(file: Path, names: tuple[str, str], rows: list[tuple[str, str]]) -> Path:
    if file.suffix == ".csv":
        with file.open("w", newline="") as opened:
            csv.writer(opened).writerows([names, *rows])
        return file
    return lines(file, *({names[0]: question, names[1]: answer} for question, answer in rows))


def corpus_of(kind: str, folder: Path) -> list[str]:
    docs = manuals(folder)
    if kind == "documents":
        return ["+experiment=documents", f"corpus.path={docs}", "corpus.chunk.size=32", "corpus.chunk.overlap=0"]
    rows = (
        {"id": f"{part}-{season}", "document_id": f"{part}.md", "text": text(part, season)}
        for part in PARTS
        for season in SEASONS
    )
    return ["+experiment=passages", f"corpus.path={lines(folder / 'passages.jsonl', *rows)}"]


def questions_of(folder: Path, *overrides: str) -> tuple[list[Question], Passages]:
    made = run(folder / "store", *overrides, *TINY, until="questions")
    return list(read_jsonl(made["questions"] / "questions.jsonl", Question)), Passages(made["ingest"])


@pytest.mark.parametrize(
    ("kind", "file", "names"),
    [
        ("documents", "sheet.csv", ("Question", "Answer")),
        ("documents", "sheet.jsonl", ("question", "golden_answers")),
        ("passages", "sheet.jsonl", ("input", "output")),
        ("passages", "sheet.csv", ("Query", "Response")),
    ],
)
def test_a_long_answer_in_own_words_finds_its_document(tmp_path, kind, file, names, capsys):
    rows, corpus = own_words(), corpus_of(kind, tmp_path)
    given = sheet(tmp_path / file, names, [row[:2] for row in rows])
    questions, passages = questions_of(tmp_path, *corpus, f"corpus.questions={given}")
    documents = {
        question.question: {passages[passages.find(name)].document_id for name in question.gold}
        for question in questions
    }
    assert documents == {question: {document} for question, _, document in rows}
    assert "the gold of 24 of 24 questions is guessed" in capsys.readouterr().err

    named = lines(tmp_path / "named.jsonl", *({"question": q, "answers": [a], "document_id": d} for q, a, d in rows))
    same, _ = questions_of(tmp_path, *corpus, f"corpus.questions={named}")
    assert [(q.gold, q.evidence, q.slices) for q in questions] == [(q.gold, q.evidence, q.slices) for q in same]


@pytest.mark.slow
def test_guesses_are_counted_on_screen_and_in_the_audit(tmp_path):
    corpus = corpus_of("documents", tmp_path)
    sheet(tmp_path / "sheet.csv", ("Question", "Answer"), [row[:2] for row in own_words()])
    done = raft_exp(tmp_path, *corpus, "corpus.questions=sheet.csv", *TINY, *LOOSE, "until=dataset")
    assert done.returncode == 0, done.stderr
    assert "(the file has 'Question', 'Answer')" in done.stderr
    assert "warning: 24 of 24 questions (100.0%) name neither gold passages nor a document" in done.stderr
    assert "warning: The answers of 24 of 24 questions (100.0%) stand in no passage" in done.stderr
    gold = json.loads((run_folder(tmp_path) / "audit.json").read_text())["gold"]
    assert (gold["in_found_document"], gold["closest"], gold["left_out"]) == (24, 24, 0)


@pytest.mark.slow
def test_the_first_passage_with_a_short_answer_is_counted_as_a_guess(tmp_path):
    corpus = corpus_of("documents", tmp_path)
    short = [
        (f"Who writes a report in {season} for the {part}?", f"crew of the {part}")
        for part in PARTS
        for season in SEASONS
    ]
    sheet(tmp_path / "sheet.csv", ("Question", "Answer"), [*short, *(row[:2] for row in own_words()[:8])])
    done = raft_exp(tmp_path, *corpus, "corpus.questions=sheet.csv", *TINY, *LOOSE, "until=dataset")
    assert done.returncode == 0, done.stderr
    places = (
        "the first passage of a search that holds the short answer (24), or in the document with the passage closest "
        "to question and answer (8)."
    )
    told = "the gold of 32 of 32 questions is guessed, because they name neither gold passages nor a document"
    assert f"sheet.csv: {told}: {places} To avoid guesses, name the document of each question in a " in done.stderr
    told = "32 of 32 questions (100.0%) name neither gold passages nor a document. Their gold is a guess"
    assert f"warning: {told}: {places} Check some of them, or name the documents in the field 'doc" in done.stderr
    gold = json.loads((run_folder(tmp_path) / "audit.json").read_text())["gold"]
    assert (gold["guessed_by_search"], gold["in_found_document"]) == (24, 8)


OTHER = (
    "Who was the first person on the moon?",
    "An astronaut named Armstrong walked there, after a long flight from Florida.",
)
SHORT = ("How old is the harbour?", "two hundred years")


@pytest.mark.slow
def test_questions_about_other_subjects_are_left_out_with_count_reason_and_remedy(tmp_path):
    corpus = corpus_of("documents", tmp_path)
    others = [(f"{number}: {question}", text) for question, text in (OTHER, SHORT) for number in range(12)]
    sheet(tmp_path / "sheet.csv", ("Question", "Answer"), [*(row[:2] for row in own_words()), *others])
    done = raft_exp(tmp_path, *corpus, "corpus.questions=sheet.csv", *TINY, *LOOSE, "until=dataset")
    assert done.returncode == 0, done.stderr
    (line,) = [
        line for line in done.stderr.splitlines() if line.startswith("sheet.csv: 24 of 48 questions are left out")
    ]
    assert "holds the answer word for word, or a third of the words of a long answer; name the document" in line
    assert "warning: 24 of 48 questions (50.0%) are left out" in done.stderr
    gold = json.loads((run_folder(tmp_path) / "audit.json").read_text())["gold"]
    assert (gold["questions"], gold["left_out"], gold["in_found_document"]) == (48, 24, 24)


@pytest.mark.slow
def test_a_file_without_any_gold_is_refused(tmp_path):
    given = sheet(tmp_path / "sheet.csv", ("Question", "Answer"), [OTHER, SHORT])
    with pytest.raises(
        DataError, match=r"sheet\.csv: 2 of 2 questions are left out: none of .*in a column document_id, or name"
    ):
        questions_of(tmp_path, *corpus_of("documents", tmp_path), f"corpus.questions={given}")


def test_the_index_is_read_only_where_a_long_answer_may_need_it(tmp_path):
    corpus = corpus_of("passages", tmp_path)
    long = sheet(tmp_path / "long.csv", ("Question", "Answer"), [row[:2] for row in own_words()])
    short = sheet(tmp_path / "short.jsonl", ("question", "golden_answers"), [SHORT])
    stages = stages_of(*corpus, f"corpus.questions={long}", *TINY)
    assert list(stages)[:3] == ["ingest", "index", "questions"]
    assert stages["questions"].inputs["indexed"] is stages["index"]
    assert "indexed" not in stages_of(*corpus, f"corpus.questions={short}", *TINY)["questions"].inputs


@pytest.mark.slow
def test_a_long_answer_after_many_rows_needs_the_index_too(tmp_path):
    corpus, long = corpus_of("passages", tmp_path), own_words()[0][:2]
    given = sheet(tmp_path / "late.csv", ("Question", "Answer"), [*[SHORT] * 10_001, long])
    assert "indexed" in stages_of(*corpus, f"corpus.questions={given}", *TINY)["questions"].inputs


def test_a_test_question_without_an_answer_names_its_file_and_line(tmp_path):
    corpus = corpus_of("passages", tmp_path)
    rows = [
        {"question": question, "answers": [answer] * (place not in (4, 7)), "document_id": document, "split": "test"}
        for place, (question, answer, document) in enumerate(own_words())
    ]
    given = lines(tmp_path / "asked.jsonl", *rows)
    with pytest.raises(
        DataError,
        match=r"asked\.jsonl: test question 'line-5' has no reference answer \(such .* all: 2\); add",
    ):
        questions_of(tmp_path, *corpus, f"corpus.questions={given}")
