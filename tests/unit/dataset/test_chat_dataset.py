"""dataset.path: a ready chat file is trained on as it is, or refused."""

import json
from pathlib import Path

import pytest

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.records import Example, Passage, Question, read_jsonl
from raft_exp.dataset.chat_dataset import ChatDatasetStage, chat_rows
from raft_exp.dataset.rows import Window
from raft_exp.models.loading import load_tokenizer
from raft_exp.pipeline.parsing import parse
from raft_exp.training.rows import read
from tests.helpers.composing import compose
from tests.helpers.files import lines
from tests.helpers.stages import run
from tests.helpers.tokenizers import saved

SMALL = ("corpus.num_entities=60", "corpus.validation=0.2", "evaluation.arms=[sft,raft]", "evaluation.conditions=null")
RAFT = ("dataset[raft]",)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that the tests share: results of equal settings are made once."""
    return tmp_path_factory.mktemp("store")


def chat(text: str, **more):
    return {
        "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "##Answer: here"}],
        **more,
    }


def ready_rows(file: Path, folder: Path, model: str, template: str | None = None) -> None:
    """The stage alone, for a tokenizer of some kind."""
    (folder / "out").mkdir()
    (folder / "questions.jsonl").write_text("")
    write_passages(folder, [Passage("p", "d", "", "A text.", "", ["A text."], "")])
    name = saved(model, folder / "model")
    if template:
        tokenizer = load_tokenizer(name)
        tokenizer.chat_template = template
        tokenizer.save_pretrained(name)
    config = ChatDatasetStage(str(file), None, False, None, Window(name, None, 2048, 8), 0)
    chat_rows(config, passages=folder, questions=folder, out=folder / "out")


def rows(folder: Path) -> list[Example]:
    return list(read_jsonl(folder / "rows.jsonl", Example))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["plain_text", "json", "xml"])
def test_an_exported_chat_file_is_the_same_training_set(tmp_path, mode):
    how = (*SMALL, f"dataset.prompt_mode={mode}")
    made = run(tmp_path, *how, "export.dataset=chat")
    back = run(tmp_path, *how, f"dataset.path={made['export']}/exports/raft.chat.jsonl")
    tokenizer = load_tokenizer("asset:tiny")
    one, other = (
        read(folder["dataset[raft]"], "train", tokenizer, 2048, tmp_path / name)
        for name, folder in (("a", made), ("b", back))
    )
    assert one.ids == other.ids
    assert (one.tokens == other.tokens).all()
    assert (one.completions == other.completions).all()
    assert made["dataset[closed_book]"] == back["dataset[closed_book]"], "the other recipe is built as before"
    assert made["dataset[test]"] == back["dataset[test]"]
    audit = json.loads((back["dataset[raft]"] / "audit.json").read_text())
    assert audit["splits"]["train"]["escaped_messages"] == 0


def test_validation_rows_validate_and_max_items_limits_training_rows(shared, tmp_path):
    held = [chat(f"v {number}?", split="validation") for number in range(3)]
    file = lines(tmp_path / "own.jsonl", *(chat(f"t {number}?") for number in range(20)), *held)
    few, more = (
        rows(run(shared, *SMALL, f"dataset.path={file}", f"dataset.max_items={most}", only=RAFT)["dataset[raft]"])
        for most in (4, 9)
    )
    assert [row.split for row in few].count("train") == 4
    assert [row.split for row in few].count("validation") == 3
    assert {row.id for row in few} < {row.id for row in more}


def test_the_key_follows_the_content_not_the_place(shared, tmp_path):
    one = lines(tmp_path / "own.jsonl", chat("a?"))
    first = run(shared, *SMALL, f"dataset.path={one}", only=RAFT)["dataset[raft]"]
    (tmp_path / "moved").mkdir()
    moved = lines(tmp_path / "moved" / "own.jsonl", chat("a?"))
    assert run(shared, *SMALL, f"dataset.path={moved}", only=RAFT)["dataset[raft]"] == first
    lines(moved, chat("b?"))
    assert run(shared, *SMALL, f"dataset.path={moved}", only=RAFT)["dataset[raft]"] != first


def test_a_control_token_in_a_file_is_broken_up_and_counted(shared, tmp_path):
    tokenizer = load_tokenizer("asset:tiny")
    token = tokenizer.eos_token
    file = lines(tmp_path / "own.jsonl", chat(f"one {token} two"), chat("plain"))
    made = run(shared, *SMALL, f"dataset.path={file}", only=RAFT)["dataset[raft]"]
    found = read(made, "train", tokenizer, 2048, tmp_path / "found")
    harmless = run(shared, *SMALL, f"dataset.path={lines(tmp_path / 'x.jsonl', chat('one x two'), chat('plain'))}")
    plain = read(harmless["dataset[raft]"], "train", tokenizer, 2048, tmp_path / "plain")
    assert (found.tokens == tokenizer.eos_token_id).sum() == (plain.tokens == tokenizer.eos_token_id).sum()
    assert json.loads((made / "audit.json").read_text())["splits"]["train"]["escaped_messages"] == 1
    assert rows(made)[0].target == "##Answer: here", "our own marks stay"


def test_a_test_question_in_the_file_fails_the_build(shared, tmp_path):
    made = run(shared, *SMALL, until="questions")
    questions = list(read_jsonl(made["questions"] / "questions.jsonl", Question))
    asked = next(question for question in questions if question.split == "test")
    file = lines(tmp_path / "own.jsonl", chat("fine"), chat(f"Question: {asked.question.upper()}\nAnswer!"))
    told = rf"1 test questions are also in the training data \(first: '{asked.id}', in .*own\.jsonl, line 2\)"
    with pytest.raises(DataError, match=told):
        run(shared, *SMALL, f"dataset.path={file}")
    allowed = run(shared, *SMALL, f"dataset.path={file}", "dataset.allow_overlap=true", only=RAFT)["dataset[raft]"]
    overlap = json.loads((allowed / "audit.json").read_text())["overlap"]
    assert {split: counts["questions"] for split, counts in overlap.items()} == {"test": 1, "validation": 0}


@pytest.mark.slow
def test_a_validation_question_may_stand_in_a_validation_row_alone(shared, tmp_path):
    made = run(shared, *SMALL, "export.dataset=chat")
    exports = made["export"] / "exports"
    held = [json.loads(line) for line in (exports / "raft.chat.validation.jsonl").open()]
    train = [json.loads(line) for line in (exports / "raft.chat.jsonl").open()]
    file = lines(tmp_path / "own.jsonl", *train, *({**row, "split": "validation"} for row in held))
    back = run(shared, *SMALL, f"dataset.path={file}", only=RAFT)["dataset[raft]"]
    assert [(row.id, row.split) for row in rows(back)] == [(row.id, row.split) for row in rows(made["dataset[raft]"])]
    lines(file, *train, *held)
    with pytest.raises(DataError, match=rf"{len(held)} validation questions are also in the training data"):
        run(shared, *SMALL, f"dataset.path={file}")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            chat("word " * 3000),
            r"own\.jsonl, line 2: the row has \d{4} tokens, more than model\.max_length=2048; raise model\.max_length",
        ),
        (chat("y?", id="line-1"), r"own\.jsonl, line 2: id 'line-1' occurs twice"),
        ({"messages": [{"role": "user", "content": "x"}]}, r"own\.jsonl, line 2: field 'messages' does not end with"),
    ],
)
def test_rows_that_cannot_be_trained_on_are_refused(shared, tmp_path, more, told):
    file = lines(tmp_path / "own.jsonl", chat("x?"), more)
    with pytest.raises(DataError, match=told):
        run(shared, *SMALL, f"dataset.path={file}", "model.max_length=2048")


ODD = {
    "two user turns": (["user", "user", "assistant"], 1, "user", "assistant"),
    "assistant first": (["assistant", "user", "assistant"], 0, "assistant", "user"),
    "system in the middle": (["user", "system", "assistant"], 1, "system", "assistant"),
    "nobody asks": (["system", "assistant"], 1, "assistant", "user"),
    "system twice": (["system", "system", "user", "assistant"], 1, "system", "user"),
}


@pytest.mark.parametrize("model", ["shipped", "no system role", "qwen2"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_chats_are_one_line_whatever_the_template(tmp_path, odd, model):
    roles, place, found, due = ODD[odd]
    row = {"messages": [{"role": role, "content": "x"} for role in roles]}
    file = lines(tmp_path / "own.jsonl", chat("x?"), row)
    with pytest.raises(DataError) as error:
        ready_rows(file, tmp_path, model)
    assert str(error.value) == (
        f"{file}, line 2: field 'messages[{place}]' has the role {found!r}; {due!r} was expected; "
        "give a system message or none, then user and assistant in turn"
    )


@pytest.mark.slow
def test_what_a_template_refuses_is_one_line(tmp_path):
    template = "{{ raise_exception('Too long\\nfor me') if messages | length > 2 }}"
    template += "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    more = [{"role": "user", "content": "again?"}, {"role": "assistant", "content": "yes"}]
    file = lines(tmp_path / "own.jsonl", chat("x?"), {"messages": chat("x?")["messages"] + more})
    with pytest.raises(DataError) as error:
        ready_rows(file, tmp_path, "qwen2", template)
    assert str(error.value).startswith(f"{file}, line 2: the chat template of ")
    assert str(error.value).endswith("refuses the messages: Too long; correct or remove the row, or use another model")


def test_a_file_without_training_rows_or_that_is_not_there_is_refused(shared, tmp_path):
    with pytest.raises(DataError, match=r"dataset\.path='.*' has no training rows"):
        run(shared, *SMALL, f"dataset.path={lines(tmp_path / 'own.jsonl', chat('x?', split='validation'))}")
    with pytest.raises(ConfigError, match=r"dataset\.path='nowhere' \(arm raft\): no such file"):
        run(shared, *SMALL, "dataset.path=nowhere")


def test_an_arm_may_have_a_file_of_its_own_but_no_other_change(shared, tmp_path):
    file = lines(tmp_path / "own.jsonl", chat("x?"))
    mine = "+arms.mine={recipe:raft,context:passages,cot:true,adapter:null,dataset:{%s}}"
    made = run(shared, *SMALL[:2], mine % f"path:{file}", "evaluation.arms=[raft,mine]")
    assert len(rows(made["dataset[mine]"])) == 1 < len(rows(made["dataset[raft]"]))
    with pytest.raises(ConfigError, match=r"arms\.mine\.dataset: got \{'p': 1\.0\}, but the rows of dataset.path"):
        parse(compose(mine % "p:1.0", f"dataset.path={file}", "evaluation.arms=[mine]"))


def test_what_a_chat_file_cannot_say_is_not_exported(shared, tmp_path):
    file = lines(tmp_path / "own.jsonl", chat("x?"))
    made = run(shared, *SMALL[:2], "evaluation.arms=[raft]", f"dataset.path={file}", "export.dataset=[chat,eval]")
    assert sorted(path.name for path in (made["export"] / "exports").iterdir()) == [
        "raft.chat.jsonl",
        "test.eval.jsonl",
    ]
    with pytest.raises(ConfigError, match=r"got 'raft_base', but no arm"):
        run(shared, *SMALL[:2], "evaluation.arms=[raft]", f"dataset.path={file}", "export.dataset=raft_base")


LEAKS = {  # how a test question may stand in a chat file: a prompt and a reply, from the question and its gold
    "questions": {
        "whole": lambda q, gold: (f"Please answer: {q.question.lower()} Thank you.", "It is so."),
        "with its gold": lambda q, gold: (f"{gold}\n\nQ: {q.question}", f"##Answer: {q.answers[0]}"),
        "in other signs": lambda q, gold: (q.question.replace(" ", "\u00a0\u200b"), "It is so."),
    },
    "near_questions": {
        "a word changed": lambda q, gold: (f"{gold}\nTruly {q.question.partition(' ')[2]}", f"It is {q.answers[0]}."),
        "with its answer": lambda q, gold: (q.question.replace(" ", " really ", 1), f"That is {q.answers[0]}."),
    },
    "gold_overlap": {"another question": lambda q, gold: (f"{gold}\n\nHow are you?", "Well.")},
}


@pytest.mark.parametrize(
    ("figure", "plant"), [(figure, plant) for figure, plants in LEAKS.items() for plant in plants.values()]
)
def test_leaks_in_the_file_are_counted_whatever_their_form(shared, tmp_path, figure, plant):
    made = run(shared, *SMALL, until="questions")
    questions = read_jsonl(made["questions"] / "questions.jsonl", Question)
    asked = next(q for q in questions if q.split == "test" and q.slices["kind"] == "single")
    collection = Passages(made["ingest"])
    prompt, reply = plant(asked, collection[collection.find(asked.gold[0])].text)
    row = {"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]}
    file = lines(tmp_path / "own.jsonl", chat("fine"), row)
    with pytest.raises(DataError, match=r"\d+ .*test questions .*dataset\.allow_overlap=true"):
        run(shared, *SMALL, f"dataset.path={file}", "dataset.max_gold_overlap=0")
    allowed = run(shared, *SMALL, f"dataset.path={file}", "dataset.allow_overlap=true", only=RAFT)["dataset[raft]"]
    found = json.loads((allowed / "audit.json").read_text())["overlap"]["test"]
    assert found[figure] >= 1
    if figure != "gold_overlap":
        assert found["questions"] + found["near_questions"] == 1
