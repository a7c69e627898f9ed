import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raft_exp.core.errors import DataError, ModelError
from raft_exp.evaluation.stage import evaluate
from raft_exp.models import loading as models
from raft_exp.training import callback, checkpoint
from raft_exp.training.config import MatchedPlan
from raft_exp.training.stage import train
from tests.helpers import small_training as small
from tests.helpers.stages import study_stages

FILES = ("adapter/adapter_model.safetensors", "adapter/adapter_config.json", "metrics.csv", "counts.json")
DONE = ["adapter", "counts.json", "metrics.csv", "timings.csv"]
RUN: dict[str, Any] = {"max_steps": 11, "validate_every": 5, "checkpoint_every": 3}  # of 2 steps an epoch: 5.5 epochs


class Killed(BaseException):
    pass


def stopping_at(step):
    """Ends as a kill would: nothing is saved on the way out."""
    log = callback.TrainingCallback._log

    def stop(self, trainer, metrics, timed):
        if metrics["step"] == step:
            self.on_exception = lambda *_: None
            raise Killed
        log(self, trainer, metrics, timed)

    return stop


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, rows) -> dict[str, bytes]:
    return run(tmp_path_factory.mktemp("unbroken"), rows)


def run(out: Path, rows: Path, **trainer) -> dict[str, bytes]:
    return small.trained(out, rows, FILES, **RUN | trainer)


def contents(out: Path) -> dict[str, bytes]:
    return small.contents(out, FILES)


def metrics(out: Path) -> list[dict[str, str]]:
    with (out / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_writes_the_adapter_and_its_figures(tmp_path, rows):
    run(tmp_path, rows, max_steps=4, validate_every=2, checkpoint_every=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == DONE
    settings = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == "asset:tiny"
    assert settings["target_modules"] == sorted(settings["target_modules"])
    assert str(Path(models.__file__).parents[1]) not in (tmp_path / "adapter" / "adapter_config.json").read_text()
    counts = json.loads((tmp_path / "counts.json").read_text())
    # the end of each reply is counted: ##, Answer, :, space, 4 digits, end
    assert {name: counts[name] for name in ("steps", "examples", "supervised_tokens")} == {
        "steps": 4,
        "examples": 14,
        "supervised_tokens": 14 * 9,
    }
    assert [row["step"] for row in metrics(tmp_path)] == ["1", "2", "3", "4"]
    assert [bool(row["validation_loss"]) for row in metrics(tmp_path)] == [False, True, False, True]
    assert float(metrics(tmp_path)[-1]["loss"]) == counts["loss"]


@pytest.mark.slow
def test_the_same_settings_give_the_same_bytes(tmp_path, rows, unbroken):
    assert run(tmp_path, rows) == unbroken
    other = tmp_path / "other"
    other.mkdir()
    assert run(other, rows, workers=1, checkpoint_every=100) == unbroken  # runtime settings


@pytest.mark.slow
def test_activations_computed_again_are_the_same_activations(tmp_path, rows, unbroken):
    assert run(tmp_path, rows, activation_checkpointing=True) == unbroken
    other = tmp_path / "auto"
    assert run(other, rows, activation_checkpointing="auto") == unbroken


@pytest.mark.slow
def test_compiled_layers_learn_the_same(tmp_path, rows, unbroken):
    if shutil.which("g++") is None:
        pytest.skip("torch.compile needs a C++ compiler on a CPU")
    train(small.train_stage(dropout=0.0, max_steps=4, batch_size=2), dataset=rows, out=_made(tmp_path / "plain"))
    train(
        small.train_stage(dropout=0.0, max_steps=4, batch_size=2, compile=True), dataset=rows, out=_made(tmp_path / "c")
    )
    for ours, theirs in zip(metrics(tmp_path / "c"), metrics(tmp_path / "plain"), strict=True):
        assert float(ours["loss"]) == pytest.approx(float(theirs["loss"]), rel=1e-4)


def test_without_an_adapter_the_whole_model_is_trained_and_answers(tmp_path, rows):
    config = small.train_stage(**RUN, learning_rate=3e-4)
    config = replace(config, lora=replace(config.lora, r=0))
    for name in ("one", "two"):
        train(config, dataset=rows, out=_made(tmp_path / name))
    weights = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]
    counts = json.loads((tmp_path / "one" / "counts.json").read_text())
    assert counts["trainable_parameters"] == sum(weight.numel() for weight in models.load(config.model).parameters())
    base, learned = (
        models.load(config.model),
        models.load(replace(config.model, name_or_path=str(tmp_path / "one" / "model"))),
    )
    changed = [not weight.equal(before) for weight, before in zip(learned.parameters(), base.parameters(), strict=True)]
    assert all(changed)
    assert learned.config._attn_implementation == base.config._attn_implementation
    test = small.dataset(tmp_path / "test", train=0, validation=0, test=2)
    evaluate(small.evaluate_stage(), test=test, adapter=tmp_path / "one", out=_made(tmp_path / "answers"))
    assert len((tmp_path / "answers" / "answers.jsonl").read_text().splitlines()) == 2


def test_a_whole_model_goes_on_after_an_interruption(tmp_path, rows, monkeypatch):
    config = small.train_stage(**RUN)
    config = replace(config, lora=replace(config.lora, r=0))
    train(config, dataset=rows, out=_made(tmp_path / "whole"))
    with monkeypatch.context() as patch:
        patch.setattr(callback.TrainingCallback, "_log", stopping_at(7))
        with pytest.raises(Killed):
            train(config, dataset=rows, out=_made(tmp_path / "out"))
    train(config, dataset=rows, out=tmp_path / "out")
    for name in ("model/model.safetensors", "metrics.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_seed_changes_the_adapter(tmp_path, rows, unbroken):
    train(small.train_stage(seed=1, **RUN), dataset=rows, out=tmp_path)
    assert contents(tmp_path)[FILES[0]] != unbroken[FILES[0]]


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("step", [1, 3, 4, 8, 11])
def test_goes_on_after_an_interruption(tmp_path, rows, unbroken, monkeypatch, step, accumulate):
    expected = unbroken if accumulate == 1 else run(_made(tmp_path / "whole"), rows, accumulate=accumulate)
    with monkeypatch.context() as patch:
        patch.setattr(callback.TrainingCallback, "_log", stopping_at(step))
        with pytest.raises(Killed):
            run(_made(tmp_path / "out"), rows, accumulate=accumulate)
    assert checkpoint.step(tmp_path / "out") == step // 3 * 3
    assert run(tmp_path / "out", rows, accumulate=accumulate) == expected


def test_goes_on_after_an_interruption_while_a_checkpoint_is_written(tmp_path, rows, unbroken, monkeypatch):
    def stop(source, target):
        if checkpoint.step(tmp_path) == 3:
            raise Killed
        rename(source, target)

    rename = os.replace
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with pytest.raises(Killed):
            run(tmp_path, rows)
    assert checkpoint.step(tmp_path) == 3
    assert run(tmp_path, rows) == unbroken
    assert sorted(path.name for path in tmp_path.iterdir()) == DONE


@pytest.mark.slow
def test_goes_on_after_kill_minus_nine(tmp_path, rows, unbroken):
    command = [
        sys.executable,
        "-c",
        f"import tests.unit.training.test_stage as t; t.in_a_process({str(rows)!r}, {str(tmp_path)!r})",
    ]
    surroundings = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    first = subprocess.run(command, env={**surroundings, "KILL_AT": "7"}, check=False, capture_output=True)
    assert first.returncode == -signal.SIGKILL
    assert checkpoint.step(tmp_path) == 6
    second = subprocess.run(command, env=surroundings, check=True, capture_output=True, text=True)
    assert (second.stdout, second.stderr) == ("", "")
    assert contents(tmp_path) == unbroken


def in_a_process(rows: str, out: str) -> None:
    """The same training in a fresh process, which kills itself after step KILL_AT."""
    wait = callback.TrainingCallback._log

    def kill(self, trainer, metrics, timed):
        if metrics["step"] == int(os.environ.get("KILL_AT", "0")):
            os.kill(os.getpid(), signal.SIGKILL)
        wait(self, trainer, metrics, timed)

    callback.TrainingCallback._log = kill  # type: ignore[method-assign]
    run(Path(out), Path(rows))


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path, rows):
    one, two = _made(tmp_path / "one"), _made(tmp_path / "two")
    train(small.train_stage(dropout=0.0, **RUN), dataset=rows, out=one)
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom raft_exp.training.stage import train\n"
        "from tests.helpers import small_training as small\n"
        "config = small.train_stage(dropout=0.0, devices=2, strategy='ddp', **"
        f"{RUN!r})\ntrain(config, dataset=Path(sys.argv[1]), out=Path(sys.argv[2]))\n"
    )
    surroundings = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([sys.executable, str(script), str(rows), str(two)], env=surroundings, check=True, timeout=300)
    assert sorted(path.name for path in two.iterdir()) == DONE
    for ours, theirs in zip(metrics(two), metrics(one), strict=True):
        assert {name: float(value or 0) for name, value in ours.items()} == pytest.approx(
            {name: float(value or 0) for name, value in theirs.items()}, rel=1e-3
        )


@pytest.mark.slow
def test_the_loss_goes_down(tmp_path, rows):
    run(tmp_path, rows, max_steps=60, validate_every=100)
    losses = [float(row["loss"]) for row in metrics(tmp_path)]
    assert losses[-1] < 0.2 * losses[0]


def test_the_adapter_loads_in_peft_and_changes_the_model(tmp_path, rows):
    import torch

    run(tmp_path, rows)
    ids = torch.arange(20)[None]
    with torch.no_grad():
        base = models.load(small.model_config())(ids).logits
        adapted = models.with_adapter(models.load(small.model_config()), tmp_path / "adapter")(ids).logits
    assert float((base - adapted).abs().max()) > 1e-3


def test_no_training_rows(tmp_path):
    with pytest.raises(DataError, match="no rows of split train"):
        train(small.train_stage(), dataset=small.dataset(tmp_path / "rows", train=0, validation=1), out=tmp_path)


def test_unknown_target_modules(tmp_path, rows):
    config = small.train_stage()
    lora = type(config.lora)(r=4, alpha=8, dropout=0.0, target_modules=["w_q"], rslora=False)
    with pytest.raises(ModelError, match=r"lora.target_modules=\['w_q'\]"):
        train(type(config)(config.model, lora, config.trainer, 0), dataset=rows, out=tmp_path)


def test_no_gpu(tmp_path, rows):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ModelError, match=r"trainer.accelerator=gpu"):
        train(small.train_stage(accelerator="gpu"), dataset=rows, out=tmp_path)


@pytest.mark.parametrize(
    ("accumulate", "line"),
    [
        (1, r"^trainer.accumulate=1: out of memory .*; set trainer.accumulate=2 \(smaller"),
        ("auto", r"^trainer.accumulate=auto \(1 here\): out of memory .*; set trainer.accumulate=2 \(smaller"),
        (4, r"^trainer.accumulate=4: out of memory while training; lower model.max_length$"),  # one example in each
    ],
)
def test_out_of_memory_says_what_to_change(tmp_path, rows, monkeypatch, accumulate, line):
    import torch

    from raft_exp.training import module

    def exhausted(model, batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, "token_losses", exhausted)
    with pytest.raises(ModelError, match=line):
        train(small.train_stage(accumulate=accumulate), dataset=rows, out=tmp_path)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_validation_asks_the_same_few_rows_each_time_and_changes_no_weight(tmp_path, rows):
    everything = run(tmp_path / "all", rows, max_steps=2, validate_every=1, validation_items=None)
    enough = run(tmp_path / "enough", rows, max_steps=2, validate_every=1, validation_items=3)
    few = run(tmp_path / "few", rows, max_steps=2, validate_every=1, validation_items=1)
    assert enough == everything
    assert few[FILES[0]] == everything[FILES[0]]
    assert few["metrics.csv"] != everything["metrics.csv"]


def test_processes_on_one_cpu_share_its_threads():
    def threads(**trainer) -> int | None:
        return small.trainer_config(**trainer).threads_a_process()

    assert threads(threads=4, devices=2) == 2
    assert threads(threads=1, devices=2) == 1
    assert threads(threads=2, devices=1) == 2
    assert threads(threads=4, devices=2, accelerator="gpu") == 4
    assert threads(threads=None, devices=2) is None


@pytest.mark.parametrize(
    ("model", "precision"),
    [("pocket", "32-true"), ("qwen2_5_3b", "bf16-mixed"), ("tiny model.dtype=float16", "16-mixed")],
)
def test_precision_on_a_gpu_follows_the_dtype_of_the_model(tmp_path, model, precision):
    def settings(*overrides: str):
        stages = study_stages(tmp_path, "trainer=gpu", *f"model={model}".split(), *overrides)
        return next(stage.config.trainer for stage in stages if stage.name == "train"), stages[-1].config.settings

    trainer, shown = settings()
    assert trainer.precision == shown["trainer"]["precision"] == precision
    trainer, shown = settings("trainer.precision=bf16-true")
    assert trainer.precision == shown["trainer"]["precision"] == "bf16-true"


def test_a_matched_training_learns_on_as_many_supervised_tokens_as_the_other_one(tmp_path):
    long, short = small.dataset(tmp_path / "long", 12), small.dataset(tmp_path / "short", 3)
    other_out, matched_out = tmp_path / "other", tmp_path / "matched"
    other_out.mkdir()
    matched_out.mkdir()
    other = small.train_stage(batch_size=5, max_steps=-1, max_epochs=2)
    train(other, dataset=long, out=other_out)
    plan = MatchedPlan(batch_size=5, max_epochs=2, max_steps=-1)
    config = replace(small.train_stage(batch_size=2, max_steps=1), matched=plan)
    train(config, dataset=short, matched_dataset=long, out=matched_out)
    tokens = [
        json.loads((tmp_path / name / "counts.json").read_text())["supervised_tokens"] for name in ("other", "matched")
    ]
    assert 0 <= tokens[1] - tokens[0] < 10
    assert not (tmp_path / "matched" / "rows").exists()
