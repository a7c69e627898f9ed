"""The pocket model that ships: it opens, and reads: it picks the document that is asked about, on unseen names."""

import json
from pathlib import Path

import pytest

from raft_exp.core.records import ContextPassage
from raft_exp.models import tokens
from raft_exp.prompts import parse
from tools.pocket.__main__ import FOLDER, make


@pytest.fixture(scope="module")
def pocket() -> tuple[object, object]:
    from raft_exp.models.loading import ModelConfig, load, load_tokenizer

    config = ModelConfig("asset:pocket", None, "float32", 1024, 64)
    return load(config), load_tokenizer(config.name_or_path)


@pytest.mark.slow
def test_it_answers_about_the_document_asked_about_among_five_of_its_kind(pocket: tuple[object, object]) -> None:
    from raft_exp.prompts.plain_text import PlainText
    from tools.pocket.practice import INSTRUCTION, SYSTEM, Practice
    from tools.pocket.skills import same_kind

    model, tokenizer = pocket
    right = 0
    for item in range(40):
        practice = Practice(1000 + item, names="study")
        things, fact = same_kind(practice, 5, siblings=False)
        thing = practice.random.choice(things)
        context = [
            ContextPassage("", "", one.title, " ".join(text for _, text in one.sentences), False, "paragraph 1")
            for one in things
        ]
        user = PlainText().render(practice.question(thing, fact)[0], context, INSTRUCTION)
        chat = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]
        right += parse(_reply(model, tokenizer, chat), "paper").prediction == thing.values[fact]
    assert right >= 24, f"{right} of 40; picking blindly gives 8"


def _reply(model: object, tokenizer: object, chat: list[dict[str, str]]) -> str:
    import torch

    ids = torch.tensor([tokens.encode_prompt(tokenizer, chat)])
    with torch.no_grad():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)  # type: ignore[attr-defined]
    return str(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))  # type: ignore[attr-defined]


def test_its_vocabulary_is_the_one_that_the_code_builds() -> None:
    from tools.pocket.vocabulary import build_tokenizer

    shipped = json.loads((FOLDER / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    built = json.loads(build_tokenizer().to_str())["model"]["vocab"]
    assert shipped == built


@pytest.mark.slow
def test_it_can_be_made_again_and_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make(tmp_path / name, seed=5, share=0.002, items=3)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
    assert "| chance |" in (tmp_path / "one" / "README.md").read_text(encoding="utf-8")
