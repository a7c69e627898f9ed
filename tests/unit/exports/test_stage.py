"""Exports: each format's fields and files, the doors back in, `datasets` and TRL as readers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from raft_exp.core.collection import Passages
from raft_exp.core.errors import ConfigError
from raft_exp.core.records import Example, Question, read_jsonl
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose
from tests.helpers.stages import run

SMALL = ("corpus.num_entities=60", "corpus.validation=0.2", "dataset.p=0.6", "evaluation.arms=[sft,raft]")
ALL = ("export.dataset=[chat,completion,eval,raft_base]", "export.passages=true")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return run(tmp_path_factory.mktemp("made"), *SMALL, *ALL)


def door(made: dict[str, Path]) -> tuple[str, ...]:
    """A study on the passages that another one exported, with its questions."""
    passages, questions = made["export"] / "exports" / "passages.jsonl", made["questions"] / "questions.jsonl"
    return ("corpus=passages", f"corpus.path={passages}", f"corpus.questions={questions}", *SMALL[2:])


def rows(made: dict[str, Path], name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (made["export"] / "exports" / f"{name}.jsonl").open()]


def dataset(made: dict[str, Path], recipe: str, split: str = "train") -> list[Example]:
    return [row for row in read_jsonl(made[f"dataset[{recipe}]"] / "rows.jsonl", Example) if row.split == split]


def test_there_is_a_file_for_each_dataset_that_has_the_format(made):
    names = {path.name.removesuffix(".jsonl") for path in (made["export"] / "exports").iterdir()}
    learned = {f"{recipe}.{form}" for recipe in ("closed_book", "raft") for form in ("chat", "completion", "eval")}
    learned.add("raft.raft_base")
    assert names == learned | {f"{name}.validation" for name in learned} | {"test.eval", "passages"}


def test_training_rows_stand_apart_from_validation_rows(made):
    for split, name in (("train", "raft.chat"), ("validation", "raft.chat.validation")):
        assert [row["id"] for row in rows(made, name)] == [row.id for row in dataset(made, "raft", split)] != []


def test_chat_and_completion_hold_what_is_learned(made):
    for row, chat, plain in zip(
        dataset(made, "raft"), rows(made, "raft.chat"), rows(made, "raft.completion"), strict=True
    ):
        assert chat == {"id": row.id, "messages": row.messages}
        system, user, reply = row.messages
        prompt = f"{system['content']}\n\n{user['content']}\n"
        assert plain == {"id": row.id, "prompt": prompt, "completion": reply["content"]}
        assert row.target == reply["content"]


def test_eval_has_question_answers_and_context_of_every_test_row(made):
    asked = dataset(made, "test", "test")
    for row, found in zip(asked, rows(made, "test.eval"), strict=True):
        assert (found["id"], found["question"], found["answers"]) == (row.id, row.question, row.answers)
        assert [(p["id"], p["gold"]) for p in found["context"]] == [(p.id, p.gold) for p in row.context]
        assert found["has_gold"]


def test_raft_base_has_the_notebooks_fields(made):
    questions = {q.id: q for q in read_jsonl(made["questions"] / "questions.jsonl", Question)}
    collection = Passages(made["ingest"])
    found = rows(made, "raft.raft_base")
    assert set(found[0]) == {"question", "context", "oracle", "distracted", "original_answer", "synthetic_answer"}
    for row, base in zip(dataset(made, "raft"), found, strict=True):
        gold = [collection[collection.find(name)].text for name in questions[row.id].gold]
        assert base["oracle"] == "\n\n".join(gold), "the gold, whether or not the row shows it"
        assert base["distracted"] is not row.has_gold
        assert base["context"] == "\n\n".join(passage.text for passage in row.context)
        assert (base["original_answer"], base["synthetic_answer"]) == (row.answers[0], row.target)
    assert 0 < sum(base["distracted"] for base in found) < len(found)


@pytest.mark.slow
def test_the_long_answer_is_the_original_answer_of_real_records(test_data, tmp_path):
    real = ("+experiment=pubmedqa", f"corpus.path={test_data / 'pubmedqa'}", "model=tiny", "trainer=cpu")
    made = run(tmp_path, *real, "evaluation.arms=[raft]", "corpus.max_items=20", "export.dataset=raft_base")
    records = json.loads((test_data / "pubmedqa" / "ori_pqal.json").read_text())
    for row, base in zip(dataset(made, "raft"), rows(made, "raft.raft_base"), strict=True):
        assert base["original_answer"] == records[row.id]["LONG_ANSWER"]
        assert base["oracle"] == "\n\n".join(text for text in records[row.id]["CONTEXTS"] if text.strip())


@pytest.mark.slow
def test_passages_go_back_in_through_their_door_unchanged(made, tmp_path):
    file = made["export"] / "exports" / "passages.jsonl"
    assert file.read_bytes() == (made["ingest"] / "passages.jsonl").read_bytes()
    parquet = run(tmp_path / "parquet", *SMALL, "export.passages=true", "export.format=parquet")
    for again in (file, parquet["export"] / "exports" / "passages.parquet"):
        back = run(tmp_path / again.suffix, "corpus=passages", f"corpus.path={again}", until="ingest")["ingest"]
        for name in ("passages.jsonl", "ids.npy", "documents.npy", "texts.npy"):
            assert (back / name).read_bytes() == (made["ingest"] / name).read_bytes(), name


@pytest.mark.slow
def test_a_study_on_ready_passages_and_questions_has_the_same_rows(made, tmp_path):
    back = run(tmp_path, *door(made))
    for name in ("raft", "closed_book", "test"):
        one, other = (
            [json.loads(line) for line in (folder[f"dataset[{name}]"] / "rows.jsonl").open()] for folder in (made, back)
        )
        assert {row["slices"].pop("evidence") for row in other} == {"in one passage", "in several passages"}
        assert one == other


def test_other_questions_do_not_change_the_passages_key(made, tmp_path):
    questions = (made["questions"] / "questions.jsonl").read_text().splitlines(keepends=True)
    keys = []
    for number, kept in enumerate((questions, questions[:-1])):
        (tmp_path / str(number)).mkdir()
        file = tmp_path / str(number) / "questions.jsonl"
        file.write_text("".join(kept))
        found = run(tmp_path / "store", *door(made), f"corpus.questions={file}", until="questions")
        keys.append((found["ingest"].name, found["questions"].name))
    assert keys[0][0] == keys[1][0]
    assert keys[0][1] != keys[1][1]


def test_parquet_holds_the_same_rows(made, tmp_path):
    from pyarrow import parquet

    found = run(tmp_path, *SMALL, *ALL, "export.format=parquet")
    for name in ("raft.chat", "test.eval", "closed_book.eval", "raft.raft_base", "passages", "raft.chat.validation"):
        table = parquet.read_table(found["export"] / "exports" / f"{name}.parquet")
        assert table.to_pylist() == rows(made, name), name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = run(tmp_path_factory.mktemp("folder"), *SMALL, *ALL, "export.format=hf", "study=towns")
    return found["export"] / "exports" / "hf"


def test_the_datasets_package_loads_the_folder(made, folder, tmp_path):
    from datasets import load_dataset

    first = load_dataset(str(folder), cache_dir=str(tmp_path))
    assert {split: len(found) for split, found in first.items()} == {
        split: len(dataset(made, "closed_book", split)) for split in ("train", "validation")
    }
    chat = load_dataset(str(folder), "raft.chat", split="train", cache_dir=str(tmp_path))
    assert chat.to_list() == rows(made, "raft.chat")
    asked = load_dataset(str(folder), "test.eval", cache_dir=str(tmp_path))
    assert list(asked) == ["test"]
    assert asked["test"].to_list() == rows(made, "test.eval")


def test_the_card_says_what_the_data_is(made, folder):
    _, front, body = (folder / "README.md").read_text().split("---\n", 2)
    head = yaml.safe_load(front)
    assert (head["license"], head["pretty_name"]) == ("apache-2.0", "towns")
    files = [folder / file["path"] for config in head["configs"] for file in config["data_files"]]
    assert sorted(files) == sorted(folder.rglob("*.parquet"))
    train = dataset(made, "raft")
    held = sum(row.has_gold for row in train)
    settings = "p=0.6, num_distractors=4, distractors=random, cot=True, constant_size=True, no_gold_target=answer"
    assert f"| raft | {settings} | {len(train)} | {held} |" in body
    for told in ("Corpus: almanac", "Prompt mode: plain_text", "a made world", "Licence: apache-2.0"):
        assert told in body


@pytest.mark.slow
def test_a_licence_that_nobody_stated_is_not_made_up(made, tmp_path):
    wanted = (*door(made), "export.dataset=chat", "export.format=hf")
    silent = run(tmp_path, *wanted)["export"] / "exports" / "hf" / "README.md"
    assert "license:" not in silent.read_text()
    assert "Licence: not stated" in silent.read_text()
    told = run(tmp_path, *wanted, "export.licence=cc-by-4.0")["export"] / "exports" / "hf" / "README.md"
    assert "license: cc-by-4.0" in told.read_text()


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("export.dataset=alpaca", r"export\.dataset: got 'alpaca'; must be .*\"?chat"),
        ("export.format=csv", r"export\.format: got 'csv'; must be"),
        ("export.push_to_hub=me/data", r"export\.push_to_hub: got 'me/data', but export\.format=jsonl writes"),
        ("export.push_to_hub=data", r"export\.push_to_hub: got 'data'; must be OWNER/NAME"),
    ],
)
def test_what_cannot_be_exported_is_refused(override, told):
    with pytest.raises(ConfigError, match=told):
        parse(compose(override))
    with pytest.raises(ConfigError, match=r"exports nothing; set export\.dataset"):
        parse(compose("export.push_to_hub=me/data", "export.format=hf"))


def test_a_format_without_a_training_set_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"export\.dataset: got 'chat', but no arm of evaluation\.arms has a"):
        run(tmp_path, "evaluation.arms=[base,rag]", "export.dataset=chat")
    assert "export" in run(tmp_path, *SMALL[:1], "evaluation.arms=[base,rag]", "export.dataset=eval")


@pytest.mark.slow
def test_exports_change_no_other_key(tmp_path):
    plain = run(tmp_path, *SMALL)
    assert "export" not in plain
    exported = run(tmp_path, *SMALL, "export.dataset=chat")
    assert {label: path for label, path in exported.items() if label != "export"} == plain


TRAINER = """
import sys
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer
files, model, out = sys.argv[1:]
data = load_dataset("json", data_files=files, split="train")
arguments = SFTConfig(out, max_steps=2, per_device_train_batch_size=2, use_cpu=True, bf16=False, report_to="none",
                      save_strategy="no", logging_steps=1, max_length=2048, completion_only_loss=None)
trainer = SFTTrainer(AutoModelForCausalLM.from_pretrained(model), args=arguments, train_dataset=data,
                     processing_class=AutoTokenizer.from_pretrained(model))
trainer.train()
print("LOSS", [round(entry["loss"], 3) for entry in trainer.state.log_history if "loss" in entry], len(data))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["raft.chat", "closed_book.chat", "raft.completion"])
def test_trl_trains_on_an_export_as_it_is(made, tmp_path, name):
    from raft_exp.models.loading import resolve

    file = made["export"] / "exports" / f"{name}.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", TRAINER, str(file), resolve("asset:pocket"), str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = next(line for line in done.stdout.splitlines() if line.startswith("LOSS"))
    assert told.endswith(str(len(rows(made, name))))
    assert "nan" not in told
    assert told.count(",") == 1, "two steps"
