"""A whole study on a model in a GGUF file: plan, run, processes of their own, and what uses the finished run."""

import shutil
from pathlib import Path

import pytest

from raft_exp.apps import cli
from raft_exp.apps.ask.session import AskOptions, RagSession
from raft_exp.apps.export import main as export
from raft_exp.core.errors import ModelError
from raft_exp.core.stage import STAGES
from raft_exp.models import loading
from raft_exp.pipeline.run import FinishedRun
from tests.helpers import gguf_file, small_study
from tests.helpers.command_line import data_files, raft_exp, statuses
from tests.helpers.composing import compose

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return gguf_file.write(tmp_path_factory.mktemp("model") / "made.gguf", licence="apache-2.0")


@pytest.fixture(scope="module")
def run(file, tmp_path_factory) -> Path:
    return small_study.make(tmp_path_factory.mktemp("gguf"), f"model.name_or_path={file}")


def test_a_plan_checks_the_model_and_converts_nothing(file, tmp_path):
    values = compose(*small_study.SMALL, f"model.name_or_path={file}", f"store={tmp_path / 'store'}", "dry_run=true")
    planned = cli.study(values, tmp_path, [])
    assert (planned[0].stage.label, planned[0].status) == ("model", "planned")
    assert not (tmp_path / "store" / "model").exists()
    positions = {**values, "model": {**values["model"], "max_length": 5000}}
    with pytest.raises(ModelError, match=r"model\.max_length=5000: .* has 4096 positions"):
        cli.study(positions, tmp_path, [])


@pytest.mark.parametrize(("until", "converted"), [("questions", False), ("dataset", True)])
def test_a_run_converts_the_model_only_where_a_stage_reads_it(file, tmp_path, until, converted):
    overrides = (f"model.name_or_path={file}", f"store={tmp_path / 'store'}", f"until={until}", "dry_run=true")
    planned = cli.study(compose(*small_study.SMALL, *overrides), tmp_path, [])
    assert ("model" in [outcome.stage.label for outcome in planned]) == converted


def test_what_the_model_rules_out_is_refused_before_any_other_stage(file, tmp_path):
    overrides = (f"model.name_or_path={file}", f"store={tmp_path / 'store'}", "model.max_length=5000")
    with pytest.raises(ModelError, match="has 4096 positions"):
        cli.study(compose(*small_study.SMALL, *overrides), tmp_path, [])
    made = {folder.name for folder in (tmp_path / "store").iterdir() if folder.is_dir()}
    assert made & set(STAGES) == {"model"}


def test_the_study_is_that_of_the_converted_folder(run, tmp_path):
    finished = FinishedRun(run)
    folder = tmp_path / "folder"
    shutil.copytree(finished.path("model"), folder)
    other = FinishedRun(small_study.make(tmp_path, f"model.name_or_path={folder}"))
    for label in ("evaluate[rag]", "evaluate[raft]"):
        assert (finished.path(label) / "answers.jsonl").read_bytes() == (
            other.path(label) / "answers.jsonl"
        ).read_bytes()
    assert not other.has("model")


def test_the_same_study_again_reuses_the_conversion(file, run, tmp_path):
    values = compose(*small_study.SMALL, f"model.name_or_path={file}", f"store={run.parent / 'store'}")
    cli.study(values, tmp_path, [])
    assert set(statuses(tmp_path).values()) == {"reused"}


def test_another_file_is_another_model(file, run, tmp_path):
    other = gguf_file.write(tmp_path / "other.gguf", eos="<pad>")
    shutil.copyfile(other, tmp_path / file.name)
    keys = []
    for place in (file, tmp_path / file.name):
        values = compose(*small_study.SMALL, f"model.name_or_path={place}", f"store={tmp_path / 's'}", "dry_run=true")
        keys.append({outcome.stage.label: outcome.stage.key for outcome in cli.study(values, tmp_path, [])})
    assert keys[0]["model"] != keys[1]["model"]
    assert keys[0]["train[raft]"] != keys[1]["train[raft]"]


def test_a_finished_run_is_asked_and_exported_without_the_file(file, run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loading, "_FOLDERS", {})  # as in a new process
    hidden = file.with_name("hidden")
    file.rename(hidden)
    try:
        session = RagSession(FinishedRun(run), AskOptions(arm="raft", accelerator="cpu"))
        assert session.prompt("q", "When was it founded?").request
        export.main([str(run), f"out={tmp_path / 'merged'}"])
    finally:
        hidden.rename(file)
    assert "drift of" in capsys.readouterr().out
    assert "license: apache-2.0" in (tmp_path / "merged" / "README.md").read_text()
    assert str(run.parent) not in (tmp_path / "merged" / "README.md").read_text()


def test_stages_in_processes_of_their_own_give_the_same_bytes(file, run, tmp_path):
    own = (*small_study.SMALL, f"model.name_or_path={file}", f"store={tmp_path / 'store'}")
    done = raft_exp(tmp_path, *own, RAFT_EXP_OWN_PROCESS="1")
    assert done.returncode == 0, done.stderr
    assert data_files(tmp_path / "store") == data_files(run.parent / "store")
