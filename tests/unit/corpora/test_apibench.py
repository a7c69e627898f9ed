import gzip
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question
from raft_exp.corpora.apibench import Apibench, ApibenchConfig
from raft_exp.corpora.apibench.documentation import api_of
from raft_exp.corpora.apibench.lines import instruction
from tests.helpers import files

CONF = Path(__file__).parents[3] / "conf" / "corpus" / "apibench.yaml"
DOCUMENTS = {"huggingface": "huggingface_api", "tensorflow": "tensorflowhub_api", "torchhub": "torchhub_api"}
NET = "torch.hub.load(repo_or_dir='pytorch/vision', model='{}', pretrained=True)"


def corpus(path: Path | None, hub: str, seed: int = 0, **changes: object) -> Apibench:
    settings = yaml.safe_load(CONF.read_text(encoding="utf-8"))
    return Apibench(ApibenchConfig(**{**settings, "path": path and str(path), "hub": hub, **changes}), seed)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


@pytest.fixture(scope="module")
def real(test_data: Path) -> Path:
    return test_data / "apibench"


@pytest.fixture(scope="module")
def whole(real: Path) -> tuple[Apibench, list[Passage], list[Question]]:
    """The corpus of all hubs, with its passages and questions."""
    made = corpus(real, "all")
    return made, list(made.passages()), list(made.questions())


@pytest.fixture(scope="module")
def published(real: Path) -> dict[str, list[dict[str, Any]]]:
    return {path.name.partition(".")[0]: read(path) for path in sorted(real.rglob("*.gz"))}


def document(number: int, **changes: Any) -> dict[str, Any]:
    row = {"domain": "Classification", "api_name": f"net{number}", "api_call": NET.format(f"net{number}")}
    return files.changed({**row, "description": f"Network {number}.", "framework": "PyTorch"}, **changes)


def line(number: int, text: str = "", **changes: Any) -> dict[str, Any]:
    api = document(number)
    code = f"###Instruction: {text or f'Classify pictures number {number}.'}\n###Output: <<<api_call>>>: x"
    return files.changed({"code": code, "api_call": api["api_call"], "provider": "PyTorch", "api_data": api}, **changes)


def written(folder: Path, documents: list[Any], test: list[Any], train: list[Any] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    files.lines(folder / "torchhub_api.jsonl", *documents)
    files.lines(folder / "torchhub_eval.json", *test)
    if train is not None:
        files.lines(folder / "torchhub_train.json", *train)
    return folder


# The real files


def test_every_api_is_one_passage(whole, published):
    for hub, name in DOCUMENTS.items():
        passages = [passage for passage in whole[1] if passage.id.startswith(hub)]
        rows = published[name]
        assert len(passages) == len(rows) == {"huggingface": 936, "tensorflow": 696, "torchhub": 94}[hub]
        for passage, row in zip(passages, rows, strict=True):
            assert "".join(passage.sentences) == passage.text
            assert (api_of(passage).hub, api_of(passage).domain, api_of(passage).call) == (
                hub,
                row["domain"],
                row["api_call"],
            )
            assert passage.text.startswith(f"domain: {row['domain']}\napi_call: {row['api_call']}\n")
            assert row["description"].strip() in passage.text
            assert passage.source == f"{name}.jsonl.gz"
    assert len({passage.id for passage in whole[1]}) == 936 + 696 + 94


def test_counts_of_the_public_files(real, whole, published):
    made, _, questions = whole
    assert Counter(question.slices["hub"] for question in questions) == {
        "huggingface": 447,
        "tensorflow": 341,
        "torchhub": 490,
    }
    numbers = {
        "api_documents": 1726,
        "api_repeated_documents": 2,
        "huggingface_eval_lines": 447,
        "tensorflow_eval_lines": 341,
        "torchhub_eval_lines": 89,
        "torchhub_train_lines": 401,
        "odd_dictionary_layout": 401,
        "odd_spaced_instruction_mark": sum(row["code"].startswith("### ") for _, row in lines_of(published)),
        "odd_without_output_mark": sum(
            not re.search("###? ?Output|'Output'", row["code"]) for _, row in lines_of(published)
        ),
        "odd_with_input": sum("###Input:" in row["code"] for _, row in lines_of(published)),
        "odd_call_not_in_documentation": 36,
        "api_questions_without_document": 0,
    }
    assert {name: made.counts[name] for name in numbers} == numbers
    tensorflow = corpus(real, "tensorflow")
    assert {question.slices["hub"] for question in tensorflow.questions()} == {"tensorflow"}
    assert (tensorflow.counts["api_calls"], tensorflow.counts["api_documents"]) == (80, 696)
    assert tensorflow.counts["odd_call_not_in_documentation"] == 0


def lines_of(published: dict[str, list[dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    parts = {name: rows for name, rows in published.items() if not name.endswith("_api")}
    return [
        (f"{name.replace('_', ':')}:{n}", row) for name, rows in parts.items() for n, row in enumerate(rows, start=1)
    ]


def test_questions_are_the_instructions_and_answers_the_calls(whole, published):
    questions = {question.id: question for question in whole[2]}
    rows = dict(lines_of(published))
    assert questions.keys() == rows.keys()
    for name, question in questions.items():
        row = rows[name]
        assert question.answers == [row["api_call"]]
        assert question.slices["domain"] == row["api_data"]["domain"]
        assert question.question in row["code"]
        assert question.question == question.question.strip()
        assert "Output:" not in question.question
        assert not re.match(r"[#{]|'?Instruction", question.question)
    hashed = [
        name
        for name, row in rows.items()
        if row["code"].startswith("###Instruction:") and "\n###Output:" in row["code"]
    ]
    assert len(hashed) > 850
    for name in hashed:  # the text between the two marks
        assert (
            questions[name].question
            == rows[name]["code"].removeprefix("###Instruction:").split("###Output:")[0].strip()
        )


def test_gold_is_the_documentation_of_the_line(whole, published):
    passages = {passage.id: passage for passage in whole[1]}
    by_call: dict[tuple[str, str], list[str]] = {}
    for passage in passages.values():
        by_call.setdefault((api_of(passage).hub, api_of(passage).call), []).append(passage.id)
    documents = {hub: published[name] for hub, name in DOCUMENTS.items()}
    rows = dict(lines_of(published))
    repeated = 0
    for question in whole[2]:
        (gold,) = question.gold
        hub, _, number = gold.partition(":")
        row, api = rows[question.id], documents[hub][int(number) - 1]
        same = by_call.get((hub, row["api_call"]), [])
        if row["api_data"] in documents[hub]:
            repeated += 1
            assert api == row["api_data"]
            assert set(same) <= {gold, *question.also_answering}
        else:
            assert (api["api_name"], api["description"]) == (
                row["api_data"]["api_name"],
                row["api_data"]["description"],
            )
        assert gold not in question.also_answering
        (evidence,) = question.evidence
        assert passages[evidence[0]].sentences[evidence[1]] == f"api_call: {api['api_call']}\n"
    assert repeated == 411 + 341 + 89 + 401


def test_official_files_and_shares(real):
    torchhub = corpus(real, "torchhub")
    split = {question.id: question.split for question in torchhub.questions()}
    assert Counter(split.values()) == {"test": 89, "train": 393, "validation": 8}
    assert {name for name, part in split.items() if part == "test"} == {f"torchhub:eval:{n}" for n in range(1, 90)}
    assert [path.name for path in torchhub.files()] == [
        "torchhub_api.jsonl.gz",
        "torchhub_eval.json.gz",
        "torchhub_train.json.gz",
    ]
    tensorflow = corpus(real, "tensorflow")
    assert Counter(question.split for question in tensorflow.questions()) == {"test": 68, "train": 268, "validation": 5}
    assert tensorflow.counts["tensorflow_train_file_missing"] == tensorflow.counts["seeded_split"] == 1


@pytest.mark.slow
def test_passages_do_not_depend_on_the_seed_and_samples_are_nested(real):
    def drawn(seed: int, **changes: object) -> dict[str, str]:
        return {question.id: question.split for question in corpus(real, "tensorflow", seed, **changes).questions()}

    assert list(corpus(real, "torchhub").passages()) == list(corpus(real, "torchhub", 1, max_items=3).passages())
    assert drawn(0) != drawn(1)
    few, more = drawn(0, max_items=20), drawn(0, max_items=50)
    assert Counter(few.values())["train"] == 20
    assert few.items() <= more.items() <= drawn(0).items()


# Layouts


@pytest.mark.parametrize(
    ("code", "text", "odd"),
    [
        ("###Instruction: Find a net.\n###Output: <<<api_call>>>: x", "Find a net.", []),
        ("###Instruction: Find a net.\n\n###Output:<<<api_call>>>: x", "Find a net.", []),
        ("### Instruction: Find a net.\n### Output: {'api_call': 'x'}", "Find a net.", ["spaced_instruction_mark"]),
        ("###Instruction: Find a net.", "Find a net.", ["without_output_mark"]),
        ("###Instruction: Find a net.\n<<<domain>>>: X\n<<<api_call>>>: x", "Find a net.", ["without_output_mark"]),
        ("###Instruction: Find.\n###Output: No idea.", "Find.", ["output_without_api_call"]),
        ("###Instruction: Find.\n###Input: a # b\n###Output: api_call", "Find.\n###Input: a # b", ["with_input"]),
        ("{'Instruction': Find a net., 'Output': {'api_call': 'x'}}", "Find a net.", ["dictionary_layout"]),
        (
            "{'Instruction': \"Find a friend's net.\", 'Output': {'api_call': 'x'}}",
            "Find a friend's net.",
            ["dictionary_layout"],
        ),
        ("{'Instruction': 'Find a net.', 'Output': {'api_call': 'x'}}", "Find a net.", ["dictionary_layout"]),
        ("{'Instruction': Find a net.', 'Output': {'api_call': 'x'}}", "Find a net.", ["dictionary_layout"]),
        ("{'Instruction': 'A friend\\'s net.', 'Output': 'api_call'}", "A friend's net.", ["dictionary_layout"]),
        ("Find a net.", "Find a net.", ["without_instruction_mark", "without_output_mark"]),
        ("###Instruction:\n###Output: api_call", "", ["without_instruction"]),
        ("", "", ["without_instruction_mark", "without_output_mark", "without_instruction"]),
        (None, "", ["code_no_text", "without_instruction_mark", "without_output_mark", "without_instruction"]),
        ({"Instruction": "Find a net.", "Output": {}}, "Find a net.", ["code_no_text"]),
        (["###Instruction: Find a net.", "###Output: api_call"], "Find a net.", ["code_no_text"]),
    ],
)
def test_layouts_of_a_question(code, text, odd):
    assert instruction(code) == type(instruction(code))(text, odd)


@given(st.one_of(st.text(), st.lists(st.text()), st.dictionaries(st.text(), st.integers()), st.none(), st.floats()))
def test_any_field_can_be_read(code):
    assert isinstance(instruction(code).text, str)


ONE_LINE = st.from_regex(r"[A-Za-z][A-Za-z ,.?!()0-9-]{0,60}[A-Za-z.?!]", fullmatch=True)


@given(
    ONE_LINE,
    st.sampled_from(
        ["###Instruction: {}\n###Output: {{'api_call': 'x'}}", "{{'Instruction': {}, 'Output': {{'api_call'"]
    ),
)
def test_the_instruction_is_kept_whole(text, layout):
    assert instruction(layout.format(text)).text == text


def test_odd_lines_are_counted_and_lines_without_a_question_left_out(tmp_path):
    broken = [
        line(1, code={"Instruction": "Classify birds."}),
        line(2, code=None),
        line(3, api_call="left out", api_data="left out"),
        line(4, api_call="left out"),  # the documentation in the line has it
        line(5, api_call=NET.format("net9")),
    ]
    made = corpus(written(tmp_path, [document(n) for n in range(8)], [line(0), *broken]), "torchhub", test_share=0.5)
    questions = {question.id: question for question in made.questions()}
    assert questions.keys() == {f"torchhub:eval:{n}" for n in (1, 2, 5, 6)}
    assert questions["torchhub:eval:5"].answers == [NET.format("net4")]
    assert (questions["torchhub:eval:6"].gold, questions["torchhub:eval:6"].answers) == (
        ["torchhub:6"],
        [NET.format("net9")],
    )
    counted = {name: count for name, count in made.counts.items() if name.startswith("odd_") and count}
    assert counted == {
        "odd_code_no_text": 2,
        "odd_without_instruction_mark": 1,
        "odd_without_output_mark": 1,
        "odd_without_instruction": 1,
        "odd_without_api_call": 1,
        "odd_call_not_in_documentation": 1,
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("pip install x", "pip install x"),
        (["torch", "numpy"], "torch, numpy"),
        ({"torch": ">=2", "more": ["a", {"b": None, "c": 1}]}, "torch: >=2; more: a, c: 1"),
        (3.5, "3.5"),
        ([[1, 2], ["x"]], "1, 2, x"),
    ],
)
def test_fields_of_any_type_become_text(tmp_path, value, text):
    folder = written(tmp_path, [document(1, api_arguments=value)], [line(1)])
    (passage,) = corpus(folder, "torchhub").passages()
    assert f"api_arguments: {text}" in passage.text.split("\n")


@pytest.mark.parametrize("value", [None, "", "N/A", [], {}, {"dataset": "", "accuracy": None}])
def test_empty_fields_are_left_out(tmp_path, value):
    folder = written(tmp_path, [document(1, performance=value, domain="Two\nlines")], [line(1)])
    (passage,) = corpus(folder, "torchhub").passages()
    assert "performance" not in passage.text
    assert api_of(passage).domain == "Two lines"


def test_a_document_without_a_call_or_a_word_is_still_a_passage(tmp_path):
    folder = written(tmp_path, [{}, document(1, api_call=None)], [line(1)])
    made = corpus(folder, "torchhub", test_share=1.0)
    assert [bool(passage.text) for passage in made.passages()] == [True, True]
    (question,) = made.questions()
    assert (question.gold, question.evidence) == (["torchhub:2"], [("torchhub:2", 0)])
    assert made.counts["odd_documents_without_call"] == 2


# Documents of one call


def test_other_documents_of_the_call_are_neither_gold_nor_distractors(tmp_path):
    same = [document(1), document(1, description="Another text.", domain="Other"), document(1), document(2)]
    made = corpus(written(tmp_path, same, [line(1), line(2)]), "torchhub")
    one, two = sorted(made.questions(), key=lambda question: question.id)
    assert (one.gold, one.also_answering) == (["torchhub:1"], ["torchhub:2", "torchhub:3"])
    assert (two.gold, two.also_answering) == (["torchhub:4"], [])
    assert (made.counts["api_repeated_documents"], made.counts["api_questions_with_several_documents"]) == (1, 1)


def test_a_test_question_without_a_document_stays_and_a_training_question_does_not(tmp_path):
    unknown = line(7, api_data={"api_name": "other", "domain": "X"})
    made = corpus(written(tmp_path, [document(1)], [unknown], [unknown, line(1)]), "torchhub", validation=0.0)
    questions = {question.id: question for question in made.questions()}
    assert questions.keys() == {"torchhub:eval:1", "torchhub:train:2"}
    assert (questions["torchhub:eval:1"].gold, questions["torchhub:eval:1"].gold_missing) == ([], 1)
    assert made.counts["api_questions_without_document"] == 2


# Leaks


def test_training_questions_that_are_test_questions_are_left_out(tmp_path):
    test = [line(1, "Find a network that tells cats from dogs in photos.")]
    train = [
        line(2, "find a network that tells cats from dogs, in photos"),  # the same words, about another call
        line(1, "Find a network that tells the cats from dogs in photos."),  # nearly the same words and the same call
        line(2, "Find a network that tells the cats from dogs in photos."),  # nearly the same words, another call
        line(1, "Which model recognises handwritten digits?"),
    ]
    made = corpus(written(tmp_path, [document(1), document(2)], test, train), "torchhub", validation=0.0)
    split = {question.id: question.split for question in made.questions()}
    assert split == {"torchhub:eval:1": "test", "torchhub:train:3": "train", "torchhub:train:4": "train"}
    assert made.counts["test_questions_removed_from_train"] == 2


def test_one_file_is_split_without_leaks(tmp_path):
    twins = [
        line(n, f"Recognise the breed of {what} in a large photo {n % 10}.")
        for n, what in enumerate(["dogs", "Dogs!"] * 15)
    ]
    made = corpus(written(tmp_path, [document(n) for n in range(30)], twins), "torchhub", validation=0.2)
    words = {}
    for question in made.questions():
        words.setdefault(re.sub(r"\W", "", question.question.casefold()), set()).add(question.split)
    assert all(len(splits) == 1 for splits in words.values())
    assert {"train", "test", "validation"} == set.union(*words.values())


# Where the files are


def test_a_flat_folder_as_on_the_hub_gives_the_same(tmp_path, real):
    for path in real.rglob("torchhub*.gz"):
        (tmp_path / path.name.removesuffix(".gz")).write_bytes(gzip.decompress(path.read_bytes()))
    there, here = corpus(real, "torchhub"), corpus(tmp_path, "torchhub")
    assert list(there.questions()) == list(here.questions())
    assert [p.text for p in there.passages()] == [p.text for p in here.passages()]


def test_files_come_from_the_authors_repository(tmp_path, monkeypatch, real):
    asked = []

    def fetch(address: str) -> Path:
        asked.append(address)
        return next(real.rglob(address.rpartition("/")[2] + ".gz"))

    monkeypatch.setattr("raft_exp.corpora.readers.web.fetch", fetch)
    made = corpus(None, "torchhub")
    assert made.files() == []
    assert Counter(q.split for q in made.questions())["test"] == 89
    root = "https://raw.githubusercontent.com/ShishirPatil/gorilla/6ea57973c7a6097fd7c5915698c54c17c5b1b6c8/data"
    assert set(asked) == {
        f"{root}/api/torchhub_api.jsonl",
        f"{root}/apibench/torchhub_eval.json",
        f"{root}/apibench/torchhub_train.json",
    }


def test_files_come_from_the_cache_of_the_hub(tmp_path, monkeypatch, real):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    revision = "0" * 40
    folder = tmp_path / "datasets--owner--apis" / "snapshots" / revision
    folder.mkdir(parents=True)
    settings: dict[str, Any] = {"repo": "owner/apis", "revision": revision}
    with pytest.raises(DataError, match=r"'owner/apis' \(torchhub_eval\.json\) cannot be fetched.*corpus\.path=DIR"):
        list(corpus(None, "torchhub", **settings).passages())
    for name in ("torchhub_api.jsonl", "torchhub_eval.json", "torchhub_train.json"):
        shutil.copyfile(next(real.rglob(f"{name}.gz")), folder / name)
    assert len(list(corpus(None, "torchhub", **settings).passages())) == 94


@pytest.mark.parametrize("name", ["torchhub_eval.json", "nowhere"])
def test_a_file_or_a_missing_folder_is_refused(tmp_path, name):
    folder = written(tmp_path / "data", [document(1)], [line(1)])
    with pytest.raises(DataError, match=r"corpus\.path='.*' (is a file|does not exist); give a folder with the files"):
        list(corpus(folder / name, "torchhub").passages())


def test_a_hub_without_files_is_refused_by_name(tmp_path):
    folder = written(tmp_path, [document(1)], [line(1)])
    with pytest.raises(
        DataError, match=r"contains no tensorflowhub_api\.jsonl and no tensorflow_eval\.json .*corpus\.hub="
    ):
        list(corpus(folder, "tensorflow").passages())
    (folder / "torchhub_eval.json").unlink()
    with pytest.raises(DataError, match=r"contains no torchhub_eval\.json"):
        list(corpus(folder, "torchhub").questions())


def test_a_broken_line_is_named(tmp_path):
    folder = written(tmp_path, [document(1)], [line(1), '{"code": "###Instruction'])
    with pytest.raises(DataError, match=r"torchhub_eval\.json, line 2"):
        list(corpus(folder, "torchhub").questions())
