"""KL(base || trained) on one GPU: equal to the CPU's, with little memory."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from raft_exp.evaluation.kl_stage import KlStage, kl
from raft_exp.evaluation.results import Divergence
from tests.gpu.test_training import ACCELERATOR, ON_CPU, pytestmark
from tests.helpers import small_training as small

__all__ = ["pytestmark"]


def measured(out: Path, accelerator: str, weights: Path) -> Divergence:
    out.mkdir()
    engine = small.engine_config(accelerator=accelerator)
    kl(KlStage(replace(small.model_config(), max_length=512), engine, None), weights=weights, out=out)
    found: Divergence = json.loads((out / "kl.json").read_text())
    return found


def test_a_gpu_measures_what_a_cpu_does_and_holds_few_logits(tmp_path):
    weights = tmp_path / "trained"
    small.trained(weights, small.dataset(tmp_path / "rows"), [], max_steps=4, learning_rate=1e-2)
    on_cpu = measured(tmp_path / "cpu", "cpu", weights)
    if not ON_CPU:
        torch.cuda.reset_peak_memory_stats()
    on_device = measured(tmp_path / "device", ACCELERATOR, weights)
    assert on_device == pytest.approx(on_cpu, rel=1e-3)
    assert on_cpu["kl"] > 0
    if not ON_CPU:
        assert torch.cuda.max_memory_allocated() < 200 * 2**20
