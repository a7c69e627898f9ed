import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from raft_exp import engines
from raft_exp.apps.export import drift, renderer, tokenizer
from raft_exp.apps.export import main as export
from raft_exp.core.records import Answer, Example, read_jsonl
from raft_exp.engines import Request
from raft_exp.exports import hub
from raft_exp.models import loading as models
from raft_exp.models.tokens import encode_prompt
from raft_exp.pipeline.run import FinishedRun
from tests.helpers import small_training as small


@pytest.fixture(scope="module")
def run(small_study):
    return small_study


@pytest.fixture(scope="module")
def merged(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "merged"
    export.main([str(run), f"out={out}"])
    return out


def command(run, *arguments, capsys) -> str:
    with pytest.raises(SystemExit) as ended:
        export.main([str(run), *arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.slow
def test_a_merged_model_answers_as_the_arm_did(run, merged):
    """On the prompts that its own tokenizer and chat template make."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokens = AutoModelForCausalLM.from_pretrained(merged), AutoTokenizer.from_pretrained(merged)
    rows = read_jsonl(run / "dataset" / "test.jsonl", Example)
    replies = {one.id: one for one in read_jsonl(FinishedRun(run).path("evaluate[raft]") / "answers.jsonl", Answer)}
    for row in rows:
        ids = tokens.apply_chat_template(
            row.messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        said = model.generate(**ids)[0, ids["input_ids"].shape[1] :]  # its own generation config: greedy, so long
        assert tokens.decode(said, skip_special_tokens=True) == replies[row.id].raw


@pytest.mark.slow
def test_the_folder_says_how_to_prompt_it_and_what_was_measured(run, merged):
    settings = FinishedRun(run).config
    found = renderer.read(merged)
    assert found.prompt == settings.prompt
    assert (found.arm, found.cot, found.passages, found.chat_template) == ("raft", True, True, True)
    card = (merged / "README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["license"] == "apache-2.0"
    assert "base_model" not in front, "a model of the package is none of the hub"
    measured = json.loads((run / "results.json").read_text())["arms"]["raft"]["metrics"]["exact_match"]
    assert f"{100 * measured['value']:.1f} ({100 * measured['low']:.1f} to {100 * measured['high']:.1f})" in card
    assert settings.prompt.reason_instruction in card
    warnings = json.loads((run / "results.json").read_text())["warnings"]
    assert warnings
    assert all(f"- Warning: {line}\n" in card for line in warnings)
    share = "p (share of rows whose context holds the gold passages): 0.6"
    for wanted in (share, "prompt mode: plain_text", "found: "):
        assert wanted in card
    assert "{{" not in card
    assert str(run.parent) not in card + (merged / "raft_exp.json").read_text()


@pytest.mark.slow
def test_weights_that_drift_too_far_are_not_written(run, tmp_path, capsys):
    told = command(run, f"out={tmp_path / 'low'}", "dtype=bfloat16", "tolerance=1e-5", capsys=capsys)
    assert "drift by" in told
    assert "tolerance=1e-05" in told
    assert list(tmp_path.iterdir()) == []
    export.main([str(run), f"out={tmp_path / 'low'}", "dtype=bfloat16"])
    weights = load_file(tmp_path / "low" / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
    assert "stored as bfloat16" in (tmp_path / "low" / "README.md").read_text()


@pytest.mark.slow
def test_drift_is_what_changes_in_the_model_on_disk(run, merged, tmp_path):
    broken = shutil.copytree(merged, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["lm_head.weight"] = weights["lm_head.weight"] * 1.5
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    finished = FinishedRun(run)
    texts = drift.samples_of(finished, "raft", models.load_tokenizer("asset:pocket"), 2)
    model = finished.config.model
    whole, bent = (
        drift.logits(models.load(type(model)(str(path), None, "float32", 1024, 24)), texts) for path in (merged, broken)
    )
    assert drift.compare(whole, whole).relative == 0
    assert 0.45 < drift.compare(whole, bent).relative < 0.8
    bent = [bent[0] * float("nan"), *bent[1:]]
    assert drift.compare(whole, bent).relative == float("inf")


def test_the_adapter_alone(run, tmp_path):
    export.main([str(run), f"out={tmp_path / 'adapter'}", "form=adapter"])
    finished = FinishedRun(run)
    texts = drift.samples_of(finished, "raft", models.load_tokenizer("asset:pocket"), 6)
    engine = engines.load(finished.config.engine, finished.config.model, tmp_path / "adapter", tmp_path)
    ids = [row.id for row in read_jsonl(run / "dataset" / "test.jsonl", Example)]
    requests = [Request(name, text.prompt, text.messages) for name, text in zip(ids, texts, strict=True)]
    known = {one.id: one for one in read_jsonl(finished.path("evaluate[raft]") / "answers.jsonl", Answer)}
    assert {one.id: one for one in engine.generate(requests)} == known
    assert "library_name: peft" in (tmp_path / "adapter" / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["out=X", "form=both"], 'ConfigError: form: got \'both\'; must be "merged" or "adapter"'),
        (["out=X", "arm=raf"], "ConfigError: arm: got 'raf'; did you mean 'raft'? (known: raft, rag)"),
        (["out=X", "dtyp=float16"], "ConfigError: dtyp: no such setting; did you mean 'dtype'?"),
        (["arm=raft"], "ConfigError: out: has no value; set out=..."),
        (["out=X", "push_to_hub=me"], "ConfigError: push_to_hub: got 'me'; must be OWNER/NAME"),
        (["out=X", "arm=rag", "form=adapter"], "the arm rag has no adapter"),
        (["out=X", "form=adapter", "dtype=float16"], "dtype: got 'float16', but an adapter"),
        (["out=/"], "ConfigError: out: got '/', which already exists"),
        (["out=X", "store=/nowhere"], "if the store was moved, name its new folder with store=PATH"),
    ],
)
def test_what_cannot_be_is_one_line(run, arguments, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = command(run, *arguments, capsys=capsys)
    assert told in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_finished_run(run, tmp_path, capsys):
    assert "no plan.json there" in command(tmp_path, "out=X", capsys=capsys)
    half = shutil.copytree(run, tmp_path / "half", symlinks=True)
    plan = json.loads((half / "plan.json").read_text())
    for row in plan:
        row["status"] = "planned" if row["stage"] == "train[raft]" else row["status"]
    (half / "plan.json").write_text(json.dumps(plan))
    assert "train[raft] is planned; finish the study first" in command(half, f"out={tmp_path / 'X'}", capsys=capsys)
    settings = yaml.safe_load((half / "config.yaml").read_text())
    del settings["evaluation"]["metrics"], settings["prompt"]["task"]
    (half / "config.yaml").write_text(yaml.safe_dump(settings))
    assert FinishedRun(half).config == FinishedRun(run).config, (
        "settings that are younger than a run have shipped values"
    )
    (half / "config.yaml").write_text("study: 3")
    assert "is of another version of raft_exp" in command(half, f"out={tmp_path / 'X'}", capsys=capsys)


def test_a_store_that_was_moved(run, tmp_path):
    shutil.copytree(run.parent / "store", tmp_path / "elsewhere")
    old = json.loads((run / "plan.json").read_text())
    moved = shutil.copytree(run, tmp_path / "run", symlinks=True)
    gone = [row | {"path": row["path"].replace(str(run.parent), "/gone")} for row in old]
    (moved / "plan.json").write_text(json.dumps(gone))
    export.main([str(moved), f"out={tmp_path / 'out'}", f"store={tmp_path / 'elsewhere'}", "form=adapter"])
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()


def test_a_push_goes_to_a_model_repository(run, tmp_path, monkeypatch, capsys):
    pushed: list[tuple] = []
    monkeypatch.setattr(hub, "push", lambda *how: pushed.append(how) or "abc")
    export.main([str(run), f"out={tmp_path / 'X'}", "form=adapter", "push_to_hub=me/towns", "private=false"])
    assert pushed == [(tmp_path / "X", "me/towns", False, "model")]
    assert "pushed: me/towns (abc)" in capsys.readouterr().out


THINKING = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% if enable_thinking is not defined or enable_thinking %}<think>"
    "{% endif %}{% endif %}"
)


@pytest.mark.slow
@pytest.mark.parametrize("template", [None, THINKING])
def test_the_saved_chat_template_makes_the_prompts_by_itself(template, tmp_path):
    """Of a model without a template, and of one that would think aloud unless it is told not to."""
    from transformers import AutoTokenizer

    base = tmp_path / "base"
    shutil.copytree(Path(models.resolve("asset:pocket")), base)
    given = AutoTokenizer.from_pretrained(base)
    given.chat_template = template
    (base / "tokenizer_config.json").unlink()
    given.save_pretrained(base)
    config = small.model_config(name_or_path=str(base))
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is Velmor?"}]
    prompt = encode_prompt(models.load_tokenizer(str(base)), chat)
    out = tmp_path / "out"
    out.mkdir()
    assert tokenizer.save(config, [drift.DriftSample(chat, prompt, [])], out)
    saved = AutoTokenizer.from_pretrained(out)
    assert saved.apply_chat_template(chat, add_generation_prompt=True, return_dict=False) == prompt
    assert encode_prompt(saved, chat) == prompt


ASK_VLLM = """
import json, sys, vllm
folder, chats = sys.argv[1], json.loads(sys.stdin.read())
model = vllm.LLM(folder, dtype="float32", enforce_eager=True, gpu_memory_utilization=0.1, max_model_len=1024)
settings = model.get_default_sampling_params()
settings.temperature = 0.0
print("SAID", json.dumps([one.outputs[0].text for one in model.chat(chats, settings)]))
"""


@pytest.mark.slow
@pytest.mark.vllm
def test_vllm_answers_as_the_arm_did(run, merged):
    """With the folder's own tokenizer, chat template and generation settings."""
    pytest.importorskip("vllm", reason="needs vLLM; its CPU build is enough: make test-vllm")
    rows = list(read_jsonl(run / "dataset" / "test.jsonl", Example))
    quiet = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ASK_VLLM, str(merged)],
        input=json.dumps([row.messages for row in rows]),
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.rpartition("SAID")[2])
    known = {one.id: one.raw for one in read_jsonl(FinishedRun(run).path("evaluate[raft]") / "answers.jsonl", Answer)}
    assert said == [known[row.id] for row in rows]
