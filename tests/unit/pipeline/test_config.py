"""Every file under conf/ composes and parses; what cannot be is refused in one line that names field and value."""

import dataclasses
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from hydra_plugins.raft_exp.grid_sweeper import GridSweeper
from raft_exp.apps.experiments import changes_study
from raft_exp.apps.hydra_errors import explained
from raft_exp.apps.sweep.space import with_params
from raft_exp.core.errors import ConfigError, ModelError
from raft_exp.core.schema import identity
from raft_exp.corpora.apibench import ApibenchConfig
from raft_exp.pipeline import build as pipeline
from raft_exp.pipeline.arm_settings import resolved_trainer
from raft_exp.pipeline.config import conf_dir
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.renamed import with_new_names
from raft_exp.reporting.stage import report
from raft_exp.teachers.model import is_model
from tests.helpers.composing import compose
from tests.helpers.stages import stages_of

GROUPS = sorted(
    (path.parent.name, path.stem)
    for path in conf_dir().glob("*/*.yaml")
    if path.parent.name not in ("experiment", "debug", "arm", "hydra", "task") and path.stem != "default"
)


EXPERIMENTS = sorted(
    str(path.relative_to(conf_dir() / "experiment").with_suffix(""))
    for path in (conf_dir() / "experiment").rglob("*.yaml")
    if path.parent.name != "hubs"  # these stand on top of apibench
)
HUBS = sorted(path.stem for path in (conf_dir() / "experiment" / "paper" / "hubs").glob("*.yaml"))
# what an option needs beside it
# groups that are chosen for one setting
PLACES = {"reranker": "reranker@retriever.rerank", "nli": "nli@evaluation.nli", "judge": "judge@evaluation.judge"}
NEEDS = {("engine", "openai"): ["evaluation.arms=[base,rag]"]}
PLUGINS = {"joblib": "joblib", "slurm": "submitit", "submitit_local": "submitit", "ray": "ray"}


@pytest.mark.parametrize(("group", "option"), GROUPS)
def test_every_option_parses(group, option):
    if group == "launcher" and option in PLUGINS:
        pytest.importorskip(
            f"hydra_plugins.hydra_{PLUGINS[option]}_launcher", reason="the extras [launchers] and [ray]"
        )
    assert parse(compose(f"{PLACES.get(group, group)}={option}", *NEEDS.get((group, option), [])))


@pytest.mark.parametrize("task", ["cot_answer", "five_sentences"])
@pytest.mark.parametrize("teacher", ["openai", "vllm", "transformers"])
def test_every_task_for_targets_parses_with_every_teacher_that_is_a_model(teacher, task):
    config = parse(compose(f"teacher={teacher}", f"task@teacher.targets={task}", "teacher.check=null"))
    assert is_model(config.teacher)
    assert config.teacher.targets is not None
    assert config.teacher.targets.name == task


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_parses(experiment):
    study = "own" if changes_study(experiment) else Path(experiment).name  # a change to another study keeps its name
    assert parse(compose(f"+experiment={experiment}")).study == study


@pytest.mark.parametrize("hub", HUBS)
def test_every_column_of_table_1_that_is_a_hub_parses(hub):
    config = parse(compose(f"+experiment=[apibench,paper/hubs/{hub},paper/table1]", "corpus.path=there"))
    assert config.study == "table1"
    assert isinstance(config.corpus, ApibenchConfig)
    assert config.corpus.hub == hub


@pytest.mark.parametrize("experiment", [name for name in EXPERIMENTS if name.startswith("paper/")])
def test_every_job_of_an_ablation_parses(experiment):
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        whole = hydra_compose("config", [f"+experiment={experiment}"], return_hydra_config=True)
    given = with_params([f"+experiment={experiment}"], whole.hydra.sweeper.params)
    (jobs,) = GridSweeper.split_arguments(OverridesParser.create().parse_overrides(given), None)
    configs = [parse(compose(*job)) for job in jobs]
    assert len({json.dumps(identity(config), sort_keys=True) for config in configs}) == len(jobs)
    assert all(config.study == Path(experiment).name for config in configs)
    assert all(pipeline.build(config, lambda files: {}) for config in configs)


@pytest.mark.parametrize("option", sorted(path.stem for path in (conf_dir() / "debug").glob("*.yaml")))
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_debug_option_parses_on_top_of_every_experiment(option, experiment):
    assert parse(compose(f"+experiment={experiment}", f"+debug={option}"))


def test_every_arm_parses():
    names = sorted(path.stem for path in (conf_dir() / "arm").glob("*.yaml"))
    config = parse(compose(f"evaluation.arms=[{','.join(names)}]", "model.lora_learning_rate=1e-3"))
    assert set(config.arms) >= {"base", "rag", "sft", "sft_rag", "raft", "raft_no_cot"}
    assert config.arms["raft_no_cot"].dataset == {"cot": False}


REFUSED = [
    ("dataset.p=1.5", r"dataset\.p: got 1\.5; must be less than or equal to 1"),
    ("dataset.p=-0.1", r"dataset\.p: got -0\.1; must be greater than or equal to 0"),
    ("dataset.p=half", r"dataset\.p: got 'half'; must be a valid number"),
    ("dataset.num_distractors=-1", r"dataset\.num_distractors: got -1; must be greater than or equal to 0"),
    ("dataset.num_distractors=2.5", r"dataset\.num_distractors: got 2\.5; must be a valid integer"),
    ("dataset.cot=1", r"dataset\.cot: got 1; must be true or false"),
    ("dataset.no_gold_target=nothing", r"no_gold_target: got 'nothing'; must be .answer., .answer_only. or .refuse."),
    ("trainer.max_steps=0", r"trainer\.max_steps: got 0; must be -1, or greater than or equal to 1"),
    ("trainer.accumulate=3", r"trainer\.accumulate=3 does not divide trainer\.batch_size=16"),
    ("trainer.devices=3", r"trainer\.batch_size=16 must be a multiple of \d+ \(3 devices x trainer\.accumulate="),
    ("until=trian", r"until: got 'trian'; must be .model., .ingest."),
    ("corpus.name=foo", r"corpus\.name: got 'foo'; must be one of 'almanac', 'pubmedqa'"),
    ("corpus.path=x", r"corpus\.path='x': the almanac reads no files"),
    ("seed=18446744073709551616", r"seed: got 18446744073709551616; must be less than 4294967296"),
    ("trainer.learning_rate=inf", r"trainer\.learning_rate: got inf; must be a finite number"),
    ("model.max_new_tokens=5000", r"model\.max_new_tokens: got 5000; must be less than model\.max_length=2048"),
    ("+evaluation.conditions={k0:{num_distractor:0}}", r"conditions\.k0: got 'num_distractor'; did you mean"),
    ("+evaluation.conditions={k0:{num_distractors:-1}}", r"conditions\.k0: .*num_distractors: got -1; must be"),
    ("evaluation.gold_at=-1", r"evaluation\.gold_at: got -1; must be greater than or equal to 0"),
    ("evaluation.without_gold=true evaluation.context=retrieved", r"without_gold: got true, but .*context=retrieved"),
    ("evaluation.without_gold=true evaluation.gold_at=1", r"gold_at: got 1, but evaluation\.without_gold=true"),
    ("evaluation.gold_at=0 evaluation.context=retrieved", r"evaluation\.gold_at: got 0, but .*context=retrieved the"),
    ("+evaluation.conditions={p2:{context:given,num_distractors:2}}", r"p2: got 'num_distractors', which has no eff"),
    ("prompt.refusal=''", r"prompt\.refusal: got ''; write a sentence that declines to answer"),
    ("evaluation.gold_at=0 +evaluation.conditions={r:{context:retrieved}}", r"conditions\.r: .*gold_at: got 0, but"),
    ("evaluation.metrics=[rogue_l]", r"evaluation\.metrics: got 'rogue_l'; did you mean 'rouge_l'\? \(known: acc"),
    ("evaluation.metrics=f1", r"evaluation\.metrics: got 'f1'; must be a valid"),
    ("+evaluation.conditions={m:{metrics:[f1]}}", r"conditions\.m: got 'metrics'; .*known: allow_cut, allow_few"),
    ("seed=null", r"seed: got None; must be a valid integer"),
    ("evaluation.arms=[rag,rft]", r"evaluation\.arms: got 'rft'; did you mean 'raft'\?"),
    ("evaluation.arms=[]", r"evaluation\.arms: got \[\]; name at least one arm"),
    ("evaluation.arms=raft", r"evaluation\.arms: got 'raft'; must be a valid list|must be a valid array"),
    ("+dataset.pp=1", r"dataset\.pp: no such setting; did you mean 'p'\?"),
    ("+trainer.learning_rat=1", r"trainer\.learning_rat: no such setting; did you mean 'learning_rate'\?"),
    ("+foo=1", r"foo: no such setting; known: arms, corpus"),
    ("+corpus.passage=section", r"corpus\.passage: the chosen corpus has no such setting"),
    (
        "corpus=passages +corpus.pth=1",
        r"did you mean 'path'\? \(known: closest, columns, max_items, name, path",
    ),
    ("~dataset.p", r"dataset\.p: has no value; set dataset\.p="),
    (
        "engine=openai",
        r"arms\.sft: an arm with recipe='closed_book' and adapter=None needs weights on this machine, but engine",
    ),
    (
        "evaluation.arms=[mine] +arms.mine={recipe:raft,context:none,cot:false,adapter:x,dataset:{}}",
        r"^arms\.mine\.recipe: got 'raft' together with adapter='x'; set recipe=none, or remove the adapter",
    ),
    (
        "evaluation.arms=[mine] +arms.mine={recipe:none,context:none,cot:false,adapter:x,dataset:{}} engine=openai",
        r"arms\.mine: an arm with recipe='none' and adapter='x' needs weights on this machine, but engine=openai",
    ),
    (
        "engine=openai evaluation.arms=[rag] engine.api_key_env=sk-123",
        r"api_key_env: must be the NAME of an environment",
    ),
    ("engine=openai evaluation.arms=[rag] engine.base_url=host/v1", r"^engine\.base_url: got 'host/v1'; must be http"),
    ("teacher=openai teacher.max_cost=5.0", r"teacher\.max_cost: got 5, but teacher\.prices is null"),
    ("teacher=openai teacher.targets=null", r"teacher\.targets: got None; name a task: task@teacher\.targets=cot_ans"),
    ("teacher=openai teacher.targets.prompt='{{x'", r"task cot_answer: prompt is not a valid Jinja template "),
    ("teacher=openai teacher.targets.gate.retries=-1", r"teacher\.targets\.gate\.retries: got -1; must be"),
    ("teacher=openai teacher.api_key_env=sk-123", r"^teacher\.api_key_env: must be the NAME of an environment"),
    ("engine=vllm engine.adapters=both", r"engine\.adapters: got 'both'; must be .lora. or .merged."),
    ("model.quantize=int8", r"^model\.quantize: got 'int8'; must be .nf4."),
    ("model.quantize=nf4 lora=full", r"^model\.quantize=nf4: quantised weights cannot be trained; use an adapter"),
    ("model.quantize=nf4 trainer=fsdp", r"^model\.quantize=nf4: trainer\.strategy=fsdp cannot shard quantised weights"),
    ("lora=full lora.dora=true", r"^lora\.dora: got True, but lora\.r=0"),
    ("lora.dora=true engine=vllm", r"^lora\.dora: got True, but engine=vllm cannot load DoRA adapters; use engine"),
    ("trainer.learning_rate=auto", r"^trainer\.learning_rate: got 'auto', but model\.lora_learning_rate is null"),
    ("+trainer.launcher=srun", r"^trainer\.launcher: was renamed to trainer\.rank_launcher"),
    ("+arms.mine={recipe:none}", r"arms\.mine\.context: has no value; set arms\.mine\.context="),
]


def test_conditions_of_an_experiment_can_be_left_out():
    assert parse(compose("+experiment=quickstart")).evaluation.conditions
    assert parse(compose("+experiment=quickstart", "evaluation.conditions=null")).evaluation.conditions == {}


@pytest.mark.parametrize(("override", "message"), REFUSED)
def test_what_cannot_be_is_refused(override, message):
    with pytest.raises(ConfigError, match=message) as error:
        parse(compose(*override.split()))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dataset.pp=1", r"dataset\.pp: no such setting; did you mean 'p'\?"),
        ("datset.p=1", r"datset\.p: no such setting; datset is unknown; did you mean 'dataset'\?"),
        (
            "corpus.pth=1",
            r"^corpus\.pth: no such setting; did you mean 'path'\? \(known: max_items, name, num_entities, path, test, "
            r"validation, world_seed\)$",
        ),
        ("corpus=pubmedq", r"corpus: got 'pubmedq'; did you mean 'pubmedqa'\?"),
        ("+experiment=pubmed", r"experiment: got 'pubmed'; did you mean 'pubmedqa'\?"),
        ("trainer=slurm", r"^trainer: 'slurm' was renamed to 'srun'; use trainer=srun$"),
        (
            "trainer.launcher=srun",
            r"^trainer\.launcher: was renamed to trainer\.rank_launcher; set trainer\.rank_launcher=",
        ),
        (
            "arms.sft.trainer.learning_rate=1",
            r"^arms\.sft\.trainer\.learning_rate: a new name in arms needs a plus sign: \+arms\.sft\.trainer\.lear",
        ),
        ("selection.changes.k=1", r"a new name in selection\.changes needs a plus sign: \+selection\.changes\.k="),
        ("evaluation.conditions.a.k=1", r"a new name in evaluation\.conditions needs a plus sign: \+evaluation"),
        (
            "experiment=pubmedqa",
            r"experiment: is not set by default, .*; add it: \+experiment=pubmedqa",
        ),
    ],
)
def test_what_hydra_refuses_is_one_line_of_ours(override, message):
    with pytest.raises(HydraException) as error:
        compose(override)
    told = str(explained(error.value))
    assert re.search(message, told), told
    assert "\n" not in told


def test_an_arm_written_out_goes_before_its_file():
    mine = "+arms.rag={recipe:none,context:none,cot:false,adapter:null,dataset:{}}"
    assert parse(compose(mine)).arms["rag"].context == "none"


ARM = "recipe:raft,context:passages,adapter:null"


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ("raft={%s,cot:true,dataset:{p:0.1}}", r"arms\.raft\.dataset: got .*give the arm another name"),
        ("closed_book={%s,cot:false,dataset:{cot:false}}", r"arms\.closed_book\.dataset: .*give the arm another name"),
        (
            "mine={%s,cot:true,dataset:{cot:false}}",
            r"arms\.mine\.cot: got True, but the arm is trained with dataset\.cot=False",
        ),
        (
            "mine={%s,cot:true,dataset:{prompt_mode:plain_text}}",
            r"arms\.mine\.dataset\.prompt_mode: got 'plain_text', but",
        ),
    ],
)
def test_an_arm_cannot_take_another_ones_adapter_or_form(arm, message):
    with pytest.raises(ConfigError, match=message):
        parse(compose("+arms." + arm % ARM))


def test_the_test_does_not_follow_the_training_set():
    before, after = stages_of(), stages_of("dataset.num_distractors=1", "dataset.distractors=bm25")
    for label in ("dataset[test]", "evaluate[base]", "evaluate[rag]", "evaluate[sft]"):
        assert before[label].key == after[label].key, label
    assert before["evaluate[raft]"].key != after["evaluate[raft]"].key


def test_a_hub_model_needs_a_revision():
    with pytest.raises(ModelError, match=r"model\.revision: has no value, but 'org/x' on the hub can change"):
        stages_of("model.name_or_path=org/x")
    assert stages_of("model.name_or_path=org/x", "model.revision=abc")


def test_what_limits_questions_leaves_the_passages():
    before = stages_of()
    for overrides in (["corpus.max_items=9"], ["seed=7", "corpus.world_seed=0"]):
        after = stages_of(*overrides)
        assert before["ingest"].key == after["ingest"].key
        assert before["questions"].key != after["questions"].key
    assert before["ingest"].key != stages_of("corpus.num_entities=9")["ingest"].key


def test_conditions_ask_arms_with_passages_again():
    stages = stages_of("+evaluation.conditions={k0:{num_distractors:0},found:{context:retrieved}}")
    asked = {label for label in stages if "@" in label and label.startswith("evaluate")}
    assert asked == {f"evaluate[{arm}@{at}]" for arm in ("rag", "sft_rag", "raft") for at in ("k0", "found")}


def test_where_the_gold_stands_costs_no_training():
    before, swept = stages_of(), stages_of("evaluation.gold_at=4")
    asked = stages_of("+evaluation.conditions={g0:{gold_at:0},g3:{gold_at:3}}")
    trained = [label for label in before if label.startswith("train")]
    assert trained == [label for label in asked if label.startswith("train")]
    assert all(before[label].key == swept[label].key == asked[label].key for label in trained)
    tests = {
        stages[label].key
        for stages, label in (
            (before, "dataset[test]"),
            (swept, "dataset[test]"),
            (asked, "dataset[test@g0]"),
            (asked, "dataset[test@g3]"),
        )
    }
    assert len(tests) == 4


def test_an_arms_dataset_is_checked():
    bad = "+arms.mine={recipe:raft,context:passages,cot:false,adapter:null,dataset:{p:7}}"
    with pytest.raises(ConfigError, match=r"arms\.mine\.dataset\.p: got 7; must be less than or equal to 1"):
        parse(compose(bad))


def test_a_learning_rate_that_follows_from_the_model_is_keyed_by_its_value():
    chosen = ("model=llama3_1_8b", "trainer=gpu")
    auto, number = stages_of(*chosen, "trainer.learning_rate=auto"), stages_of(*chosen, "trainer.learning_rate=2.86e-4")
    assert {label: stage.key for label, stage in auto.items()} == {label: stage.key for label, stage in number.items()}
    full = resolved_trainer(parse(compose(*chosen, "lora=full", "trainer.learning_rate=auto")))
    assert full.learning_rate == pytest.approx(2.86e-5)
    other = stages_of(*chosen, "model.lora_learning_rate=1")
    assert other["train[raft]"].key == stages_of(*chosen)["train[raft]"].key, "only an automatic rate depends on it"


def test_quantized_weights_change_the_keys_of_the_stages_that_load_the_model():
    before = stages_of()
    for override, names in {
        "model.quantize=nf4": {"train", "evaluate", "report"},
        "lora.dora=true": {"train", "evaluate", "report"},
        "model.quantize=null": set(),
        "lora.dora=false": set(),
    }.items():
        after = stages_of(override)
        assert {stage.name for label, stage in after.items() if stage.key != before[label].key} == names, override


@pytest.mark.parametrize("option", sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml")))
def test_a_model_of_the_hub_has_the_commit_of_its_weights(option):
    if option == "default":
        return
    model = parse(compose(f"model={option}")).model
    assert model.name_or_path.startswith(("asset:", "package:")) or re.fullmatch(r"[0-9a-f]{40}", model.revision or "")


def test_settings_change_the_keys_of_the_stages_that_see_them():
    before = stages_of()
    changed = {
        "lora.r=4": {"train", "evaluate", "report"},
        "trainer.learning_rate=1": {"train", "evaluate", "report"},
        "dataset.p=0.5": {"dataset", "train", "evaluate", "report"},
        "teacher=reference": {"targets", "dataset", "train", "evaluate", "report"},
        "evaluation.max_items=9": {"dataset", "evaluate", "report"},
        "evaluation.metrics=[best_subspan_em]": {"report"},
        "encoder.batch_size=9": set(),  # nothing asks it
        "dataset.workers=3": set(),
        "logger=wandb": set(),
        "engine.batch_tokens=99": set(),
        "trainer.checkpoint_every=7": set(),
        "store=elsewhere": set(),
    }
    for override, rooms in changed.items():
        after = stages_of(override)
        moved = {stage.name for label, stage in after.items() if stage.key != before[label].key}
        assert moved == rooms, override


def test_another_version_of_the_metrics_reports_anew_and_asks_nothing_again(monkeypatch):
    before = stages_of()
    monkeypatch.setattr(report, "stage_spec", dataclasses.replace(before["report"].spec, version=99))
    after = stages_of()
    assert {stage.name for label, stage in after.items() if stage.key != before[label].key} == {"report"}


def test_only_a_metric_that_asks_the_encoder_depends_on_it():
    asking = "evaluation.metrics=[semantic_similarity]"
    assert stages_of(asking)["report"].key != stages_of(asking, "encoder.max_length=9")["report"].key
    assert stages_of(asking)["report"].process is None
    assert stages_of(asking, "encoder.accelerator=gpu")["report"].process, "what holds a GPU has a process of its own"
    assert stages_of("encoder.accelerator=gpu")["report"].process is None


def test_closed_book_and_base_do_not_depend_on_the_raft_dataset():
    before, after = stages_of(), stages_of("dataset.p=0.5", "lora.r=4")
    assert before["dataset[closed_book]"].key == after["dataset[closed_book]"].key
    assert before["evaluate[base]"].key == after["evaluate[base]"].key
    assert before["evaluate[rag]"].key == after["evaluate[rag]"].key
    assert before["dataset[raft]"].key != after["dataset[raft]"].key


def test_sft_and_sft_rag_share_an_adapter_and_unused_recipes_are_not_built():
    assert [label for label in stages_of() if label.startswith("train")] == ["train[closed_book]", "train[raft]"]
    assert not [label for label in stages_of("evaluation.arms=[base,rag]") if label.startswith(("train", "targets"))]
    assert "train[raft_no_cot]" in stages_of("evaluation.arms=[raft,raft_no_cot]")


def test_until_ends_after_its_room():
    names = {stage.name for stage in stages_of("until=dataset").values()}
    assert names == {"ingest", "questions", "targets", "dataset"}


def test_identity_leaves_runtime_fields_out_at_any_depth():
    config = parse(compose("store=somewhere", "dataset.workers=7"))
    assert "workers" not in identity(config)["dataset"]
    assert "store" not in identity(config)
    assert identity(config)["dataset"]["p"] == 0.8


def processes(*overrides):
    return {label: stage.process for label, stage in stages_of(*overrides).items() if stage.process}


def test_what_one_engine_answers_shares_a_process():
    assert processes() == {}
    on_gpu = processes("trainer.accelerator=gpu")
    assert {label: name for label, name in on_gpu.items() if label.startswith("train")} == {
        "train[closed_book]": "train[closed_book]",
        "train[raft]": "train[raft]",
    }
    assert {name for label, name in on_gpu.items() if label.startswith("evaluate")} == {"evaluate"}
    with_vllm = processes("engine=vllm")
    assert len(with_vllm) == 5
    assert len(set(with_vllm.values())) == 1
    merged = processes("engine=vllm", "engine.adapters=merged", "+evaluation.conditions={k0:{num_distractors:0}}")
    base, rag, *_ = names = list(merged.values())
    assert base == rag
    assert len(set(names)) == 3
    changes = sum(one != other for one, other in pairwise(names))
    assert changes == 2, "a merged model is loaded once"


def test_an_arm_with_an_engine_of_its_own():
    built = stages_of("evaluation.arms=[rag,raft,gpt_rag]")
    served = built["evaluate[gpt_rag]"]
    assert served.config.engine.name == "openai"
    assert served.config.model is None
    assert built["evaluate[raft]"].config.engine.name == "transformers"
    asked, plain = served.description["inputs"], built["evaluate[rag]"].description["inputs"]
    assert asked["test"] == plain["test"]
    other = stages_of("evaluation.arms=[rag,gpt_rag]", "model.dtype=bfloat16")
    assert other["evaluate[rag]"].key != built["evaluate[rag]"].key
    assert other["evaluate[gpt_rag]"].key == served.key


def test_the_settings_of_an_older_run_are_read_under_todays_names():
    values = compose("trainer.rank_launcher=srun")
    values["trainer"]["launcher"] = values["trainer"].pop("rank_launcher")
    assert parse(with_new_names(values)).trainer.rank_launcher == "srun"


def test_lora_none_is_the_old_name_of_lora_full():
    assert parse(compose("lora=none")).lora == parse(compose("lora=full")).lora
    assert parse(compose("lora=full")).lora.r == 0
