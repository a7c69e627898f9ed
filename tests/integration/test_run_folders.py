"""Where run folders stand, and what of them can be copied and moved."""

import shutil
import subprocess

import pytest

from tests.helpers.command_line import raft_exp, run_module, statuses
from tests.helpers.small_study import SMALL
from tests.integration.test_makefile import make

SHORT = (*SMALL, "evaluation.arms=[raft]")


def folders(root):
    """The run folders under `root`/runs, without their names of a time."""
    return sorted(f"{plan.parents[1].name}/{plan.parent.name[:10]}" for plan in root.glob("runs/*/*/plan.json"))


def finished(root):
    return sorted(results.parent for results in root.glob("runs/*/*/results.json"))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with two finished runs of one study: the first with links, the second with copies."""
    root = tmp_path_factory.mktemp("study")
    for words in ((), ("run.copy=true",)):
        done = raft_exp(root, *SHORT, *words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"report: {finished(root)[-1] / 'report.html'}"
    return root


@pytest.mark.slow
def test_runs_without_results_have_a_place_of_their_own(tmp_path):
    for words, status in (
        (("dry_run=true",), 0),
        ((*SHORT, "preview=1"), 0),
        ((*SHORT, "evaluation.num_distractors=99"), 2),
        (("dataset.p=2",), 2),
    ):
        assert raft_exp(tmp_path, *words).returncode == status
    assert folders(tmp_path) == ["unfinished/quickstart"] * 3
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["unfinished"]
    assert len(list((tmp_path / "runs" / "unfinished").iterdir())) == 3, "a refused command leaves no folder"
    done = make("report", folder=tmp_path)
    assert done.stdout.startswith("no finished run yet; run make quickstart")
    assert raft_exp(tmp_path, *SHORT, "until=ingest").returncode == 0, "a run that ends where it is told to is finished"
    assert folders(tmp_path)[0].startswith("quickstart/20")


@pytest.mark.slow
def test_a_sweep_without_results_is_put_away_with_its_jobs(tmp_path):
    sweep = ("-m", "corpus.num_entities=50", "until=ingest", "seed=0,1")
    assert raft_exp(tmp_path, *sweep, "dry_run=true").returncode == 0
    (away,) = (tmp_path / "runs").glob("*/*")
    assert away.parent.name == "unfinished"
    assert away.name.startswith("quickstart_sweep_")
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["unfinished"]
    assert statuses(away / "1") == {"ingest": "planned"}
    assert raft_exp(tmp_path, *sweep, "dry_run=true", "hydra.sweep.dir=mine").returncode == 0
    assert (tmp_path / "mine" / "1" / "plan.json").exists()
    assert raft_exp(tmp_path, *sweep).returncode == 0
    (kept,) = (tmp_path / "runs").glob("quickstart/sweep_*")
    named = {file.read_text() for file in (tmp_path / "store" / "runs").iterdir()}
    assert named == {str(kept / "0"), str(kept / "1")}


@pytest.mark.slow
def test_a_folder_that_the_user_names_stays_where_it_is(tmp_path):
    chosen = "hydra.run.dir=runs/unfinished/mine"
    assert raft_exp(tmp_path, "corpus.num_entities=60", "until=ingest", chosen).returncode == 0
    assert statuses(tmp_path / "runs" / "unfinished" / "mine") == {"ingest": "ran"}


@pytest.mark.slow
def test_finished_runs_stand_under_their_study_and_are_used_by_prune(study):
    first, second = finished(study)
    assert first.parent == second.parent == study / "runs" / "quickstart"
    assert not list((study / "runs").glob("unfinished/*"))
    named = {file.read_text() for file in (study / "store" / "runs").iterdir()}
    assert named == {str(first), str(second)}


@pytest.mark.slow
def test_links_lead_into_the_store_and_weights_are_files(study, tmp_path):
    first, _ = finished(study)
    assert (first / "predictions" / "raft.jsonl").is_symlink()
    assert (first / "predictions" / "raft.jsonl").read_text()
    subprocess.run(["cp", "-r", first / "adapters" / "raft", tmp_path / "weights"], check=True)
    weights = tmp_path / "weights" / "adapter_model.safetensors"
    assert not weights.is_symlink()
    (stored,) = (study / "store" / "train").glob("*/adapter/adapter_model.safetensors")
    assert weights.read_bytes() == stored.read_bytes()


@pytest.mark.slow
def test_a_run_with_copies_can_be_moved_and_needs_no_store(study, tmp_path):
    _, second = finished(study)
    assert not [path for path in second.rglob("*") if path.is_symlink()]
    shutil.move(shutil.copytree(second, tmp_path / "copy"), tmp_path / "moved")
    (study / "store").rename(study / "elsewhere")
    try:
        done = run_module("raft_exp.report", tmp_path, "moved")
    finally:
        (study / "elsewhere").rename(study / "store")
    assert done.returncode == 0, done.stderr
    assert "raft" in (tmp_path / "moved" / "report.md").read_text()


@pytest.mark.slow
def test_the_newest_finished_run_is_reported(study):
    assert raft_exp(study, "dry_run=true").returncode == 0
    first, second = finished(study)
    before = (second / "results.json").stat().st_mtime_ns
    done = make("report", folder=study)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"report: {second.relative_to(study) / 'report.html'}"
    assert (second / "results.json").stat().st_mtime_ns > before
    assert raft_exp(study, *SHORT).returncode == 0
    newest = finished(study)[-1]
    assert newest not in (first, second)
    assert str(newest.relative_to(study)) in make("-n", "report", folder=study).stdout


@pytest.mark.slow
def test_a_run_is_filled_again_over_links_and_over_copies(study):
    for copy in ("true", "false", "false"):
        done = raft_exp(study, *SHORT, "hydra.run.dir=again", f"run.copy={copy}")
        assert done.returncode == 0, done.stderr
        assert (study / "again" / "predictions" / "raft.jsonl").is_symlink() == (copy == "false")
        assert (study / "again" / "adapters" / "raft" / "adapter_model.safetensors").is_file()
