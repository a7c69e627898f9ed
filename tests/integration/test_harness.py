"""An exported model under EleutherAI's lm-evaluation-harness, with the task of examples/harness and without a network.

The test is skipped where lm-eval is not installed; raft_exp does not depend on it.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("lm_eval") is None, reason="lm-evaluation-harness: pip install lm-eval==0.4.13"),
]


def run(module: str, *arguments: str) -> None:
    """Runs a command from the folder of the checkout."""
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, check=True)


@pytest.mark.parametrize("form", ["merged", "adapter"])
def test_an_exported_model_is_measured(small_study, tmp_path, form):
    model = tmp_path / "my_model"
    run("raft_exp.export", str(small_study), f"out={model}", f"form={form}", *["prompts=2"] * (form == "merged"))
    base = ROOT / "raft_exp" / "assets" / "pocket"
    weights = f"pretrained={model}" if form == "merged" else f"pretrained={base},peft={model}"
    arguments = ["--model", "hf", "--model_args", f"{weights},dtype=float32", "--include_path", "examples/harness"]
    arguments += ["--tasks", "general_facts", "--device", "cpu", "--batch_size", "4", "--output_path", str(tmp_path)]
    run("lm_eval", *arguments)
    (file,) = tmp_path.rglob("results_*.json")
    results = json.loads(file.read_text(encoding="utf-8"))
    assert results["n-samples"]["general_facts"]["effective"] == 8
    assert 0 <= results["results"]["general_facts"]["acc,none"] <= 1
