"""The stage `kl` with the embedded random model: adapters, whole models, and weights without finite probabilities."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from raft_exp.core.errors import ModelError
from raft_exp.evaluation import kl_stage
from raft_exp.evaluation.divergence import windows
from raft_exp.evaluation.kl_stage import TEXT, KlStage, kl
from raft_exp.evaluation.results import Divergence
from raft_exp.models import loading
from tests.helpers import small_training as small


@pytest.fixture(autouse=True)
def text(tmp_path, monkeypatch) -> str:
    """A short text, so that the tests take no time."""
    short = TEXT.read_text(encoding="utf-8")[:1500]
    (tmp_path / "text.txt").write_text(short, encoding="utf-8")
    monkeypatch.setattr(kl_stage, "TEXT", tmp_path / "text.txt")
    return short


def adapter(folder: Path, scale: float) -> Path:
    """A training with an adapter whose second matrices are noise of this scale; with 0 it changes nothing."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(3)
    model = get_peft_model(loading.load(small.model_config()), LoraConfig(r=4, target_modules="all-linear"))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn_like(weight) * scale
    model.save_pretrained(folder / "adapter")
    return folder


def measured(out: Path, weights: Path | None, ready: str | None = None) -> Divergence:
    out.mkdir()
    kl(KlStage(small.model_config(), small.engine_config(), ready), weights=weights, out=out)
    found: Divergence = json.loads((out / "kl.json").read_text())
    assert json.loads((out / "counts.json").read_text()) == {"tokens": found["tokens"]}
    return found


def test_an_adapter_that_changes_nothing_has_no_divergence(tmp_path):
    found = measured(tmp_path / "out", adapter(tmp_path / "trained", 0.0))
    assert found["kl"] == 0
    assert found["loss"] == found["base_loss"]


def test_the_figures_of_an_adapter_equal_those_of_its_merged_weights_over_the_whole_text(tmp_path, text):
    trained = adapter(tmp_path / "trained", 0.3)
    found = measured(tmp_path / "out", trained)

    base = loading.load(small.model_config()).double()
    merged = loading.with_adapter(loading.load(small.model_config()), trained / "adapter").merge_and_unload().double()
    divergences, losses = [], []
    with torch.inference_mode():
        for window in windows(loading.load_tokenizer("asset:tiny"), text):
            ids = torch.tensor([window])
            p, q = (model(input_ids=ids).logits[0, :-1].log_softmax(-1) for model in (base, merged))
            divergences.append((p.exp() * (p - q)).sum(-1))
            losses.append(-q[torch.arange(len(q)), ids[0, 1:]])
    assert found["kl"] == pytest.approx(torch.cat(divergences).mean().item(), rel=1e-3)
    assert found["loss"] == pytest.approx(torch.cat(losses).mean().item(), rel=1e-4)
    assert found["tokens"] == len(torch.cat(losses))
    assert found["kl"] > 0.001

    ready = measured(tmp_path / "ready", None, str(trained / "adapter"))
    assert ready == found, "a ready adapter is measured alike"


def test_a_whole_model_is_compared_with_the_base_model(tmp_path):
    model = loading.load(small.model_config())
    tokenizer = loading.load_tokenizer("asset:tiny")
    for folder, factor in (("same", 1.0), ("other", 1.5)):
        with torch.no_grad():
            model.get_output_embeddings().weight.mul_(factor)
        model.save_pretrained(tmp_path / folder / "model")
        tokenizer.save_pretrained(tmp_path / folder / "model")
    assert measured(tmp_path / "a", tmp_path / "same")["kl"] == 0
    assert measured(tmp_path / "b", tmp_path / "other")["kl"] > 0


def test_weights_without_finite_probabilities_are_an_error(tmp_path):
    trained = adapter(tmp_path / "trained", float("nan"))
    with pytest.raises(
        ModelError, match=r"adapter: the model's probabilities on text\.txt are not finite; train with a lower"
    ):
        measured(tmp_path / "out", trained)


def test_windows_fit_a_model_with_short_prompts(tmp_path):
    trained = adapter(tmp_path / "trained", 0.3)
    config = KlStage(replace(small.model_config(), max_length=32), small.engine_config(), None)
    (tmp_path / "out").mkdir()
    kl(config, weights=trained, out=tmp_path / "out")
    assert json.loads((tmp_path / "out" / "kl.json").read_text())["kl"] > 0


def test_the_text_of_the_package_is_long_plain_and_of_many_subjects():
    words = TEXT.read_text(encoding="utf-8").split()
    assert 2000 < len(words) < 4000
    assert TEXT.read_text(encoding="utf-8").isascii()
    assert len(TEXT.read_text(encoding="utf-8").split("\n\n")) >= 15
