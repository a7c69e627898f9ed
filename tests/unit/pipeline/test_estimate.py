"""What a plan expects: from like results of the store, and honest where there are none."""

import json
from pathlib import Path

import pytest

from raft_exp.pipeline.estimate import ExpectedSeconds, describe_expected, duration
from raft_exp.pipeline.sizes import Size
from tests.helpers.stages import stages_of


def stages(*overrides):
    return stages_of("trainer.max_steps=10", "trainer.batch_size=4", *overrides)


def keep(store: Path, stage, seconds: float, **counts: int) -> None:
    folder = store / stage.name / stage.key
    folder.mkdir(parents=True)
    manifest = {**stage.description, "key": stage.key, "label": stage.label, "seconds": seconds, "counts": counts}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_by_examples_questions_and_rows_of_what_was_measured(tmp_path):
    done = stages()
    keep(tmp_path, done["train[raft]"], 20.0, examples=40)
    keep(tmp_path, done["dataset[test]"], 3.0, rows=50)
    keep(tmp_path, done["evaluate[raft]"], 10.0, answers=50)
    keep(tmp_path, done["questions"], 7.0)
    planned = stages("dataset.p=0.1", "trainer.max_steps=30", "lora.r=2", "evaluation.max_items=20", "seed=1")
    expected = ExpectedSeconds(tmp_path)
    assert expected(planned["train[raft]"]) == pytest.approx(60.0)
    assert expected(planned["train[closed_book]"]) == pytest.approx(60.0), "of the same model on the same device"
    assert expected(planned["evaluate[raft]"]) == pytest.approx(4.0)
    assert expected(planned["dataset[test]"]) == pytest.approx(1.2)
    assert expected(planned["questions"]) == 7.0
    assert expected(planned["targets"]) is None
    assert expected(planned["evaluate[base]"]) is None, "a prompt without passages is another length"


def test_epochs_over_rows_that_are_there_or_limited(tmp_path):
    one, more = stages("trainer.max_steps=-1"), stages("trainer.max_steps=-1", "trainer.max_epochs=3", "lora.r=2")
    keep(tmp_path, one["dataset[raft]"], 1.0, rows=100)
    keep(tmp_path, one["train[raft]"], 50.0, examples=100)
    assert ExpectedSeconds(tmp_path)(more["train[raft]"]) == pytest.approx(150.0)
    fewer = stages("trainer.max_steps=-1", "dataset.max_items=10")
    assert ExpectedSeconds(tmp_path)(fewer["train[raft]"]) == pytest.approx(5.0)


@pytest.mark.parametrize("other", ["model=pocket", "trainer.precision=bf16-mixed", "trainer=ddp"])
def test_another_model_or_device_says_nothing(tmp_path, other):
    keep(tmp_path, stages()["train[raft]"], 20.0, examples=40)
    assert ExpectedSeconds(tmp_path)(stages(other)["train[raft]"]) is None


def test_a_short_run_is_no_measure_of_a_full_one(tmp_path):
    """Neither its seconds, which are those of loading, nor the size of its data sets."""
    short = stages_of("+experiment=quickstart", "+debug=short", "trainer.threads=2")
    assert short["train[raft]"].config.trainer.max_steps == 4
    for label, stage in short.items():
        keep(tmp_path, stage, 7.0, examples=16, answers=8, rows=8 if "[test" in label else 40)
    planned = stages_of("+experiment=quickstart")
    expected = ExpectedSeconds(tmp_path)
    assert expected.items(planned["train[raft]"]) == 2400, "not the 40 rows of the short one"
    costly = [label for label in planned if label.startswith(("train", "evaluate", "dataset", "report"))]
    assert {label: expected(planned[label]) for label in costly} == dict.fromkeys(costly)
    keep(tmp_path, planned["train[raft]"], 189.0, examples=2400)
    again = stages_of("+experiment=quickstart", "trainer.learning_rate=1e-3")
    assert ExpectedSeconds(tmp_path)(again["train[raft]"]) == pytest.approx(189.0)
    assert ExpectedSeconds(tmp_path)(short["train[raft]"]) == pytest.approx(189.0 * 16 / 2400)


def test_random_weights_measure_nothing_for_another_model(tmp_path):
    tiny = stages_of("+experiment=quickstart", "model=tiny")
    for stage in tiny.values():
        keep(tmp_path, stage, 1.0, examples=2400, answers=300, rows=2400)
    expected = ExpectedSeconds(tmp_path)
    planned = stages_of("+experiment=quickstart")
    costly = [label for label in planned if label.startswith(("train", "evaluate", "dataset"))]
    assert {label: expected(planned[label]) for label in costly} == dict.fromkeys(costly)


def test_another_corpus_measures_nothing_of_its_own_stages(tmp_path):
    small = stages("corpus.num_entities=60", "dataset.distractors=bm25")
    for name in ("ingest", "questions", "index", "targets"):
        keep(tmp_path, small[name], 1.0, train=100, validation=10, test=20)
    planned, expected = stages("dataset.distractors=bm25"), ExpectedSeconds(tmp_path)
    assert [expected(planned[name]) for name in ("ingest", "questions", "index", "targets")] == [None] * 4
    teacher = stages("corpus.num_entities=60", "dataset.distractors=bm25", "teacher=reference")
    assert [expected(teacher[name]) for name in ("ingest", "index", "targets")] == [1.0, 1.0, None]


def test_sizes_are_those_of_the_questions_within_the_limits(tmp_path):
    done = stages("trainer.max_steps=-1")
    keep(tmp_path, done["questions"], 1.0, train=1000, validation=100, test=200)
    sizes = ExpectedSeconds(tmp_path).sizes
    limited = stages("trainer.max_steps=-1", "dataset.max_items=300", "evaluation.max_items=500", "seed=4")
    assert sizes.rows(limited["dataset[raft]"]) == Size(400, True)
    assert sizes.examples(limited["dataset[raft]"]) == Size(300, True)
    assert sizes.rows(limited["dataset[test]"]) == Size(200, True), "no more than there are"
    assert ExpectedSeconds(tmp_path).items(limited["train[raft]"]) == 300
    other = stages("corpus.num_entities=60", "evaluation.max_items=500")
    assert sizes.rows(other["dataset[test]"]) == Size(500, False), "the setting's limit, where nothing is counted"
    assert sizes.rows(other["dataset[raft]"]) is None
    few = stages("corpus.num_entities=60", "corpus.max_items=70", "dataset.max_items=90", "trainer.max_steps=-1")
    assert sizes.examples(few["dataset[raft]"]) == Size(70, False), "the corpus limits training questions too"


def test_in_words():
    assert (
        describe_expected([("a", 100.0), ("b", None), ("b", None)])
        == "expected: about 100 s for 1 of 3 stages; unknown: b"
    )
    assert describe_expected([("a", None)]) == "expected: unknown; the store holds no result comparable to a"
    many = [(f"s{number}", None) for number in range(35)]
    assert (
        describe_expected(many, "make it")
        == "expected: unknown; the store holds no result comparable to 35 stages (s0, s1, s2, ...); make it"
    )
    assert describe_expected([("a", 1.0), *many], "make it").endswith("; unknown: 35 stages (s0, s1, s2, ...); make it")
    assert describe_expected([("a", 1.0)], "make it") == "expected: about 1 s for 1 of 1 stages"
    assert [duration(seconds) for seconds in (48.4, 700, 12_600)] == ["48 s", "12 min", "3.5 h"]
