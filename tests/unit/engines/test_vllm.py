"""vLLM beside the transformers engine: the adapters of one embedded study, answered by one engine.

Greedy answers of two engines may part where two tokens are nearly alike, so shares are asked for and printed.
"""

import json
import os
import shutil
import sys
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest

from raft_exp import engines
from raft_exp.core.errors import ModelError
from raft_exp.core.records import Answer, read_jsonl
from raft_exp.engines import TransformersEngine, VllmEngine
from raft_exp.evaluation.stage import EvaluateStage, evaluate
from tests.helpers import small_training as small
from tests.helpers.command_line import raft_exp, run_folder

QUESTIONS = 50
STUDY = (
    "+experiment=quickstart",
    "~evaluation.conditions",
    "+evaluation.conditions={}",
    "corpus.num_entities=600",
    "dataset.max_items=320",
    "trainer.max_steps=40",
    "trainer.threads=1",
    f"evaluation.max_items={QUESTIONS}",
    "trainer.validation_items=8",
    "model.max_new_tokens=48",
    "lora.r=8",
    "lora.alpha=16",  # its LoRA is slow on a CPU
    "arms.sft.trainer.learning_rate=5e-3",  # at the rate of the quickstart its answers stay those of the base model
    "arms.sft_rag.trainer.learning_rate=5e-3",
)
Context = Literal["none", "passages"]
ARMS: dict[str, tuple[str | None, Context]] = {
    "base": (None, "none"),
    "rag": (None, "passages"),
    "sft": ("closed_book", "none"),
    "sft_rag": ("closed_book", "passages"),
    "raft": ("raft", "passages"),
}


def vllm_config(**changes) -> VllmEngine:
    settings = {"gpu_memory_utilization": 0.2, "enforce_eager": True, "max_lora_rank": 8}
    return VllmEngine(**small.values("engine", "vllm") | settings | changes)


def test_a_missing_vllm_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(
        ModelError, match=r"engine\.name: got 'vllm', which is not installed; pip install 'raft_exp\[vllm"
    ):
        engines.load(vllm_config(), small.model_config(), None, tmp_path)


def adapter_settings(folder: Path, **settings) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": 4} | settings))
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return folder


@pytest.mark.parametrize("adapters", ["lora", "merged"])
def test_adapters_of_a_quantized_base_go_on_its_dequantized_weights(monkeypatch, tmp_path, adapters):
    from raft_exp.engines import vllm

    merges, sources = [], []
    monkeypatch.setattr(vllm, "_check_installed", lambda: None)
    monkeypatch.setattr(vllm, "merge", lambda model, adapter, folder: merges.append((adapter, folder)))
    monkeypatch.setattr(vllm, "_llm", lambda config, model, source, rank: sources.append(source))
    monkeypatch.setattr(vllm, "Vllm", lambda *arguments: None)
    monkeypatch.setattr(vllm, "_lora", lambda *arguments: None)
    monkeypatch.setattr(vllm, "close", lambda: None)
    monkeypatch.setattr(vllm, "_loaded", None)
    adapter = adapter_settings(tmp_path / "adapter")
    model = small.model_config(quantize="nf4")
    for folder in (None, adapter):
        engines.load(vllm_config(adapters=adapters), model, folder, tmp_path)
        monkeypatch.setattr(vllm, "_loaded", None)
    assert merges == [(None, tmp_path / "merged"), (adapter if adapters == "merged" else None, tmp_path / "merged")]
    assert sources == [str(tmp_path / "merged")] * 2


def test_dora_adapters_are_refused_at_run_time(monkeypatch, tmp_path):
    from raft_exp.engines import vllm

    monkeypatch.setattr(vllm, "_check_installed", lambda: None)
    adapter = adapter_settings(tmp_path / "adapter", use_dora=True)
    with pytest.raises(ModelError, match=r"vLLM cannot load DoRA adapters; use engine\.adapters=merged"):
        engines.load(vllm_config(), small.model_config(), adapter, tmp_path)


@pytest.fixture(scope="module")
def engine_module():
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB
    pytest.importorskip("vllm", reason="needs vLLM; its CPU build is enough: make test-vllm")
    from raft_exp.engines import vllm

    yield vllm
    vllm.close()


@pytest.fixture(scope="module")
def loads(engine_module):
    """What was loaded so far: one entry for each engine that was started."""
    started, start = [], engine_module._llm
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "_llm", lambda *arguments: started.append(arguments[2:]) or start(*arguments))
        yield started


@pytest.fixture(scope="module")
def study(tmp_path_factory, engine_module):
    """The stages' folders by label. Made by the command line, so that this process holds the engine alone."""
    folder = tmp_path_factory.mktemp("study")
    done = raft_exp(folder, *STUDY, "until=train")
    assert done.returncode == 0, done.stderr
    plan = json.loads((run_folder(folder) / "plan.json").read_text())
    return {row["stage"]: Path(row["path"]) for row in plan}


class Asking:
    """Answers the study's test questions with any engine and adapter; each answer is asked for once."""

    def __init__(self, study, folder: Path) -> None:
        self._study, self._folder, self._known = study, folder, {}
        values = small.values("model", "pocket", max_new_tokens=48)
        self.model = small.model_config(**values)

    def arm(self, arm: str, engine) -> dict[str, Answer]:
        recipe, context = ARMS[arm]
        adapter = self._study[f"train[{recipe}]"] / "adapter" if recipe else None
        return self.ask(engine, adapter, context, cot=arm == "raft")

    def ask(self, engine, adapter: Path | None, context: Context = "passages", cot: bool = True) -> dict[str, Answer]:
        out = self._folder / str(len(list(self._folder.iterdir())))
        out.mkdir()
        config = EvaluateStage(
            model=self.model,
            engine=engine,
            prompt=small.prompt_config(**small.values("prompt", "brief")),
            prompt_mode="plain_text",
            context=context,
            cot=cot,
            adapter=str(adapter) if adapter else None,
        )
        evaluate(config, test=self._study["dataset[test]"], out=out)
        assert {path.name for path in out.iterdir()} == {"answers.jsonl", "counts.json", "timings.json"}
        return {answer.id: answer for answer in read_jsonl(out / "answers.jsonl", Answer)}


@pytest.fixture(scope="module")
def asking(study, tmp_path_factory):
    return Asking(study, tmp_path_factory.mktemp("asked"))


@pytest.fixture(scope="module")
def transformers() -> TransformersEngine:
    return small.engine_config()


def share(some: dict[str, Answer], others: dict[str, Answer]) -> float:
    assert len(some) == len(others) == QUESTIONS
    return sum(some[name] == others[name] for name in some) / QUESTIONS


@pytest.mark.vllm
def test_one_engine_answers_all_arms_as_transformers_does(asking, transformers, loads):
    found = {arm: asking.arm(arm, vllm_config()) for arm in ARMS}
    assert len(loads) == 1
    shares = {arm: share(found[arm], asking.arm(arm, transformers)) for arm in ARMS}
    print("\nthe same greedy answers:", ", ".join(f"{arm} {value:.3f}" for arm, value in shares.items()))
    assert sum(shares.values()) / len(shares) >= 0.95
    assert min(shares.values()) >= 0.9
    assert share(found["base"], found["sft"]) < 0.9  # the adapters do something
    assert share(found["rag"], found["sft_rag"]) < 0.9


def test_log_probabilities_are_those_of_the_chosen_tokens():
    from raft_exp.engines.vllm import _log_probabilities

    steps = [{5: SimpleNamespace(logprob=-0.5)}, {9: SimpleNamespace(logprob=-3.0), 7: SimpleNamespace(logprob=-1.0)}]
    assert _log_probabilities(SimpleNamespace(token_ids=(5, 7), logprobs=steps)) == [-0.5, -1.0]
    assert _log_probabilities(SimpleNamespace(token_ids=(5, 7), logprobs=None)) is None


@pytest.mark.vllm
def test_log_probabilities_are_near_those_of_transformers(asking, study, transformers, loads, tmp_path):
    from raft_exp.evaluation.stage import _requests

    config = small.evaluate_stage(model=small.values("model", "pocket", max_new_tokens=48))
    requests = [request for request, _ in _requests(config, study["dataset[test]"], None)]
    ours, theirs = (
        {
            answer.id: answer
            for answer in engines.load(engine, asking.model, None, tmp_path).generate(requests, log_probabilities=True)
        }
        for engine in (transformers, vllm_config())
    )
    same = [name for name in ours if ours[name].raw == theirs[name].raw]
    assert len(same) >= 0.9 * len(ours)
    for name in same:
        assert theirs[name].log_probability == pytest.approx(ours[name].log_probability, abs=0.05)


@pytest.mark.vllm
def test_adapters_of_one_path_never_share_answers(asking, study, transformers, loads, tmp_path):
    folder = tmp_path / "adapter"
    answered = []
    for recipe in ("raft", "closed_book", "raft"):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(study[f"train[{recipe}]"] / "adapter", folder)
        answered.append(asking.ask(vllm_config(), folder))
    assert len(loads) == 1
    first, other, again = answered
    assert share(first, other) < 0.5
    assert share(first, again) >= 0.95
    shutil.rmtree(folder)
    shutil.copytree(study["train[closed_book]"] / "adapter", folder)
    assert share(other, asking.ask(transformers, folder)) >= 0.95


@pytest.mark.vllm
def test_what_is_answered_already_is_not_asked_and_a_caller_may_leave(asking, study, tmp_path, loads):
    whole = asking.arm("rag", vllm_config())
    engine = engines.load(vllm_config(), asking.model, None, tmp_path)
    from raft_exp.evaluation.stage import _requests

    config = EvaluateStage(
        model=asking.model,
        engine=vllm_config(),
        prompt=small.prompt_config(**small.values("prompt", "brief")),
        prompt_mode="plain_text",
        context="passages",
        cot=False,
        adapter=None,
    )
    requests = [request for request, _ in _requests(config, study["dataset[test]"], None)]
    some = engine.generate(requests)
    left = {next(some).id for _ in range(3)}
    assert isinstance(some, Generator)
    some.close()
    rest = {answer.id: answer for answer in engine.generate(requests, left)}
    assert set(rest) == set(whole) - left
    assert sum(whole[name] == answer for name, answer in rest.items()) >= 0.95 * len(rest)
    assert len(loads) == 1


@pytest.mark.vllm
def test_an_adapter_that_does_not_fit(asking, study, tmp_path):
    folder = shutil.copytree(study["train[raft]"] / "adapter", tmp_path / "adapter")
    settings = (folder / "adapter_config.json").read_text()
    (folder / "adapter_config.json").write_text(settings.replace('"r": 8', '"r": 4096'))
    with pytest.raises(
        ModelError, match=r"loads adapters up to rank 512, but rank 4096 is needed; use engine.adapters"
    ):
        engines.load(vllm_config(), asking.model, folder, tmp_path)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"the folder has no adapter_model.safetensors"):
        engines.load(vllm_config(), asking.model, folder, tmp_path)


@pytest.mark.vllm
def test_merged_models_answer_as_their_adapters_do(asking, loads):
    before = len(loads)
    found = {arm: asking.arm(arm, vllm_config(adapters="merged")) for arm in ("rag", "sft_rag", "raft")}
    assert len(loads) == before + 3
    assert not any(Path(source).exists() for source, _ in loads[before + 1 :])
    shares = {arm: share(answers, asking.arm(arm, vllm_config())) for arm, answers in found.items()}
    print("\nmerged as LoRA:", ", ".join(f"{arm} {value:.3f}" for arm, value in shares.items()))
    assert min(shares.values()) >= 0.95
