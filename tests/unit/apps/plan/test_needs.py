"""Memory, time, disk, requests and cost of a planned study, by hand."""

import json

import pytest

from raft_exp.apps.plan import disk, hours, teacher
from raft_exp.apps.plan.devices import device
from raft_exp.apps.plan.figures import LeftOut
from raft_exp.apps.plan.footprint import Activations, Footprint
from raft_exp.apps.plan.memory import answering_memory, training_memory
from raft_exp.apps.plan.model import warnings
from raft_exp.apps.plan.study import PlannedStudy
from raft_exp.apps.plan.tokens import RowTokens, training_tokens
from raft_exp.core.records import write_jsonl
from raft_exp.pipeline.build import build
from raft_exp.pipeline.estimate import ExpectedSeconds
from raft_exp.pipeline.fingerprints import Fingerprints
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.store import Store
from raft_exp.pipeline.trainings import trainings
from raft_exp.teachers.model import is_model
from tests.helpers.composing import compose
from tests.helpers.scripted_teacher import corpus
from tests.helpers.stages import run

GIB, MILLION = 2**30, 10**6
# A model of a billion weights in 16 bits, with an adapter of ten million in 32.
MODEL = Footprint(
    parameters=1000 * MILLION,
    linear=900 * MILLION,
    layers=10,
    frozen_bytes=2000 * MILLION,
    trained=10 * MILLION,
    trained_bytes=40 * MILLION,
    saved_bytes=2000 * MILLION,
    cache_bytes=1000,
    activations=Activations(2 * MILLION, 1 * MILLION, 0.1 * MILLION, 0.2 * MILLION),
)
ROWS = RowTokens(mean=400, longest=1000, supervised=50, at_most=False, source="rows of 400 tokens")


@pytest.fixture
def study(tmp_path):
    def make(*overrides, experiment="quickstart"):
        config = parse(compose(f"+experiment={experiment}", *overrides, f"store={tmp_path / 'store'}"))
        stages = build(config, lambda files: {file.name: "" for file in files})
        store = Store(config.store)
        return PlannedStudy(config, stages, store, None, ExpectedSeconds(store.root))

    return make


@pytest.mark.parametrize(("model", "warned"), [("tiny", True), ("pocket", False)])
def test_a_model_with_random_weights_is_named(study, model, warned):
    lines = warnings(study(f"model={model}"))
    assert [line.startswith("the model asset:tiny has random weights: ") for line in lines] == [True] * warned


def keep(study, label, seconds=1.0, audit=None, **counts):
    """Puts a result of a stage into the store."""
    stage = study.labelled(label)
    folder = study.store.path(stage)
    folder.mkdir(parents=True)
    manifest = {**stage.description, "key": stage.key, "label": stage.label, "seconds": seconds, "counts": counts}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    if audit:
        (folder / "audit.json").write_text(json.dumps({"splits": audit}))


def spread(rows, tokens, longest):
    return {"sum": rows * tokens, "max": longest, "min": 1, "median": tokens, "histogram": {}}


def training(study, *overrides):
    return next(training for training in trainings(study(*overrides).config) if training.dataset == "raft")


def amount(figure) -> float:
    assert figure["value"] is not None
    return float(figure["value"])


def amounts(figures):
    return {figure["what"].partition(": ")[2] or figure["what"]: figure["value"] for figure in figures}


def test_memory_of_a_training_by_what_holds_it(study):
    """Sixteen rows in two micro-batches of 8 rows of 400 tokens, 50 of them learned."""
    made = training(study, "trainer.batch_size=16", "trainer.accumulate=2")
    figures = training_memory(made, MODEL, ROWS, device("l4"), 1)
    found = amounts(figures)
    assert found["base weights"] * GIB == pytest.approx(2000 * MILLION)
    assert found["trained weights and optimizer"] * GIB == pytest.approx(160 * MILLION)
    assert found["activations"] * GIB == pytest.approx(3200 * 2 * MILLION + 400 * MILLION)
    assert found["a device"] * GIB == pytest.approx(8960 * MILLION)
    assert figures[-1]["source"] == "fits in the 22 GiB of one l4"
    whole = training(study, "trainer.batch_size=16", "trainer.accumulate=1")
    too_much = training_memory(whole, MODEL, ROWS, device("t4"), 1)[-1]
    assert too_much["source"] == "is too much for the 15 GiB of one t4"
    assert all(figure["basis"] == "estimated" for figure in figures)


def test_weights_in_parts_and_micro_batches_of_devices(study):
    made = training(study, "trainer=fsdp", "trainer.devices=4", "trainer.batch_size=16", "trainer.accumulate=1")
    found = amounts(training_memory(made, MODEL, ROWS, device("h100"), 4))
    assert found["base weights"] * GIB == pytest.approx(500 * MILLION)
    assert found["activations"] * GIB == pytest.approx(1600 * 2 * MILLION + 200 * MILLION), "four rows of sixteen"


def test_activations_are_computed_again_where_they_do_not_fit(study):
    arguments = ("trainer.batch_size=64", "trainer.accumulate=1", "trainer.activation_checkpointing=auto")
    (again,) = (
        figure
        for figure in training_memory(training(study, *arguments), MODEL, ROWS, device("l4"), 1)
        if figure["what"].endswith("activations")
    )
    tokens = 64 * 400
    assert amount(again) * GIB == pytest.approx(tokens * 0.3 * MILLION + 64 * 50 * MILLION)
    assert "recomputed (because they do not fit; 50.7 GiB stored)" in again["source"]


def test_memory_of_answers(study):
    (figure,) = answering_memory(study("engine.batch_tokens=10000"), MODEL, device("h100"))
    assert amount(figure) * GIB == pytest.approx(2000 * MILLION + 10_000 * 1000)
    (shared,) = answering_memory(study("engine=vllm"), MODEL, device("h100"))
    assert amount(shared) * GIB == pytest.approx(0.9 * 80e9)
    assert answering_memory(study("engine=openai", "evaluation.arms=[rag]"), MODEL, device("h100")) == []


def test_tokens_are_counted_or_at_most(study):
    planned = study()
    limit = training_tokens(planned, planned.labelled("dataset[raft]"))
    assert (limit.mean, limit.at_most) == (1024, True)
    audit = {"rows": 10, "prompt_tokens": spread(10, 300, 500), "completion_tokens": spread(10, 40, 60)}
    keep(planned, "dataset[raft]", audit={"train": audit}, rows=10)
    counted = training_tokens(study(), study().labelled("dataset[raft]"))
    assert (counted.mean, counted.longest, counted.supervised, counted.at_most) == (340, 560, 40, False)


def test_hours_by_operations_with_the_assumption_named(study):
    """2,400 rows of at most 1,024 tokens, one validation pass over 200; 4·N + 6·adapter operations a token."""
    left = LeftOut()
    figures = {figure["what"]: figure for figure in hours.hours(study(), MODEL, device("h100"), left)}
    train = figures["train[raft]"]
    operations = 1024 * (2400 * (4 * 900 + 6 * 10) + 200 * 2 * 900) * MILLION
    assert train["value"] == pytest.approx(operations / (0.25 * 989e12))
    assert train["basis"] == "estimated"
    assert "4·N operations a token (N = 900 million), 25% of the 989 TFLOP/s of one h100" in train["source"]
    assert "at_most" in train
    answers = figures["evaluate[rag]"]  # 300 prompts of 960 tokens, 16 at once, replies of 64
    writing = 19 * 64 * (2000e6 / 3.35e12 + 10 * 1e-3)
    assert answers["value"] == pytest.approx(300 * 1024 * 2 * 900e6 / (0.25 * 989e12) + writing)
    assert figures["13 of 23 stages to run"]["value"] == pytest.approx(
        sum(amount(figure) for name, figure in figures.items() if "stages" not in name)
    )
    assert left.lines == [
        "time: unknown for 10 stages (ingest, questions, index, ...); the store has no comparable result"
    ]


def test_before_the_questions_are_made_a_plan_names_the_next_step_and_then_estimates(study, tmp_path):
    settings = (*corpus(tmp_path)[1:], "model=tiny", "trainer=cpu", "evaluation.arms=[rag,raft]")
    planned, left = study(*settings, experiment="passages"), LeftOut()
    assert hours.hours(planned, MODEL, device("cpu", None, 2), left) == []
    assert left.lines[0] == (
        "time of train[raft], evaluate[rag], evaluate[raft]: unknown before the questions are made; run the same "
        "settings with until=questions first, which costs little, and plan again"
    )
    assert planned.expected.advice(planned.stages) == (
        "run the same settings with until=questions first, which costs little; then python -m raft_exp.plan estimates "
        "training and evaluation"
    )
    keep(planned, "questions", train=100, validation=0, test=20)
    planned, left = study(*settings, experiment="passages"), LeftOut()
    named = {figure["what"]: figure for figure in hours.hours(planned, MODEL, device("cpu", None, 2), left)}
    assert {"train[raft]", "evaluate[rag]", "evaluate[raft]"} <= set(named)
    assert named["train[raft]"]["basis"] == "estimated"
    assert not [line for line in left.lines if "until=questions" in line]
    assert planned.expected.advice(planned.stages).startswith("python -m raft_exp.plan estimates")


def test_a_plan_says_that_the_teacher_is_asked_for_questions(study, tmp_path):
    files = corpus(tmp_path, questions=False)[1:]
    written = study(*files, "teacher=openai", "evaluation.max_items=null", experiment="passages")
    assert "until=questions first, which sends the teacher's requests" in written.expected.advice(written.stages)


def test_measured_rates_come_first_and_are_named(study):
    keep(study(), "train[raft]", 100.0, examples=2400)
    planned = study("trainer.learning_rate=1e-3")
    figures = {figure["what"]: figure for figure in hours.hours(planned, MODEL, device("h100"), LeftOut())}
    train = figures["train[raft]"]
    assert (train["value"], train["basis"]) == (100.0, "measured")
    key = study().labelled("train[raft]").key
    assert train["source"] == f"train[raft] {key[:12]} of the store, in proportion to its 2,400 items"
    again = hours.hours(study(), None, device("h100"), LeftOut())
    assert again[0]["what"] == "1 of 23 stages"
    assert again[0]["source"] == "reused from the store, not run again; they took this time"


def test_disk_of_adapters_checkpoints_and_data_sets(study):
    found = amounts(disk.disk(study(), MODEL))
    assert found["adapters"] == pytest.approx(2 * 0.04)
    assert found["a checkpoint"] == pytest.approx(3 * 0.04)
    assert found["data sets"] == pytest.approx((2 * 2400 * 1024 + 3 * 300 * 960) * 9 / 1e9)
    assert "base weights" not in found, "the embedded model is there"
    found = amounts(disk.disk(study("model=qwen3_4b"), MODEL))
    assert found["base weights"] == pytest.approx(2.0)
    whole = amounts(disk.disk(study("lora=full", "lora.r=0"), MODEL))
    assert whole["whole models"] == pytest.approx(2 * 2.0)


def test_a_teacher_without_a_model_is_asked_nothing(study):
    (figure,) = teacher.requests(study(), LeftOut())
    assert (figure["value"], figure["source"]) == (0, "teacher=extractive uses no model")


def test_requests_tokens_and_cost_of_a_teacher(tmp_path):
    """Of questions in the store, from their own prompts: tokens of four bytes."""
    overrides = ("corpus.num_entities=60", "teacher=openai")
    run(tmp_path / "store", "+experiment=quickstart", *overrides, until="questions")
    priced = (
        *overrides,
        "teacher.prices={prompt: 2, reply: 8}",
        "evaluation.reference=target",
        "evaluation.max_items=6",
    )
    config = parse(compose("+experiment=quickstart", *priced, f"store={tmp_path / 'store'}"))
    store = Store(config.store)
    stages = build(config, lambda files: {file.name: "" for file in files})
    planned = PlannedStudy(config, stages, store, None, ExpectedSeconds(store.root))
    left = LeftOut()
    figures = {figure["what"]: figure for figure in teacher.requests(planned, left)}
    (made,) = planned.named("questions")
    counts = json.loads((store.path(made) / "counts.json").read_text())
    number = counts["train"] + counts["validation"]
    assert figures["requests for targets"]["value"] == number
    assert figures["requests for targets"]["basis"] == "counted"
    read = amount(figures["prompt tokens for targets"])
    assert 100 * number < read < 1000 * number
    assert is_model(config.teacher)
    assert config.teacher.targets
    new = number * config.teacher.targets.max_new_tokens
    assert figures["reply tokens for targets"]["value"] == new
    assert figures["cost of targets"]["value"] == pytest.approx((2 * read + 8 * new) / 1e6)
    assert figures["requests for targets of test questions"]["value"] == 6, "the texts that replies are compared with"
    assert figures["cost of targets of test questions"]["value"] == pytest.approx(
        (2 * amount(figures["prompt tokens for targets of test questions"]) + 8 * new / number * 6) / 1e6
    )
    assert left.lines == []


def test_requests_without_a_number_or_a_price_are_a_line(study):
    left = LeftOut()
    assert teacher.requests(study("teacher=openai"), left) == []
    assert left.lines == [
        "cost: no price is set; give teacher.prices={prompt: ..., reply: ...} per million tokens",
        "requests for targets: one for each training and validation question; their number is unknown; run the "
        "study with until=questions first",
    ]


def test_questions_that_the_teacher_writes(tmp_path, study):
    """One request for each passage that is long enough, and a check for each question."""
    rows = [{"id": f"p{n}", "document_id": f"d{n}", "title": "", "text": "A word more. " * 40} for n in range(30)]
    write_jsonl(tmp_path / "passages.jsonl", [*rows, {"id": "short", "document_id": "d30", "title": "", "text": "No."}])
    overrides = ("corpus=passages", f"corpus.path={tmp_path / 'passages.jsonl'}", "teacher=openai")
    left = LeftOut()
    assert teacher.requests(study(*overrides), left) == []
    assert (
        "requests for questions: one per passage; their number is unknown; run the study with until=ingest first"
        in left.lines
    )
    run(tmp_path / "store", "+experiment=quickstart", *overrides, until="ingest")
    config = parse(compose("+experiment=quickstart", *overrides, f"store={tmp_path / 'store'}"))
    store = Store(config.store)
    planned = PlannedStudy(config, build(config, Fingerprints(store)), store, None, ExpectedSeconds(store.root))
    figures = {figure["what"]: figure for figure in teacher.requests(planned, LeftOut())}
    assert figures["requests for questions"]["value"] == 30
    assert is_model(config.teacher)
    assert config.teacher.questions
    assert figures["requests to check them"]["value"] == 30 * config.teacher.questions.n
    assert amount(figures["prompt tokens for questions"]) > 30 * 100


def test_requests_of_a_server_that_answers(study):
    figures = teacher.requests(study("engine=openai", "evaluation.arms=[base,rag]"), LeftOut())
    (server,) = (figure for figure in figures if figure["what"] == "requests of engine=openai")
    assert server["value"] == 4 * 300, "base, and rag under three conditions"
