"""Planted leaks are found whatever their disguise; questions that only look alike are none."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question, read_jsonl, write_jsonl
from raft_exp.dataset.overlap import check, overlaps
from tests.helpers.stages import run
from tests.helpers.worlds import EXAMPLES

WORDS = [f"{first}{second}" for first in ("bra", "clo", "dri", "fle", "gru", "kno") for second in ("den", "mor", "tis")]


def text(number: int, size: int = 60) -> str:
    """A text of its own: no five words of it stand in another."""
    return " ".join(f"{WORDS[(number * 7 + place * 3) % len(WORDS)]}{number}x{place % 11}" for place in range(size))


def passage(name: str, words: str) -> Passage:
    return Passage(name, name.partition("#")[0], "", words, "", [words], "made")


def question(number: int, split: str) -> Question:
    asked = f"Does {WORDS[number % len(WORDS)]} number {number} help the town of Velmor{number} in winter?"
    return Question(f"q{number}", asked, ["yes" if number % 2 else "no"], [f"d{number}#0"], split)


def figures(folder: Path, passages: list[Passage], questions: list[Question], split: str = "test") -> dict[str, int]:
    write_passages(folder, passages)
    counts: dict[str, int] = json.loads(json.dumps(overlaps(lambda: iter(questions), Passages(folder))[split].figures))
    return counts


def study(size: int = 12) -> tuple[list[Passage], list[Question]]:
    """Questions of training and test about documents of their own."""
    passages = [passage(f"d{number}#0", text(number)) for number in range(size)]
    return passages, [question(number, "test" if number % 3 == 0 else "train") for number in range(size)]


def test_questions_of_other_documents_are_no_leaks(tmp_path):
    found = figures(tmp_path, *study())
    assert found.pop("answers") == 2
    assert set(found.values()) == {0}


def reordered(words: str) -> str:
    first, *rest = words.rstrip("?").split()
    return " ".join([*rest, first])


SAME: dict[str, Callable[[str], str]] = {
    "equal": lambda words: words,
    "case and signs": lambda words: f"  \u201c{words.upper()}\u201d!",
    "full width": lambda words: "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in words),
    "entities": lambda words: words.replace("help", "h&#101;lp").replace(" ", "&nbsp;"),
    "invisible signs": lambda words: words.replace("help", "he\u00adl\u200bp"),
}
NEAR: dict[str, Callable[[str], str]] = {
    "a word changed": lambda words: words.replace("help", "support"),
    "a word dropped": lambda words: words.replace("the ", ""),
    "a word added": lambda words: words.replace("in winter", "in deep winter"),
    "a prefix": lambda words: f"Q: {words}",
    "another order": reordered,
    "words swapped": lambda words: words.replace("help the", "the help"),
}
COPIES: dict[str, Callable[[str], str]] = {
    "equal": lambda words: words,
    "case and signs": lambda words: words.upper().replace(" ", ",\n"),
    "a word changed": lambda words: words.replace("x5", "y5", 1),
    "a sentence changed": lambda words: " ".join([*words.split()[:45], *text(999, 15).split()]),
    "merged with another": lambda words: f"{text(998, 80)} {words}",
    "half of it": lambda words: " ".join(words.split()[:30]),
}


@pytest.mark.parametrize("change_gold", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize(
    ("figure", "change"),
    [
        *(("questions", change) for change in SAME.values()),
        *(("near_questions", change) for change in NEAR.values()),
    ],
    ids=[*SAME, *NEAR],
)
def test_a_copied_question_is_found_under_another_id_with_copied_gold(tmp_path, figure, change, change_gold):
    passages, questions = study()
    passages.append(passage("copy#0", change_gold(passages[3].text)))
    stolen = replace(questions[3], id="copy", question=change(questions[3].question), gold=["copy#0"], split="train")
    found = figures(tmp_path, passages, [*questions, stolen])
    assert found[figure] == 1, found
    assert found["questions"] + found["near_questions"] == 1
    assert found["gold_overlap"] == found["passages"] + found["near_passages"] == 1


@given(st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_each_planted_leak_is_counted_once(data):
    passages, questions = study(30)
    tested = [number for number in range(30) if number % 3 == 0]
    stolen = data.draw(st.lists(st.sampled_from(tested), unique=True, min_size=1))
    planted = {"questions": 0, "near_questions": 0}
    for number in stolen:
        figure, kinds = data.draw(st.sampled_from([("questions", SAME), ("near_questions", NEAR)]))
        change = kinds[data.draw(st.sampled_from(sorted(kinds)))]
        gold = COPIES[data.draw(st.sampled_from(sorted(COPIES)))]
        planted[figure] += 1
        passages.append(passage(f"copy{number}#0", gold(passages[number].text)))
        copy = replace(questions[number], id=f"copy{number}", split="train", gold=[f"copy{number}#0"])
        questions.append(replace(copy, question=change(copy.question)))
    with TemporaryDirectory() as folder:
        found = figures(Path(folder), passages, questions)
    assert {name: found[name] for name in planted} == planted
    assert found["gold_overlap"] == len(stolen)


def test_a_copied_question_is_found_by_its_open_answer_where_the_gold_is_another(tmp_path):
    passages, questions = study()
    questions = [replace(asked, answers=[f"the mill of {asked.id}", "a mill"]) for asked in questions]
    for change, figure in ((SAME["equal"], "questions"), (NEAR["a prefix"], "near_questions")):
        copy = replace(questions[3], id="copy", question=change(questions[3].question), gold=["d1#0"], split="train")
        swapped = replace(copy, answers=copy.answers[::-1])
        assert figures(tmp_path, passages, [*questions, swapped])[figure] == 1


def test_questions_about_two_things_are_no_leaks(tmp_path):
    passages = [passage(f"{name}#0", text(number)) for number, name in enumerate(["France", "Spain", "Peru"])]
    rows = [("France", "Paris", "test"), ("Spain", "Madrid", "train"), ("Peru", "Paris", "train")]
    questions = [
        Question(name, f"What is the capital of {name}?", [answer], [f"{name}#0"], split)
        for name, answer, split in rows
    ]
    found = figures(tmp_path, passages, questions)
    assert (found["questions"], found["near_questions"], found["gold_overlap"]) == (0, 0, 0)


def products(count: int) -> tuple[list[Passage], list[Question]]:
    """Product pages of one form, each asked for its name and whether it may be washed."""
    terms = "Orders of this shop are sent within two days and may be returned within thirty days free of charge."
    passages = [passage(f"p{n}#0", f"Product: Lamp{n}. {text(n, 30)} {terms}") for n in range(count)]
    questions = [
        row
        for n in range(count)
        for row in (
            Question(f"{n}name", "What is the product's name?", [f"Lamp{n}"], [f"p{n}#0"], ""),
            Question(f"{n}wash", "May it be washed?", ["yes" if n % 2 else "no"], [f"p{n}#0"], ""),
        )
    ]
    return passages, questions


def test_one_question_about_many_documents_stops_no_study(tmp_path):
    passages, questions = products(20)
    split = [replace(row, split="test" if number < 8 else "train") for number, row in enumerate(questions)]
    found = figures(tmp_path, passages, split)
    assert found["questions"] == found["near_questions"] == found["gold_overlap"] == 0
    assert found["questions_of_other_documents"] == 8
    passages.append(passage("copy#0", passages[0].text))
    stolen = replace(split[0], id="copy", gold=["copy#0"], split="train")
    assert figures(tmp_path, passages, [*split, stolen])["questions"] == 1, "by its gold"


def test_boilerplate_is_counted_apart(tmp_path):
    passages, questions = study()
    for number, words in enumerate(["None.", "See above.", "Licensed under the licence of the town of Velmor."]):
        passages += [passage(f"b{number}-{place}#0", words) for place in range(4)]
    golds = {3: "b0-0", 6: "b1-0", 9: "b2-0", 1: "b0-1", 2: "b1-1", 4: "b2-1", 5: "b2-2", 7: "b2-3"}
    moved = [replace(asked, gold=[f"{golds.get(n, f'd{n}')}#0"]) for n, asked in enumerate(questions)]
    found = figures(tmp_path, passages, moved)
    assert (found["boilerplate_passages"], found["passages"], found["gold_overlap"]) == (3, 0, 0)


def test_gold_overlap_above_a_share_is_refused(tmp_path):
    passages, questions = study(30)
    shared = replace(questions[1], gold=["d3#0"], answers=["no"])
    write_passages(tmp_path, passages)
    found = overlaps(lambda: iter([*questions, replace(shared, id="more")]), Passages(tmp_path))
    told = (
        "1 of 10 test questions share a gold passage, or a near copy of it, with training (first: 'q3', in training "
        "question 'more'), and dataset.max_gold_overlap is 0.02; remove them from the training data, raise "
        "dataset.max_gold_overlap, or set dataset.allow_overlap=true to train despite the leak"
    )
    with pytest.raises(DataError) as error:
        check(found, allowed=False, max_gold_overlap=None)
    assert str(error.value) == told
    assert check(found, allowed=False, max_gold_overlap=0.1)["test"]["gold_overlap"] == 1
    assert check(found, allowed=True, max_gold_overlap=None)["test"]["gold_overlap"] == 1


@pytest.mark.slow
def test_test_abstracts_under_new_ids_are_found_on_real_records(test_data, tmp_path):
    overrides = ["+experiment=pubmedqa", f"corpus.path={test_data / 'pubmedqa'}", "model=tiny", "trainer=cpu"]
    made = run(tmp_path, *overrides, until="questions")
    passages = list(Passages(made["ingest"]))
    questions = list(read_jsonl(made["questions"] / "questions.jsonl", Question))
    assert not any(
        found.figures[figure]
        for found in overlaps(lambda: iter(questions), Passages(made["ingest"])).values()
        for figure in ("questions", "near_questions", "gold_overlap")
    )
    stolen = [asked for asked in questions if asked.split == "test"][:20]
    names = {name for asked in stolen for name in asked.gold}
    passages += [
        replace(one, id=f"new{one.id}", document_id=f"new{one.document_id}") for one in passages if one.id in names
    ]
    for asked in stolen:
        changed = " ".join(["Truly", *asked.question.split()[1:]])
        gold = [f"new{name}" for name in asked.gold]
        questions.append(replace(asked, id=f"new{asked.id}", question=changed, gold=gold, split="train"))
    found = figures(tmp_path, passages, questions)
    assert (found["near_questions"], found["gold_overlap"]) == (20, 20)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["raft", "closed_book"])
def test_a_near_copy_is_refused_before_training_and_counted_where_it_is_allowed(tmp_path, recipe):
    passages = [{"id": f"d{n}#0", "document_id": f"d{n}", "text": text(n)} for n in range(30)]
    passages.append({**passages[0], "id": "copy#0", "document_id": "copy"})
    rows = [{**question(n, "test" if n < 10 else "train").__dict__} for n in range(30)]
    rows.append(
        {**rows[0], "id": "copy", "question": f"Q: {rows[0]['question']}", "gold": ["copy#0"], "split": "train"}
    )
    write_jsonl(tmp_path / "passages.jsonl", passages)
    write_jsonl(tmp_path / "questions.jsonl", rows)
    arm = {"raft": "raft", "closed_book": "sft"}[recipe]
    overrides = [
        "corpus=passages",
        f"corpus.path={tmp_path / 'passages.jsonl'}",
        f"corpus.questions={tmp_path / 'questions.jsonl'}",
        "corpus.validation=0",
        f"evaluation.arms=[{arm}]",
        "dataset.cot=false",
    ]
    with pytest.raises(DataError, match="1 of 10 test questions are in the training data in nearly the same words"):
        run(tmp_path / "store", *overrides, until="dataset")
    made = run(tmp_path / "store", *overrides, "dataset.max_gold_overlap=0.1", until="dataset")
    found = json.loads((made[f"dataset[{recipe}]"] / "audit.json").read_text())["overlap"]["test"]
    assert (found["near_questions"], found["passages"]) == (1, 1)
