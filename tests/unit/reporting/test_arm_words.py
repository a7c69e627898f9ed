"""Arms in words: every shipped arm has a sentence of its own, and the report shows those of its arms."""

import pytest
import yaml

from raft_exp.pipeline.config import conf_dir
from raft_exp.reporting.arm_words import described

ARMS = sorted((conf_dir() / "arm").glob("*.yaml"))


def settings(name: str) -> dict[str, object]:
    read: dict[str, object] = yaml.safe_load((conf_dir() / "arm" / f"{name}.yaml").read_text(encoding="utf-8"))
    return {**read, "cot": read["cot"] is True or "${" in str(read["cot"])}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("base", "Not trained; shown the question alone."),
        ("rag", "Not trained; shown the question and passages."),
        ("rag_cot", "Not trained; shown the question and passages, and asked to reason with quotes."),
        ("rag_few_shot", "Not trained; shown the question and passages, after 3 worked examples."),
        ("gpt_rag", "Not trained; shown the question and passages; answered by engine openai: gpt-4.1-2025-04-14."),
        ("sft", "Fine-tuned on questions and answers without passages; shown the question alone."),
        (
            "sft_cot",
            "Fine-tuned on questions, reasoning and answers without passages; shown the question alone, and asked to "
            "reason with quotes.",
        ),
        ("oracle", "Not trained; shown the question and its gold passages alone."),
        (
            "raft",
            "Fine-tuned on questions among passages, to reason with quotes and then answer; shown the question and "
            "passages.",
        ),
        (
            "oracle_sft",
            "Fine-tuned on questions among passages, to answer without reasoning; shown the question and passages; its "
            "training rows have p: 1, num_distractors: 0, cot: no.",
        ),
    ],
)
def test_an_arm_in_words(name, words):
    assert described(settings(name)) == words


def test_shipped_arms_have_different_words():
    assert len({described(settings(file.stem)) for file in ARMS}) == len(ARMS)


def test_a_ready_adapter_and_a_rate_are_named():
    arm = {"recipe": "none", "context": "passages", "cot": True, "adapter": "mine", "dataset": {}}
    assert described(arm).startswith("The ready adapter mine; shown the question and passages")
    assert described({**settings("sft"), "trainer": {"learning_rate": 3e-5}}).endswith("learning_rate: 3e-05.")


@pytest.mark.slow
def test_the_report_explains_its_arms(small_study):
    for page in ("report.md", "report.html"):
        text = (small_study / page).read_text(encoding="utf-8")
        assert "Not trained; shown the question and passages." in text
        assert "Fine-tuned on questions among passages, to reason with quotes and then answer" in text
