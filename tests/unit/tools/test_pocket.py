"""How the pocket model is made: names apart from the study's, no reasoning in practice, a lossless tokenizer."""

from itertools import pairwise
from pathlib import Path

import pytest

from raft_exp.corpora.almanac.names import made_name
from raft_exp.corpora.almanac.world import World
from tools.pocket.curriculum import CURRICULUM, LAST
from tools.pocket.practice import INSTRUCTION, SYSTEM, Practice
from tools.pocket.vocabulary import build_tokenizer

TEXTS = (
    "Passage 1: Velmor (paragraph 1)\nVelmor was founded in 1721.\n\nQuestion: When was Velmor founded?\n",
    "##Reason: ##begin_quote## The river Tistmor runs past Bronwou. ##end_quote## ##Answer: Tistmor",
    "Übung ▁ 日本 \t code() {x}  two spaces\r\n",
)


@pytest.mark.slow
def test_no_name_of_practice_is_a_name_of_the_study() -> None:
    study = {made_name(seed, "study", number) for seed in range(3) for number in range(30_000)}
    practice = {made_name(0, "practice", number) for number in range(30_000)}
    assert study.isdisjoint(practice)


def test_practice_answers_outright_without_reasoning_or_quotes() -> None:
    practice = Practice(1)
    answers = 0
    for stage in (*CURRICULUM, *LAST):
        for _ in range(100):
            parts = [text for text, _ in practice.exercise(stage.plan, 6)]
            for before, text in pairwise(parts):
                if text.startswith("##Answer: ") and "\nAgain:" not in parts:
                    answers += 1
                    assert before.lstrip().startswith("Question: ")
    assert answers > 500


def test_exercises_are_the_same_for_the_same_seed() -> None:
    one, again, other = Practice(1), Practice(1), Practice(2)
    plan = CURRICULUM[-1].plan
    assert [one.exercise(plan, 3) for _ in range(20)] == [again.exercise(plan, 3) for _ in range(20)]
    assert [other.exercise(plan, 3) for _ in range(20)] != [Practice(1).exercise(plan, 3) for _ in range(20)]


@pytest.mark.parametrize("text", TEXTS)
def test_tokenizer_loses_nothing(text: str) -> None:
    tokenizer = build_tokenizer()
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_unseen_names_and_the_studys_words_are_few_known_tokens() -> None:
    tokenizer = build_tokenizer()
    world = World(seed=1, size=200, validation=0.1, test=0.2)
    for passage in map(world.passage, range(200)):
        tokens = tokenizer.encode(f" {passage.text}").tokens
        assert not [token for token in tokens if len(token) == 1 and token.isalpha() and token != "Ġ"], tokens


def test_prompts_of_practice_are_those_of_a_study() -> None:
    from raft_exp.core.records import ContextPassage
    from raft_exp.prompts.plain_text import PlainText

    practice = Practice(3)
    things = practice.things(CURRICULUM[-1].plan)
    context = [
        ContextPassage("", "", thing.title, " ".join(text for _, text in thing.sentences), False, "paragraph 1")
        for thing in things
    ]
    rendered = PlainText().render("Who?", context, INSTRUCTION)
    assert rendered == f"{practice.passages(things)}Question: Who?\n{INSTRUCTION}"


def test_system_message_and_instruction_are_those_of_the_quickstarts_prompt() -> None:
    assert SYSTEM in Path("conf/prompt/default.yaml").read_text(encoding="utf-8")
    assert INSTRUCTION in Path("conf/prompt/brief.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_made_model_opens_in_transformers_with_the_same_logits(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tools.pocket.export import export
    from tools.pocket.network import Network, Shape

    torch.manual_seed(0)
    network = Network(Shape(vocabulary=1792, layers=2))
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.05).copy_(weight.bfloat16())
    export(network, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    ids = torch.tensor([tokenizer(TEXTS[0], add_special_tokens=False)["input_ids"]])
    with torch.no_grad():
        ours, theirs = network(ids, torch.arange(ids.shape[1])), model(ids).logits[0]
    assert torch.allclose(ours, theirs, atol=1e-3)
    chat = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == "<s>S\n\nU\n"
