"""TRL trains on exports with our rewards and pairs, as docs/how-to/rewards.md shows; a study tests the adapters."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from raft_exp.apps import cli
from raft_exp.models.loading import resolve
from tests.helpers import small_study
from tests.helpers.command_line import statuses
from tests.helpers.composing import compose

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "rewards.md"
SHORT = (
    'max_steps=2, per_device_train_batch_size=2, use_cpu=True, bf16=False, report_to="none", save_strategy="no", '
    "logging_steps=1,"
)


def script(name: str, run: Path) -> str:
    """Returns a script of the page, for the run folder and the model of the test, and for two steps on a CPU."""
    found = re.search(rf"`{name}\.py`:\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found, name
    text = found[1].replace('"runs/first"', repr(str(run))).replace('"Qwen/Qwen2.5-3B-Instruct"', repr(pocket()))
    shorter = text.replace(f'output_dir="{name}",', f'output_dir="{name}", {SHORT}')
    shorter = shorter.replace("max_completion_length=512,", "max_completion_length=16, num_generations=2,")
    assert shorter != text
    return shorter + '\nprint("LOG", [entry for entry in trainer.state.log_history if "loss" in entry])\n'


def pocket() -> str:
    return resolve("asset:pocket")


def trained(name: str, run: Path, folder: Path) -> list[str]:
    """Runs a script of the page in `folder`; returns its two log entries."""
    done = subprocess.run(
        [sys.executable, "-c", script(name, run)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    entries = re.findall(r"\{.*?\}", next(line for line in done.stdout.splitlines() if line.startswith("LOG")))
    assert len(entries) == 2, "two steps"
    return entries


@pytest.mark.slow
def test_grpo_and_dpo_go_on_from_an_adapter_and_a_study_tests_the_results(tmp_path):
    pytest.importorskip("trl", reason="rewards and pairs are for TRL, which is not installed")
    run = small_study.make(tmp_path, "export.dataset=[prompts,dpo]", "evaluation.arms=[rag,raft]")
    settings = run / "adapters" / "raft" / "adapter_config.json"
    values = json.loads(settings.read_text()) | {"base_model_name_or_path": pocket()}  # the name is not one of PEFT's
    settings.unlink()  # a hard link into the store
    settings.write_text(json.dumps(values))
    logged = trained("grpo", run, tmp_path)
    for reward in ("answer_right", "quotes_gold", "form_kept"):
        assert all(f"rewards/{reward}/mean" in entry for entry in logged)
    assert all("rewards/margins" in entry for entry in trained("dpo", run, tmp_path))
    again, arms = tmp_path / "again", {name: tmp_path / name for name in ("grpo", "dpo")}
    again.mkdir()
    added = [
        f"+arms.raft_{name}={{recipe: none, context: passages, cot: true, dataset: {{}}, adapter: {folder}}}"
        for name, folder in arms.items()
    ]
    chosen = (*small_study.SMALL, "evaluation.arms=[rag,raft,raft_grpo,raft_dpo]", *added)
    cli.study(compose(*chosen, f"store={tmp_path / 'store'}"), again, [])
    assert {name for name, status in statuses(again).items() if status == "ran"} == {
        "evaluate[raft_grpo]",
        "evaluate[raft_dpo]",
        "report",
    }
    results = json.loads((again / "results.json").read_text())
    assert list(results["arms"]) == ["rag", "raft", "raft_grpo", "raft_dpo"]
    assert {row["b"] for row in results["comparisons"]} == {"rag", "raft_grpo", "raft_dpo"}
