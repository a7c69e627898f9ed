"""What a plan expects: from like results of the store, and honest where there are none."""

import json
from pathlib import Path

import pytest

from raft_exp.pipeline.estimate import ExpectedSeconds, describe_expected, duration
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


def test_in_words():
    assert (
        describe_expected([("a", 100.0), ("b", None), ("b", None)])
        == "expected: about 100 s for 1 of 3 stages; unknown: b"
    )
    assert describe_expected([("a", None)]) == "expected: unknown; the store holds no result comparable to a"
    assert [duration(seconds) for seconds in (48.4, 700, 12_600)] == ["48 s", "12 min", "3.5 h"]
