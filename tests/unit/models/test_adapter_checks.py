"""An adapter whose adapter_config.json is absurd or hostile ends in one line, within seconds."""

import json
import re
import time
from typing import Any

import pytest

from raft_exp.core import limited
from raft_exp.core.errors import ModelError
from raft_exp.models import adapter_checks, loading
from raft_exp.pipeline.arms import adapter_files
from raft_exp.training import weights
from raft_exp.training.config import LoraConfig
from tests.helpers import small_training as small

SLOW = r"(.|.)*!"  # each letter of a name doubles its time


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """A folder with an adapter of the tiny model."""
    folder = tmp_path_factory.mktemp("run")
    config = small.model_config()
    lora = LoraConfig(**small.values("lora", "default") | {"r": 4})
    model = weights.add_adapter(loading.load(config), lora, seed=0)
    weights.save(model, weights.weights(model), config, folder)
    return folder / "adapter"


@pytest.fixture
def changed(adapter, tmp_path):
    """The adapter with other values in its adapter_config.json."""

    def write(**changes):
        for file in adapter.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        file = tmp_path / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
        return tmp_path

    return write


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(adapter_checks, "SECONDS", 1)


def refusal(call) -> str:
    began = time.monotonic()
    with pytest.raises(ModelError) as refused:
        call()
    assert time.monotonic() - began < 60
    assert "\n" not in str(refused.value)
    return str(refused.value)


PATTERNS: list[dict[str, Any]] = [
    {"target_modules": SLOW},
    {"exclude_modules": SLOW},
    {"layers_pattern": SLOW},
    {"layers_pattern": ["layers", SLOW]},
    {"rank_pattern": {SLOW: 8}},
    {"alpha_pattern": {SLOW: 8}},
]


@pytest.mark.parametrize("changes", PATTERNS)
def test_a_pattern_without_end_is_refused_when_the_study_is_planned(changed, changes, monkeypatch):
    monkeypatch.setattr(adapter_checks, "SECONDS", 0)  # the limit is then within the next second
    folder = changed(**changes)
    told = refusal(lambda: adapter_files("mine", str(folder)))
    assert told.startswith(
        f"adapter={folder}: adapter_config.json has patterns for module names whose matching needs more than"
    )
    assert told.endswith("replace the pattern by a list of module names")


@pytest.mark.slow
def test_a_pattern_without_end_is_refused_before_peft_uses_it(changed):
    folder = changed(**PATTERNS[0])
    model = loading.load(small.model_config())
    assert "needs more than 1 s" in refusal(lambda: loading.with_adapter(model, folder))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"r": 10**12}, r"r=1000000000000; must be a whole number from 1 to 16,384"),
        ({"r": "8"}, r"r='8'; must be a whole"),
        ({"r": True}, r"r=True; must be a whole"),
        ({"rank_pattern": {"q_proj": -1}}, r"rank_pattern=-1; must be a whole"),
        ({"lora_alpha": "many"}, r"lora_alpha='many'; must be a number"),
        ({"lora_alpha": float("nan")}, r"lora_alpha=nan; must be a finite number"),
        ({"alpha_pattern": {"q_proj": None}}, r"does not fit this base model"),
        ({"target_modules": "("}, r"an invalid pattern for module names: '\(' is not a regular expression"),
        ({"target_modules": 5}, r"does not fit this base model"),
        ({"peft_type": "NO_SUCH"}, r"does not fit this base model"),
        ({"target_modules": "no_such_module"}, r"does not fit this base model"),
    ],
)
def test_absurd_values(changed, changes, fault):
    folder, model = changed(**changes), loading.load(small.model_config())
    told = refusal(lambda: loading.with_adapter(model, folder))
    assert re.search(fault, told), told
    assert told.startswith(f"adapter={folder}: ")


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "{", '{"r": ' + "9" * 5000 + "}"])
def test_damaged_settings(changed, text):
    folder = changed()
    (folder / "adapter_config.json").write_text(text)
    assert "adapter_config.json" in refusal(lambda: adapter_files("mine", str(folder)))


def test_a_usual_adapter_and_a_usual_pattern_are_accepted_and_lists_start_no_process(adapter, changed, monkeypatch):
    model = small.model_config()
    loading.with_adapter(loading.load(model), changed(target_modules=r".*\.(q_proj|v_proj)"))
    monkeypatch.setattr(limited, "ask", lambda *_: pytest.fail("a process for a list of names"))
    loading.with_adapter(loading.load(model), adapter)
