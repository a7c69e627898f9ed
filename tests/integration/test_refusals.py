"""What the command line refuses, in one line and before anything runs."""

from importlib.util import find_spec

import pytest

from tests.helpers.command_line import SMALL, raft_exp, statuses


@pytest.mark.slow
def test_errors_are_one_line_and_status_two(tmp_path):
    for arguments in (["dataset.p=1.5"], ["dataset.pp=1"], ["+dataset.pp=1"], ["seed=???"], ["+experiment=pubmed"]):
        done = raft_exp(tmp_path, *arguments)
        assert done.returncode == 2, arguments
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("ConfigError: ")


@pytest.mark.slow
def test_in_a_sweep_an_error_fails_its_job_alone(tmp_path):
    done = raft_exp(tmp_path, "-m", "dataset.p=0.5,7,0.6", "until=ingest", "corpus.num_entities=50")
    assert done.returncode == 2
    assert "ConfigError: dataset.p: got 7; must be less than or equal to 1" in done.stderr
    assert "Traceback" not in done.stderr
    assert [statuses(plan.parent) for plan in sorted(tmp_path.glob("runs/*/*/*/plan.json"))] == [
        {"ingest": "ran"},
        {"ingest": "reused"},
    ]
    done = raft_exp(tmp_path, "-m", "model=tinny,tiny", "until=ingest", "corpus.num_entities=50")
    assert done.returncode == 2
    assert "model: got 'tinny'; did you mean 'tiny'?" in done.stderr
    assert "#0 : " in done.stderr
    assert "model=tiny until=ingest" in done.stderr


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("+experiment=[quickstart,paper/p_sweeep]", "experiment: got 'paper/p_sweeep'; did you mean 'paper/p_sweep'?"),
        ("dataset", "'dataset': cannot be read as setting=value"),
        ("dataset.mixed={random: 0.5", "'dataset.mixed={random: 0.5': cannot be read as setting=value"),
    ],
)
def test_what_hydra_cannot_read_is_one_line_of_ours(tmp_path, argument, told):
    done = raft_exp(tmp_path, argument)
    assert done.returncode == 2
    assert done.stderr.startswith(f"ConfigError: {told}")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_an_engine_that_is_not_installed_is_missed_before_anything_runs(tmp_path):
    done = raft_exp(tmp_path, "engine=vllm")
    assert done.returncode == 2
    assert done.stderr.startswith("ModelError: engine: got 'vllm', which is not installed; pip install")
    assert not list((tmp_path / "store").glob("*/*/manifest.json"))


@pytest.mark.slow
def test_questions_that_nobody_brings_are_missed_before_the_passages_are_made(tmp_path):
    (tmp_path / "passages.jsonl").write_text('{"id": "a", "text": "Water boils."}\n')
    done = raft_exp(tmp_path, "+experiment=passages", "corpus.path=passages.jsonl", "model=tiny", "trainer=cpu")
    assert done.returncode == 2
    assert done.stderr.startswith("DataError: corpus.questions: has no value")
    assert not list((tmp_path / "store").glob("*/*/manifest.json"))


@pytest.mark.slow
def test_a_key_that_a_late_stage_needs_is_missed_before_anything_runs(tmp_path):
    done = raft_exp(tmp_path, "evaluation.arms=[rag,gpt_rag]", OPENAI_API_KEY="")
    assert done.returncode == 2
    assert "engine.api_key_env: got 'OPENAI_API_KEY', but this environment variable is not set" in done.stderr
    assert not list((tmp_path / "store").glob("*/*/manifest.json"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["full", "none"])
def test_no_adapter_is_not_silently_one(tmp_path, name):
    done = raft_exp(tmp_path, f"lora={name}", "dry_run=true")
    assert done.returncode == 2
    assert done.stderr.strip() == f"ConfigError: lora: got {name}, but lora.r=32, which trains an adapter; set lora.r=0"
    assert raft_exp(tmp_path, f"lora={name}", "lora.r=0", "dry_run=true").returncode == 0


@pytest.mark.slow
def test_an_online_logger_without_a_key_is_refused_before_anything_runs(tmp_path):
    done = raft_exp(tmp_path, "logger=wandb", "logger.mode=online", HOME=str(tmp_path), WANDB_API_KEY="")
    assert done.returncode == 2
    assert "ConfigError: logger.mode: got 'online', but there is no login" in done.stderr
    assert not list((tmp_path / "store").glob("*/*/manifest.json"))


@pytest.mark.parametrize(
    "argument",
    ["note={}", "note='made with ${{oc.env:PLANTED}}'", "+evaluation.conditions.k0={{num_distractors: 0, note: {}}}"],
)
def test_a_key_reaches_no_file(tmp_path, monkeypatch, argument):
    key = "sk-proj-4fQ9xT2vLmB7cR1nW8yZ"
    monkeypatch.setenv("PLANTED", key)
    done = raft_exp(tmp_path, argument.format(key), "until=ingest", "corpus.num_entities=50")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert key not in done.stderr
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(key.encode() in content for content in written)


@pytest.mark.slow
def test_a_damaged_result_is_not_shown_again(tmp_path):
    study = (*SMALL, "evaluation.arms=[raft]", "~evaluation.conditions.k0", "~evaluation.conditions.k4")
    assert raft_exp(tmp_path, *study).returncode == 0
    (results,) = tmp_path.glob("store/report/*/results.json")
    results.write_text(results.read_text().replace("0.0", "1.0"))
    done = raft_exp(tmp_path, *study)
    assert done.returncode == 2
    assert "the result of report is damaged" in done.stderr.splitlines()[-1]
    assert "store repair" in done.stderr.splitlines()[-1]
