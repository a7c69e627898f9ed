"""Files for other trainers (export.for): token ids, masks, settings, and what cannot be repeated."""

import copy
import json
import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from raft_exp.apps import cli
from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.records import Example, read_jsonl
from raft_exp.exports.trainers import TOOLS, swift
from raft_exp.exports.trainers.rows import check_texts, token_row, without_first
from raft_exp.exports.trainers.settings import with_model_folder
from raft_exp.models.loading import load_tokenizer
from raft_exp.models.tokens import encode_completion, encode_prompt
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose
from tests.helpers.stages import run, stages_of
from tests.helpers.tokenizers import TOKENIZERS
from tests.unit.exports.tool_schemas import SCHEMAS

SMALL = ("model=pocket", "corpus.num_entities=40", "dataset.max_items=20", "evaluation.arms=[sft,raft,raft_r4]")
EVERY = "export.for=[trl,axolotl,llamafactory,swift]"
TRAINED = ("trainer.batch_size=8", "trainer.accumulate=2", "trainer.max_epochs=3", "trainer.warmup_share=0.2")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    return run(tmp_path_factory.mktemp("made"), *SMALL, *TRAINED, EVERY)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.open()]


def config(made: dict[str, Path], tool: str, label: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((made["export"] / "exports" / tool / f"{label}.yaml").read_text())
    return found


def read(tool: str, row: dict[str, Any], tokenizer: Any) -> tuple[list[int], list[int]]:
    """The token ids of prompt and reply that a tool makes of a row: its documented way, written down again."""

    def encoded(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    if tool == "trl":
        first = row["completion_mask"].index(1)
        assert set(row["completion_mask"][first:]) == {1}
        return row["input_ids"][:first], row["input_ids"][first:]
    if tool == "axolotl":
        prompt, reply = row["segments"]
        assert (prompt["label"], reply["label"]) == (False, True)
        return encoded(prompt["text"]), encoded(reply["text"])
    if tool == "llamafactory":
        return encoded(row["instruction"]), encoded(row["output"])
    (letter,) = encoded("a")  # ms-swift finds the tokens around a text with this letter
    whole = list(tokenizer("a")["input_ids"])
    before, after = whole[: whole.index(letter)], whole[whole.index(letter) + 1 :]
    assert not after
    user, assistant = row["messages"]
    end = [] if assistant["content"].endswith(tokenizer.eos_token) else [tokenizer.eos_token_id]
    return before + encoded(user["content"]), encoded(assistant["content"]) + end


@pytest.mark.parametrize(("tool", "recipe"), list(product(TOOLS, ["closed_book", "raft"])))
def test_a_tool_reads_the_token_ids_of_the_studys_own_training(made, tool, recipe):
    tokenizer = load_tokenizer("asset:pocket")
    learned = [row for row in read_jsonl(made[f"dataset[{recipe}]"] / "rows.jsonl", Example) if row.split == "train"]
    found = lines(made["export"] / "exports" / tool / f"{recipe}.jsonl")
    for row, example in zip(found, learned, strict=True):
        expected = encode_prompt(tokenizer, example.messages[:-1]), encode_completion(tokenizer, example.target)
        assert read(tool, row, tokenizer) == expected


@pytest.mark.parametrize("name", list(TOKENIZERS))
def test_every_kind_of_tokenizer_gives_equal_ids_or_is_refused(name):
    tokenizer = TOKENIZERS[name]()
    messages = [
        {"role": "system", "content": "Reply."},
        {"role": "user", "content": "Passage 1: Velmor\nVelmor is a town.\n\nQuestion: When was Velmor founded?"},
        {"role": "assistant", "content": "##Reason: ##begin_quote## town ##end_quote## ##Answer: 1802"},
    ]
    example = Example("q", "", [], [], False, messages[-1]["content"], False, messages, "train")
    expected = encode_prompt(tokenizer, messages[:-1]), encode_completion(tokenizer, example.target)
    for name_of_tool, tool in TOOLS.items():
        if name_of_tool == "swift" and name.startswith(("llama2", "no system role")):
            with pytest.raises(ConfigError, match=r"must encode 'a' as one token"):
                swift.check(tokenizer)
            continue
        tokens = token_row(tokenizer, example)
        if tool.adds_first:
            tokens = without_first(tokenizer, tokens, name_of_tool)
        if tool.reads_texts:
            check_texts(tokenizer, tokens, name_of_tool, ())
        assert read(name_of_tool, dict(tool.row(tokens)), tokenizer) == expected, name_of_tool


def test_a_tool_that_would_change_a_text_is_refused():
    tokenizer = load_tokenizer("asset:pocket")
    tokens = token_row(tokenizer, example_of("What is {{idx}}?", "##Answer: x"))
    check_texts(tokenizer, tokens, "axolotl", TOOLS["axolotl"].placeholders)
    with pytest.raises(DataError, match=r"row 'q' cannot be written for llamafactory: the tool would replace \{\{"):
        check_texts(tokenizer, tokens, "llamafactory", TOOLS["llamafactory"].placeholders)
    other_end = copy.deepcopy(tokenizer)
    other_end.eos_token = "<s>"
    with pytest.raises(ConfigError, match=r"export\.for: got 'swift' with model.*end with .*'<s>'.*; leave swift out"):
        swift.check(other_end)


def example_of(question: str, reply: str) -> Example:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    return Example("q", question, [], [], False, reply, False, messages, "train")


def test_each_training_has_its_configuration_and_each_training_set_its_data(made):
    for tool in TOOLS:
        names = {file.name for file in (made["export"] / "exports" / tool).iterdir()}
        register = {"dataset_info.json"} if tool == "llamafactory" else set()
        files = {"README.md", "closed_book.jsonl", "raft.jsonl", "closed_book.yaml", "raft.yaml", "raft_r4.yaml"}
        assert names == files | register
    register = json.loads((made["export"] / "exports" / "llamafactory" / "dataset_info.json").read_text())
    assert {name: entry["file_name"] for name, entry in register.items()} == {
        "closed_book": "closed_book.jsonl",
        "raft": "raft.jsonl",
    }
    rows = len(lines(made["export"] / "exports" / "trl" / "raft.jsonl"))
    counts = json.loads((made["export"] / "counts.json").read_text())
    assert counts == {f"{tool}/{name}.jsonl": rows for tool in TOOLS for name in ("closed_book", "raft")}


# The name of each setting in a tool: of rank, alpha and dropout of the adapter; rows of a micro-batch; gradient norm.
BATCH = "per_device_train_batch_size"
NAMES = {
    "trl": ("lora_r", "lora_alpha", "lora_dropout", BATCH, "max_grad_norm", "max_length"),
    "axolotl": ("lora_r", "lora_alpha", "lora_dropout", "micro_batch_size", "max_grad_norm", "sequence_len"),
    "llamafactory": (
        "lora_rank",
        "lora_alpha",
        "lora_dropout",
        "per_device_train_batch_size",
        "max_grad_norm",
        "cutoff_len",
    ),
    "swift": ("lora_rank", "lora_alpha", "lora_dropout", "per_device_train_batch_size", "max_grad_norm", "max_length"),
}


@pytest.mark.parametrize("tool", list(TOOLS))
def test_the_settings_are_those_of_the_study(made, tool):
    rows = len(lines(made["export"] / "exports" / tool / "raft.jsonl"))
    steps = 3 * math.ceil(rows / 8)
    for label, rank in (("raft", 16), ("raft_r4", 4)):
        found = config(made, tool, label)
        assert [found[name] for name in NAMES[tool]] == [rank, 2 * rank, 0.05, 4, 1.0, 1024]
        assert found["gradient_accumulation_steps"] == 2
        assert (found["max_steps"], found["warmup_steps"]) == (steps, round(0.2 * steps))
        assert (found["learning_rate"], found["weight_decay"], found["seed"]) == (1e-4, 0.0, 0)
        assert (found["bf16"], found["fp16"], found["output_dir"]) == (False, False, label)
    readme = (made["export"] / "exports" / tool / "README.md").read_text()
    result = TOOLS[tool].result.format(label="raft_r4", steps=steps)
    assert f"adapter: RUN/exports/{tool}/{result}," in readme
    assert f"+arms.raft_r4_{tool}={{recipe: none, context: passages, cot: true" in readme
    assert f"+arms.sft_{tool}={{recipe: none, context: none, cot: false" in readme
    for label in ("closed_book", "raft", "raft_r4"):
        assert TOOLS[tool].command.format(label=label) in readme


STEPS = "trainer.max_steps=7"
OTHERS = {
    "full": ("lora=full", "trainer.learning_rate=1e-5", "trainer.precision=bf16-mixed"),
    "nf4": ("model.quantize=nf4", "trainer.precision=bf16-true", "model.dtype=bfloat16", "trainer.accelerator=gpu"),
    "modules": ("lora.target_modules=[q_proj,v_proj]", "lora.rslora=true", "lora.dora=true"),
    "devices": (
        "trainer.devices=2",
        "trainer.num_nodes=2",
        "trainer.batch_size=16",
        "trainer.accumulate=1",
        "trainer.max_steps=7",
    ),
    "plain": (),
}


@pytest.mark.parametrize("name", list(OTHERS))
def test_every_key_and_value_is_in_the_tools_documented_schema(name):
    settings = stages_of(*SMALL[:3], "evaluation.arms=[raft]", *OTHERS[name], EVERY)["export"].config.trainers
    for tool, how in TOOLS.items():
        found, schema = how.config(settings, "raft", 100), SCHEMAS[tool]
        for key, value in found.items():
            assert key in schema, f"{tool} has no setting {key}"
            assert isinstance(value, schema[key]), (tool, key, value)
        assert yaml.safe_load(yaml.safe_dump(found)) == found
        check_special(tool, name, found)


def check_special(tool: str, name: str, found: dict[str, Any]) -> None:
    text = json.dumps(found)
    assert (NAMES[tool][0] in found) == (name != "full")
    assert ("nf4" in text or found.get("adapter") == "qlora") == (name == "nf4")
    if name == "modules":
        assert "q_proj" in text
        assert [found[key] for key in found if key.endswith(("rslora", "dora"))] == [True, True]
    if name == "devices":
        assert (found["max_steps"], found["gradient_accumulation_steps"], found[NAMES[tool][3]]) == (7, 1, 4)
    if name == "full":
        assert (found["bf16"], found.get("dtype", found.get("torch_dtype", "float32"))) == (True, "float32")


def test_an_arm_that_no_tool_can_repeat_is_named(tmp_path):
    arms = "evaluation.arms=[sft,sft_matched,raft]"
    found = run(tmp_path, *SMALL[:3], arms, "export.for=trl")
    folder = found["export"] / "exports" / "trl"
    assert not (folder / "sft_matched.yaml").exists()
    assert "No tool repeats the training of sft_matched." in (folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("export.for=[trlx]",), r"export\.for\.0: got 'trlx'; must be \"trl\", \"axolotl\", .* or \"swift\"$"),
        (("evaluation.arms=[rag]",), r"no arm of evaluation\.arms has a training .* add such an arm \(raft, sft\)"),
        (("trainer.keep=best",), r"trainer\.keep of arm sft is 'best', .*; set trainer\.keep=last"),
        (
            ("trainer.early_stopping=3",),
            r"trainer\.early_stopping of arm sft is 3, .*; set trainer\.early_stopping=null",
        ),
        (("trainer.devices=auto",), r"trainer\.devices of arm sft is 'auto'; set trainer\.devices to a number"),
        (
            ("selection.learning_rates=[1e-3,1e-4]",),
            r"selection\.learning_rates chooses .*; set selection\.learning_rates=nu",
        ),
        (("export.for=[trl]", "export.format=hf", "export.push_to_hub=me/x"), r"exports nothing"),
    ],
)
def test_what_no_tool_can_repeat_is_refused_before_a_stage_runs(overrides, told):
    values = ("export.for=[trl]", "evaluation.arms=[sft,raft]")
    with pytest.raises(ConfigError, match=told) as error:
        stages_of("corpus.num_entities=40", *values, *overrides)
    assert "\n" not in str(error.value)


def test_null_and_one_name_are_lists():
    assert parse(compose("export.for=null")).export.tools == []
    assert parse(compose("export.for=swift")).export.tools == ["swift"]
    assert parse(compose("export.for=[trl,trl]")).export.tools == ["trl"]


def test_results_of_a_tool_stay_in_the_run_folder_and_leave_the_store_as_it_is(tmp_path, capsys):
    folder = tmp_path / "run"
    chosen = (*SMALL, "export.for=[trl,swift]", "export.format=hf", f"store={tmp_path / 'store'}", "until=dataset")
    for _ in range(2):
        folder.mkdir(exist_ok=True)
        cli.study(compose(*chosen), folder, list(chosen))
        told = capsys.readouterr().out
        assert f"trl: {folder / 'exports' / 'trl' / 'README.md'} contains the" in told
        assert f"swift: {folder / 'exports' / 'swift' / 'README.md'} contains the" in told
        assert not (folder / "exports" / "trl").is_symlink(), "the tool writes into this folder"
        result = folder / "exports" / "trl" / "raft" / "adapter_config.json"
        result.parent.mkdir(exist_ok=True)
        result.write_text("{}")
    assert result.read_text() == "{}"
    assert not list((tmp_path / "store" / "export").glob("*/exports/trl/raft"))
    for tool, entry in (("trl", "model_name_or_path"), ("swift", "model")):
        (stored,) = (tmp_path / "store" / "export").glob(f"*/exports/{tool}/raft.yaml")
        assert yaml.safe_load(stored.read_text())[entry] == "MODEL_FOLDER"
        found = yaml.safe_load((folder / "exports" / tool / "raft.yaml").read_text())[entry]
        assert (Path(found) / "config.json").is_file()
        assert {**yaml.safe_load(stored.read_text()), entry: found} == yaml.safe_load(
            (folder / "exports" / tool / "raft.yaml").read_text()
        )


@pytest.mark.parametrize("place", ["/a: b #c/'d\"", "/Modèle\\x", "/plain"])
def test_the_place_of_the_model_folder_is_in_no_key_and_in_the_configurations_of_the_run(place):
    export = stages_of(*SMALL, "export.for=trl")["export"]
    moved = replace(export, config=replace(export.config, trainers=replace(export.config.trainers, path=place)))
    assert moved.key == export.key
    assert moved.config.trainers.model_entry == "MODEL_FOLDER"
    written = yaml.safe_dump({"model": moved.config.trainers.model_entry, "more": 1}, sort_keys=False)
    assert yaml.safe_load(with_model_folder(written, place)) == {"model": place, "more": 1}
