"""Arms with trainer and adapter settings of their own: validation, shared trainings, labels, keys, settings shown."""

import pytest
from omegaconf import OmegaConf

from raft_exp.core.errors import ConfigError
from raft_exp.core.schema import identity
from raft_exp.core.stage import Stage
from raft_exp.pipeline import build as pipeline
from raft_exp.pipeline.arms import with_arm_files
from raft_exp.pipeline.config import conf_dir
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.stage_settings import report_settings
from tests.helpers.composing import compose
from tests.helpers.stages import stages_of

SLOW_SFT = "+arms.sft.trainer.learning_rate=3e-4"
SLOW_SFT_RAG = "+arms.sft_rag.trainer.learning_rate=3e-4"


def trained(*overrides: str) -> list[str]:
    return [label for label in stages_of(*overrides) if label.startswith("train[")]


@pytest.mark.parametrize(
    ("overrides", "labels"),
    [
        ((), ["train[closed_book]", "train[raft]"]),
        ((SLOW_SFT, SLOW_SFT_RAG), ["train[closed_book]", "train[raft]"]),
        ((SLOW_SFT,), ["train[sft]", "train[closed_book]", "train[raft]"]),
        ((SLOW_SFT, "+arms.sft_rag.lora.r=4"), ["train[sft]", "train[sft_rag]", "train[raft]"]),
        ((SLOW_SFT, "evaluation.arms=[sft,raft]"), ["train[closed_book]", "train[raft]"]),
        (("+arms.raft.lora.r=4",), ["train[closed_book]", "train[raft]"]),
        (("evaluation.arms=[raft,raft_no_cot]", "+arms.raft.lora.r=4"), ["train[raft]", "train[raft_no_cot]"]),
        (("+arms.sft.trainer.learning_rate=1e-4", "trainer.learning_rate=1e-4"), ["train[closed_book]", "train[raft]"]),
    ],
)
def test_a_training_has_the_name_of_its_dataset_or_of_its_first_arm(overrides, labels):
    assert trained(*overrides) == labels


def test_an_arms_own_rate_reaches_its_training_alone():
    before, after = stages_of(), stages_of(SLOW_SFT, SLOW_SFT_RAG)
    assert after["train[closed_book]"].config.trainer.learning_rate == 3e-4
    assert after["train[raft]"].key == before["train[raft]"].key
    changed = {label for label in before if before[label].key != after[label].key}
    assert changed == {"train[closed_book]", "evaluate[sft]", "evaluate[sft_rag]", "report"}


def test_arms_of_other_ranks_train_on_the_same_rows():
    stages = stages_of("evaluation.arms=[raft_r4,raft,raft_r64,raft_full]", "model.lora_learning_rate=1e-3")
    assert [label for label in stages if label.startswith("dataset[")] == ["dataset[raft]", "dataset[test]"]
    trainings = {label: stage for label, stage in stages.items() if label.startswith("train[")}
    assert {label: stage.config.lora.r for label, stage in trainings.items()} == {
        "train[raft_r4]": 4,
        "train[raft]": 16,
        "train[raft_r64]": 64,
        "train[raft_full]": 0,
    }
    assert {stage.config.lora.alpha / stage.config.lora.r for stage in trainings.values() if stage.config.lora.r} == {2}
    assert all(stage.inputs["dataset"] == stages["dataset[raft]"] for stage in trainings.values())
    assert trainings["train[raft_full]"].config.trainer.learning_rate == pytest.approx(1e-4)
    plain = stages_of("evaluation.arms=[raft]")
    assert trainings["train[raft]"].key == plain["train[raft]"].key


def test_all_weights_need_a_rate_of_their_own():
    with pytest.raises(ConfigError, match=r"^arms\.raft_full\.trainer\.learning_rate: got 'auto', but"):
        stages_of("evaluation.arms=[raft,raft_full]")
    assert "train[raft_full@lr=0.001]" in stages_of(
        "evaluation.arms=[raft,raft_full]", "selection.learning_rates=[1e-3,1e-4]"
    )


def test_arms_with_equal_changes_share_one_dataset_and_one_training():
    values = compose("evaluation.arms=[raft_no_cot,raft]")
    values["arms"]["again"] = values["arms"]["raft_no_cot"]
    values["evaluation"]["arms"] = ["raft_no_cot", "raft", "again"]
    made = pipeline.build(parse(values), lambda files: {})
    labels = [stage.label for stage in made if stage.name in ("dataset", "train")]
    assert labels == ["dataset[raft_no_cot]", "dataset[raft]", "dataset[test]", "train[raft_no_cot]", "train[raft]"]
    adapter = made[-2].inputs["adapter"]
    assert isinstance(adapter, Stage)
    assert adapter.label == "train[raft_no_cot]"


def test_the_rate_of_full_fine_tuning_follows_from_the_arms_own_adapter_settings():
    full = stages_of("model=qwen2_5_0_5b", "trainer.learning_rate=auto", "+arms.raft.lora.r=0")
    assert full["train[raft]"].config.trainer.learning_rate == pytest.approx(5.32e-5)
    assert full["train[closed_book]"].config.trainer.learning_rate == pytest.approx(5.32e-4)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("+arms.sft.trainer.learning_rate=-1",), r"arms\.sft\.trainer\.learning_rate: got -1; must be greater than 0"),
        (("+arms.sft.trainer.rate=1",), r"arms\.sft\.trainer\.rate: no such setting"),
        (("+arms.sft.lora.rank=1",), r"arms\.sft\.lora\.rank: no such setting"),
        (("+arms.sft.trainer.accumulate=5",), r"arms\.sft\.trainer\.accumulate=5 does not divide trainer\.batch_size"),
        (("+arms.sft.trainer.workers=0",), r"arms\.sft\.trainer\.workers: got 0, but all trainings of a study share"),
        (("+arms.sft.trainer.devices=2",), r"arms\.sft\.trainer\.devices: got 2, but all trainings of a study share"),
        (("+arms.rag.trainer.max_epochs=2",), r"arms\.rag\.trainer: got .*this arm is not trained \(recipe=none\)"),
        (("+arms.rag.lora.r=2",), r"arms\.rag\.lora: got .*this arm is not trained \(recipe=none\)"),
        (("+arms.sft.trainer.learning_rate=auto",), r"arms\.sft\.trainer\.learning_rate: got 'auto', but model"),
        (("+arms.sft.lora.r=0", "lora.dora=true"), r"lora\.dora: got True, but lora\.r=0"),
        (("+arms.sft.lora.r=0", "model.quantize=nf4"), r"model\.quantize=nf4: quantised weights cannot be trained"),
    ],
)
def test_changes_that_cannot_be_are_refused_in_one_line(overrides, message):
    with pytest.raises(ConfigError, match=message) as refused:
        parse(compose(*overrides))
    assert "\n" not in str(refused.value)


def test_a_training_cannot_take_the_name_of_another_recipe():
    values = compose()
    values["arms"]["raft"] = {**values["arms"]["sft"], "trainer": {"max_epochs": 2}}
    with pytest.raises(ConfigError, match=r"arms\.raft\.trainer: got .* cannot have the name of another recipe"):
        parse(values)


def test_some_settings_of_an_arm_change_its_file_and_all_of_them_replace_it():
    assert compose(SLOW_SFT)["arms"]["sft"] == compose()["arms"]["sft"] | {"trainer": {"learning_rate": 3e-4}}
    whole = {"recipe": "closed_book", "context": "none", "cot": True, "adapter": None, "dataset": {}}
    for changes, cot, trainer in (({"trainer": {"max_epochs": 2}}, False, {"max_epochs": 2}), (whole, True, {})):
        values = {"evaluation": {"arms": ["sft"]}, "arms": {"sft": changes}}
        arms = with_arm_files(values, [conf_dir()])["arms"]
        assert isinstance(arms, dict)
        arm = arms["sft"]
        assert (arm["cot"], arm.get("trainer", {})) == (cot, trainer)


def test_an_arms_file_and_its_changes_are_merged_at_every_depth(tmp_path):
    (tmp_path / "arm").mkdir()
    file = {"recipe": "raft", "dataset": {"p": 0.5, "cot": False}, "trainer": {"max_epochs": 3}}
    OmegaConf.save(OmegaConf.create(file), tmp_path / "arm" / "own.yaml")
    values = {"evaluation": {"arms": ["own"]}, "arms": {"own": {"dataset": {"p": 1.0}, "trainer": {"batch_size": 4}}}}
    arms = with_arm_files(values, [tmp_path])["arms"]
    assert isinstance(arms, dict)
    assert arms["own"] == {
        "recipe": "raft",
        "dataset": {"p": 1.0, "cot": False},
        "trainer": {"max_epochs": 3, "batch_size": 4},
    }


def test_the_report_shows_the_changes_of_each_arm_and_nothing_for_arms_without_any():
    plain, changed = report_settings(parse(compose())), report_settings(parse(compose(SLOW_SFT)))
    assert changed.settings["arms"] == {"sft": {"trainer": {"learning_rate": 3e-4}}}
    assert changed.arms["sft"]["trainer"] == {"learning_rate": 3e-4}
    assert "arms" not in plain.settings
    assert not {"trainer", "lora"} & set(identity(plain.arms["sft"]))


def test_arms_of_the_real_studies_and_their_trainings():
    made = stages_of("evaluation.arms=[base,rag,rag_cot,sft,sft_rag,sft_matched,oracle_sft,raft]")
    assert [label for label in made if label.startswith(("dataset", "train"))] == [
        "dataset[closed_book]",
        "dataset[oracle_sft]",
        "dataset[raft]",
        "dataset[test]",
        "train[closed_book]",
        "train[sft_matched]",
        "train[oracle_sft]",
        "train[raft]",
    ]
    oracle = made["dataset[oracle_sft]"].config.dataset
    assert (oracle.p, oracle.num_distractors, oracle.cot) == (1.0, 0, False)
    assert made["evaluate[rag_cot]"].config.cot
    assert "adapter" not in made["evaluate[rag_cot]"].inputs
    before = stages_of("evaluation.arms=[base,rag,sft,sft_rag,raft]")
    assert all(stage.key == made[label].key for label, stage in before.items() if label != "report")


def test_a_matched_training_reads_the_rows_and_the_length_of_the_other_one():
    arms = "evaluation.arms=[sft_matched,raft]"
    made = stages_of(arms, "+arms.raft.trainer.max_epochs=3", "+arms.raft.trainer.batch_size=4")
    matched = made["train[closed_book]"]
    assert matched.inputs == {"dataset": made["dataset[closed_book]"], "matched_dataset": made["dataset[raft]"]}
    plan = matched.config.matched
    assert (plan.batch_size, plan.max_epochs, plan.max_steps) == (4, 3, -1)
    assert matched.key != stages_of(arms)["train[closed_book]"].key


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("trainer.supervised_tokens=raft",), r"^trainer\.supervised_tokens: got 'raft', but only a single arm"),
        (("evaluation.arms=[sft_matched]",), r"sft_matched\.trainer\.supervised_tokens: got 'raft'.*; add one to ev"),
        (("evaluation.arms=[sft,sft_matched]",), r"supervised_tokens: got 'raft'.*known: sft"),
        (("evaluation.arms=[raft]", "+arms.raft.trainer.supervised_tokens=raft"), r"got 'raft'.*; add one to ev"),
        (
            ("evaluation.arms=[sft_matched,raft]", "+arms.sft_matched.trainer.max_epochs=2"),
            r"arms\.sft_matched\.trainer\.max_epochs: has no effect together with supervised_tokens; remove one",
        ),
        (("evaluation.arms=[rag,sft]", "+arms.sft.trainer.supervised_tokens=rag"), r"got 'rag'; must be a trained arm"),
    ],
)
def test_supervised_tokens_of_no_other_training_are_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        parse(compose(*overrides))
