"""Arms with the gold passages alone (context: gold), and closed-book arms with reasoning: stages, keys, refusals."""

import json

import pytest

from raft_exp.core.errors import ConfigError, DataError
from raft_exp.dataset.pool_check import check_questions
from raft_exp.dataset.rows import window_of
from raft_exp.pipeline import build as pipeline
from raft_exp.pipeline.arm_settings import ignored_settings
from raft_exp.pipeline.demands import demands
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose
from tests.helpers.stages import run, stages_of

RAFT_ORACLE = (
    "+arms.raft_oracle={recipe: raft, context: gold, cot: '${dataset.cot}', adapter: null, dataset: {}}",
    "evaluation.arms=[rag,oracle,raft,raft_oracle]",
)
CONDITIONS = "+evaluation.conditions={k0: {num_distractors: 0}, found: {context: retrieved}}"


def test_gold_arms_are_tested_apart_and_change_no_other_stage():
    before, after = stages_of("evaluation.arms=[rag,raft]", CONDITIONS), stages_of(*RAFT_ORACLE, CONDITIONS)
    new = [label for label in after if label not in before]
    assert new == ["dataset[test_gold]", "evaluate[oracle]", "evaluate[raft_oracle]"]
    assert all(after[label].key == stage.key for label, stage in before.items() if label != "report")
    assert after["evaluate[oracle]"].inputs["test"] is after["dataset[test_gold]"]
    assert after["evaluate[raft_oracle]"].inputs["adapter"] is after["train[raft]"]
    assert after["dataset[test_gold]"].key == after["dataset[test@k0]"].key, "the same rows are made once"
    assert after["evaluate[oracle]"].key == after["evaluate[rag@k0]"].key
    assert after["report"].inputs["gold_test"] is after["dataset[test_gold]"]


@pytest.mark.parametrize("context", ["retrieved", "given"])
def test_gold_alone_does_not_depend_on_the_context_of_the_test(context):
    made = stages_of("evaluation.arms=[rag,oracle]", f"evaluation.context={context}", "corpus=hotpotqa")
    plain = stages_of("evaluation.arms=[rag,oracle]", "corpus=hotpotqa")
    assert made["dataset[test_gold]"].key == plain["dataset[test_gold]"].key
    assert made["dataset[test]"].key != plain["dataset[test]"].key


def test_settings_are_chosen_on_what_an_arm_sees():
    made = stages_of(*RAFT_ORACLE, "selection.learning_rates=[1e-3,1e-4]", "evaluation.prompts=auto")
    assert made["select[oracle@prompt]"].inputs["test"] is made["dataset[validation_gold]"]
    assert made["select[rag@prompt]"].inputs["test"] is made["dataset[validation]"]
    assert made["select[raft]"].inputs["test"] is made["dataset[validation]"], "gold arms do not decide"
    answers = made["select[raft]"].inputs["answers"]
    assert isinstance(answers, dict)
    assert list(answers) == ["raft@lr=0.0001", "raft@lr=0.001"]
    alone = stages_of(RAFT_ORACLE[0], "evaluation.arms=[raft_oracle]", "selection.learning_rates=[1e-3,1e-4]")
    assert alone["select[raft]"].inputs["test"] is alone["dataset[validation_gold]"]


def test_worked_examples_of_a_gold_arm_show_gold_alone():
    made = stages_of("evaluation.arms=[oracle]", "+arms.oracle.examples=2")
    examples = made["dataset[examples@oracle]"]
    assert examples.config.context == "gold"
    assert examples.inputs["test"] is made["dataset[test_gold]"]


def test_a_question_without_gold_is_refused_before_anything_is_paid(tmp_path):
    made = run(tmp_path / "store", "model=pocket", "corpus.num_entities=20", "evaluation.arms=[rag]", until="questions")
    lines = [json.loads(line) for line in (made["questions"] / "questions.jsonl").read_text().splitlines()]
    (tmp_path / "questions").mkdir()
    bare = [{**line, "gold": [], "evidence": []} for line in lines]
    (tmp_path / "questions" / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in bare))
    config = parse(compose("evaluation.arms=[oracle]", "evaluation.context=retrieved"))
    wanted = list(demands(config, window_of(config.model)))
    with pytest.raises(DataError, match=r"names no gold passage, which arms with context=gold .*remove these arms"):
        check_questions(wanted, None, passages=made["ingest"], questions=tmp_path / "questions")


def test_closed_book_reasoning_has_a_training_of_its_own():
    before, after = stages_of(), stages_of("evaluation.arms=[base,rag,sft,sft_rag,sft_cot,raft]")
    assert [label for label in after if label not in before] == [
        "dataset[sft_cot]",
        "train[sft_cot]",
        "evaluate[sft_cot]",
    ]
    assert all(after[label].key == stage.key for label, stage in before.items() if label != "report")
    assert after["dataset[sft_cot]"].config.cot
    assert after["evaluate[sft_cot]"].config.cot
    assert after["evaluate[sft_cot]"].config.context == "none"


@pytest.mark.slow
def test_a_retrieved_training_set_does_not_depend_on_p_and_distractors():
    arms = "evaluation.arms=[raft,raft_retrieved]"
    one = stages_of(arms)
    for change in ("dataset.p=0.3", "dataset.num_distractors={min:0,max:4}", "dataset.distractors=bm25"):
        other = stages_of(arms, change)
        assert one["dataset[raft_retrieved]"].key == other["dataset[raft_retrieved]"].key
        assert one["dataset[raft]"].key != other["dataset[raft]"].key
    k = stages_of(arms, "+arms.raft_retrieved.dataset.k=3")["dataset[raft_retrieved]"]
    assert k.config.retriever.k == 3
    assert k.key == stages_of(arms, "retriever.k=3")["dataset[raft_retrieved]"].key
    assert "indexed" in k.inputs


def test_a_study_says_which_settings_its_contexts_ignore():
    assert ignored_settings(parse(compose())) == ""
    line = ignored_settings(parse(compose("dataset.context=retrieved", "evaluation.arms=[raft]")))
    assert line.startswith("dataset.context=retrieved: dataset.p, dataset.num_distractors, dataset.distractors, ")
    assert line.endswith("have no effect on the training rows, whose passages are the first ones of the retriever")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("dataset.k=3",), r"^dataset\.k: got 3, but dataset\.context=gold_and_distractors has no retrieved passages"),
        (
            ("evaluation.arms=[raft_retrieved]", "+arms.raft_retrieved.dataset.p=0.4"),
            r"^arms\.raft_retrieved\.dataset\.p: got 0\.4, which has no effect with dataset\.context=retrieved; remove",
        ),
        (
            ("evaluation.arms=[oracle_sft]", "dataset.context=given"),
            r"^arms\.oracle_sft\.dataset\.p: .*\+arms\.oracle_sft\.dataset\.context=gold_and_distractors",
        ),
        (("dataset.context=retrieved", "dataset.conflict_share=0.2"), r"^dataset\.conflict_share: got 0\.2, but false"),
        (("evaluation.arms=[sft]", "+arms.sft.dataset.p=1"), r"^arms\.sft\.dataset: got .*closed_book can change cot"),
        (("evaluation.arms=[sft_cot]", "+arms.sft_cot.cot=false"), r"^arms\.sft_cot\.cot: got False, but the arm is "),
        (("evaluation.arms=[oracle]", "evaluation.conflict=true"), r"^evaluation\.conflict: got True, but arm oracle"),
    ],
)
def test_settings_without_effect_or_sense_are_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        pipeline.build(parse(compose(*overrides)), lambda files: {})
