"""The tests on other corpora in a study: their stages, keys, arms and settings, and what is refused."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.stage import Stage
from raft_exp.corpora.almanac import AlmanacConfig
from raft_exp.pipeline.build import build
from raft_exp.pipeline.config import Config, conf_dir
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.transfer_files import with_transfer_files
from raft_exp.pipeline.transfer_settings import other_study
from tests.helpers.composing import compose
from tests.helpers.stages import stages_of

WORLD = "evaluation.transfer={other: {name: almanac, world_seed: 7}}"
REAL = "evaluation.transfer=[real]"
QUICK = "+experiment=quickstart"


def read(stage: Stage, name: str) -> Stage:
    """An input of a stage."""
    found = stage.inputs[name]
    assert isinstance(found, Stage)
    return found


def read_each(stage: Stage, name: str) -> Mapping[str, Stage]:
    """An input of several parts."""
    found = stage.inputs[name]
    assert not isinstance(found, Stage)
    return found


def keys(stages: dict[str, Stage]) -> dict[str, str]:
    return {label: stage.key for label, stage in stages.items()}


@pytest.fixture(scope="module")
def quick() -> dict[str, Any]:
    """The values of the embedded study, which name no other corpus."""
    return compose(QUICK)


def named(values: dict[str, Any], transfer: object, **evaluation: object) -> Config:
    """The study with these corpora, and these changes to `evaluation`."""
    changed = {**values, "evaluation": {**values["evaluation"], **evaluation, "transfer": transfer}}
    return parse(with_transfer_files(changed, [conf_dir()]))


def test_the_arms_answer_the_questions_of_the_other_corpus():
    made = stages_of(QUICK, REAL, "evaluation.kl=true")
    asked = [label for label in made if label.startswith("evaluate") and label.endswith("@transfer@real]")]
    assert asked == [f"evaluate[{arm}@transfer@real]" for arm in ("base", "rag", "sft", "sft_rag", "raft")]
    raft = made["evaluate[raft@transfer@real]"]
    assert read(raft, "adapter").key == made["train[raft]"].key
    assert read(raft, "test").key == made["dataset[transfer@real]"].key
    assert read(made["evaluate[sft_rag@transfer@real]"], "adapter").key == made["train[closed_book]"].key
    assert "adapter" not in made["evaluate[rag@transfer@real]"].inputs
    assert made["transfer[real]"].config.against == {"sft": "base", "sft_rag": "rag", "raft": "rag"}
    assert read_each(made["report"], "transfer")["real"].key == made["transfer[real]"].key


def test_keys_of_a_study_stay_where_nothing_elsewhere_is_measured():
    plain, measured = keys(stages_of(QUICK)), keys(stages_of(QUICK, WORLD, "evaluation.kl=true"))
    assert {label for label in plain if plain[label] != measured[label]} == {"report"}
    assert plain == keys(stages_of(QUICK, "evaluation.transfer=null", "evaluation.kl=false"))
    assert plain == keys(stages_of(QUICK, "evaluation.transfer=[]"))


def test_the_questions_and_the_untrained_answers_are_those_of_the_corpus_own_study():
    """A transfer from a study with the same model and prompt to real's corpus makes none of its stages again."""
    own = stages_of("+experiment=real", "model=tiny", "evaluation.prompts=as_written")
    moved = stages_of(QUICK, "model=tiny", "prompt=default", "evaluation.prompts=as_written", REAL)
    for label, there in (
        ("ingest", "ingest[transfer@real]"),
        ("questions", "questions[transfer@real]"),
        ("index", "index[transfer@real]"),
        ("dataset[test]", "dataset[transfer@real]"),
        ("evaluate[rag]", "evaluate[rag@transfer@real]"),
        ("evaluate[base]", "evaluate[base@transfer@real]"),
    ):
        assert moved[there].key == own[label].key, label
    assert moved["evaluate[raft@transfer@real]"].key != own["evaluate[raft]"].key


def test_the_questions_are_made_before_anything_is_paid_or_trained():
    order = list(stages_of(QUICK, WORLD))
    assert order.index("dataset[transfer@other]") < order.index("targets") < order.index("train[raft]")
    assert order.index("train[raft]") < order.index("evaluate[raft@transfer@other]") < order.index("transfer[other]")
    assert order[-1] == "report"


def test_a_study_that_ends_early_makes_no_answers():
    assert not [label for label in stages_of(QUICK, WORLD, "until=dataset") if "evaluate" in label or "kl" in label]
    assert "transfer[other]" not in stages_of(QUICK, WORLD, "until=evaluate")


def test_divergences_are_measured_once_for_each_training():
    made = stages_of(QUICK, "evaluation.kl=true")
    assert [label for label in made if label.startswith("kl")] == ["kl[closed_book]", "kl[raft]"]
    moved = read_each(made["report"], "kl")
    assert {arm: stage.label for arm, stage in moved.items()} == {
        "sft": "kl[closed_book]",
        "sft_rag": "kl[closed_book]",
        "raft": "kl[raft]",
    }
    assert read(made["kl[raft]"], "weights").key == made["train[raft]"].key
    assert set(made["kl[raft]"].files) >= {"text", "model.safetensors"}


def test_divergences_are_measured_with_transformers_where_another_engine_answers():
    made = stages_of(QUICK, "engine=vllm", "trainer=gpu", "evaluation.kl=true", WORLD)
    engine = made["kl[raft]"].config.engine
    assert (engine.name, engine.accelerator) == ("transformers", "auto")
    assert made["evaluate[raft@transfer@other]"].config.engine.name == "vllm"
    assert made["evaluate[raft@transfer@other]"].process == made["evaluate[raft]"].process
    assert made["kl[raft]"].process not in (None, made["evaluate[raft]"].process)


def test_chosen_rates_and_prompts_are_used_elsewhere_with_the_task_of_the_corpus():
    made = stages_of("+experiment=real", "model=tiny", "selection.learning_rates=auto", WORLD, "evaluation.kl=true")
    assert read(made["evaluate[raft@transfer@other]"], "adapter").label == "select[raft]"
    assert read(made["kl[raft]"], "weights").label == "select[raft]"
    rag = made["evaluate[rag@transfer@other]"]
    assert read(rag, "chosen").label == "select[rag@prompt]"
    assert rag.config.task == rag.config.prompt.task == ""
    assert made["evaluate[rag]"].config.task is None
    assert made["evaluate[rag]"].config.prompt.task == "Reply with a few words."
    assert [prompt.task for prompt in made["dataset[transfer@other]"].config.other_prompts] == [""]


def test_task_and_test_are_those_of_the_experiment_of_the_same_name():
    config = parse(compose(QUICK, "evaluation.transfer=[pubmedqa,hotpotqa]"))
    found = {name: other_study(config, name) for name in config.evaluation.transfer}
    tasks = {name: other.prompt.task for name, other in found.items()}
    assert tasks == {"pubmedqa": "Reply with yes, no or maybe.", "hotpotqa": "Reply with yes, no, or a few words."}
    assert found["pubmedqa"].evaluation.num_distractors == 3
    assert found["pubmedqa"].evaluation.distractors == "random", "and not bm25, as in the study"
    assert found["hotpotqa"].evaluation.context == "given"
    assert found["hotpotqa"].prompt.reason_instruction == config.prompt.reason_instruction


def test_settings_of_an_entry_win():
    entry = "{real: {max_items: 9, task: In one word., evaluation: {num_distractors: 1, max_items: 7}}}"
    config = parse(compose(QUICK, f"evaluation.transfer={entry}"))
    other = other_study(config, "real")
    assert other.corpus.max_items == 9
    assert other.prompt.task == "In one word."
    assert (other.evaluation.num_distractors, other.evaluation.max_items) == (1, 7)


@pytest.mark.parametrize(("most", "expected"), [(None, 250), (40, 40), (400, 250)])
def test_transfer_items_limits_the_questions(most, expected, quick):
    config = named(quick, ["real"], transfer_items=most)
    assert other_study(config, "real").evaluation.max_items == expected
    assert config.evaluation.max_items == 300, "of the study's own test"


@pytest.mark.parametrize(
    "form",
    [
        "evaluation.transfer=[{other: {name: almanac, world_seed: 7}}]",
        "+evaluation.transfer.other={name: almanac, world_seed: 7}",
        "evaluation.transfer={other: {name: almanac, world_seed: 7, task: ''}}",
    ],
)
def test_the_forms_of_an_entry_mean_the_same(form):
    assert keys(stages_of(QUICK, form)) == keys(stages_of(QUICK, WORLD))


def test_the_settings_of_a_finished_run_are_read_as_they_are():
    values = compose(QUICK, WORLD)
    assert parse(values) == parse(compose(QUICK, WORLD))
    assert values["evaluation"]["transfer"]["other"]["corpus"]["world_seed"] == 7


def test_experiments_of_the_users_own_folder_are_found(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "ours.yaml").write_text(
        "defaults: [real, _self_]\nprompt: {task: In two words.}\nevaluation: {num_distractors: 2}\n"
    )
    config = parse(compose(QUICK, "evaluation.transfer=[ours]", own=tmp_path))
    other = other_study(config, "ours")
    assert (other.corpus.name, other.prompt.task) == ("natural_questions", "In two words.")
    assert (other.evaluation.num_distractors, other.evaluation.distractors) == (2, "bm25")


def test_a_corpus_of_the_users_own_folder_is_found(tmp_path):
    (tmp_path / "corpus").mkdir()
    shutil.copyfile(Path(conf_dir()) / "corpus" / "almanac.yaml", tmp_path / "corpus" / "small_world.yaml")
    entry = "evaluation.transfer={small_world: {world_seed: 3, num_entities: 50}}"
    corpus = other_study(parse(compose(QUICK, entry, own=tmp_path)), "small_world").corpus
    assert isinstance(corpus, AlmanacConfig)
    assert corpus.num_entities == 50


def test_a_ready_adapter_is_compared_too(tmp_path):
    arms = f"+arms.ready={{recipe: none, context: passages, cot: false, adapter: {tmp_path}, dataset: {{}}}}"
    config = parse(compose(QUICK, WORLD, arms, "evaluation.arms=[rag,ready]"))
    assert other_study(config, "other").evaluation.arms == ["rag", "ready"]


def test_the_untrained_arm_is_the_one_of_the_verdict_where_there_are_several():
    plain = stages_of(QUICK, WORLD, "evaluation.arms=[rag_cot,rag,raft]")["transfer[other]"]
    assert plain.config.against == {"raft": "rag"}
    named = ("evaluation.arms=[rag,rag_cot,raft]", "evaluation.primary.against=rag_cot")
    assert stages_of(QUICK, WORLD, *named)["transfer[other]"].config.against == {"raft": "rag_cot"}


REFUSED = [
    ("pubmedqa", r"transfer: got 'pubmedqa'; give names in brackets, \[hotpotqa\]"),
    ("[pubmeda]", r"transfer: got 'pubmeda', which is no corpus; did you mean 'pubmedqa'\?"),
    ("[fair_lr]", r"transfer: got 'fair_lr', which is no corpus; known: almanac, "),
    ("[3]", r"transfer: got \[3\]; give names"),
    ("{pubmedqa: {pth: x}}", r"transfer\.pubmedqa: corpus\.pth: no such setting; did you mean 'path'\?"),
    ("{almanac: {world_seed: x}}", r"transfer\.almanac: corpus\.world_seed: got 'x'; must be a valid integer"),
    ("{almanac: {path: x, world_seed: 7}}", r"transfer\.almanac: corpus\.path='x': the almanac reads no files"),
    ("{almanac: 7}", r"transfer: got {'almanac': 7}; give names"),
    ("[almanac]", r"transfer\.almanac: is the study's own corpus; name another corpus, or other settings"),
    ("{almanac: {num_entities: 50}}", r"transfer\.almanac: is the study's own corpus"),
    ("{our world: {name: almanac, world_seed: 7}}", r"transfer: got 'our world'; the name is used for a folder"),
    ("{..: {name: almanac, world_seed: 7}}", r"transfer: got '\.\.'; the name is used for a folder"),
    ("[passages]", r"transfer\.passages\.questions: got None, but the test needs questions with answers"),
    ("{almanac: {world_seed: 7, task: 3}}", r"transfer\.almanac\.task: got 3; must be a valid string"),
    ("{almanac: {world_seed: 7, evaluation: 3}}", r"transfer\.almanac\.evaluation: got 3; give a mapping"),
    ("{almanac: {world_seed: 7, evaluation: {arms: [rag]}}}", r"almanac\.evaluation: got 'arms'; known: allow"),
    ("{almanac: {world_seed: 7, evaluation: {num_distractors: -1}}}", r"evaluation\.num_distractors: got -1; must"),
    ("[real] evaluation.arms=[base,rag]", r"transfer: got \['real'\], but no arm of .* has weights of its own"),
    ("[real] evaluation.arms=[rag,sft]", r"arm sft has context=none, and no untrained arm has the same context"),
    ("[real] evaluation.arms=[base,raft]", r"context for a comparison; add one to evaluation\.arms, such as rag"),
    ("null evaluation.kl=true evaluation.arms=[rag]", r"evaluation\.kl: got true, but no arm of .* has weights"),
]


@pytest.mark.parametrize(("setting", "message"), REFUSED)
def test_what_cannot_be_measured_is_refused_in_one_line(setting, message, quick):
    entry, *more = setting.split(" evaluation.")
    changes = {name: yaml.safe_load(value) for name, value in (other.split("=") for other in more)}
    with pytest.raises(ConfigError, match=message) as refused:
        named(quick, yaml.safe_load(entry), **changes)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("corpus", ["pubmedqa", "hotpotqa"])
def test_a_missing_file_names_the_entry(corpus, quick):
    config = named(quick, {corpus: {"path": "/nowhere"}})
    with pytest.raises(DataError, match=rf"evaluation\.transfer\.{corpus}: corpus\.path='/nowhere'"):
        build(config, lambda files: {})
