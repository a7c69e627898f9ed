"""Full disks, and folders that cannot be written."""

import contextlib
import shutil
import subprocess

import pytest

from tests.helpers.command_line import command, environment, obey_file_modes, raft_exp, run_folder, several, statuses
from tests.helpers.small_study import SMALL


@pytest.mark.slow
@pytest.mark.parametrize("store", ["/proc/nowhere", "{file}"])
def test_a_store_that_cannot_be_written_says_so(tmp_path, store):
    (tmp_path / "file").write_text("")
    done = raft_exp(tmp_path, f"store={store.format(file=tmp_path / 'file')}", "until=ingest")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("StoreError: store=")
    assert "store=PATH" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_full_disk_says_so_and_leaves_nothing_as_done(tmp_path):
    # a limit on the size of one file stands in for a full disk: the same call fails with the same kind of error
    limited = ["bash", "-c", 'ulimit -f 4; exec "$@"', "-"]
    done = subprocess.run(
        [*limited, *command("until=ingest", "corpus.num_entities=500", "hydra/job_logging=none")],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "StoreError: store=" in done.stderr
    assert "File too large" in done.stderr
    assert not list((tmp_path / "store").rglob("manifest.json"))
    assert raft_exp(tmp_path, "until=ingest", "corpus.num_entities=500").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["/proc/nowhere", "{file}/run"])
def test_a_run_folder_that_cannot_be_made_says_so(tmp_path, folder):
    (tmp_path / "file").write_text("")
    done = raft_exp(tmp_path, f"hydra.run.dir={folder.format(file=tmp_path / 'file')}", "dry_run=true")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("StoreError: ")
    assert "hydra.run.dir=PATH" in done.stderr
    assert "Traceback" not in done.stderr


@contextlib.contextmanager
def read_only(folder):
    """Makes all files and folders under `folder` read-only, and writable again afterwards."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*")) if not path.is_symlink()}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def without_rights(folder, *commands):
    return subprocess.run(
        several(*commands),
        cwd=folder,
        env=environment(HYDRA_FULL_ERROR="1"),
        preexec_fn=obey_file_modes,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_finished_study_is_shown_from_a_read_only_store(small_study, tmp_path):
    store, run = small_study.parent / "store", str(small_study)
    files = sorted(store.rglob("*"))
    no_index = tmp_path / "no_index"
    shutil.copytree(store, no_index, ignore=shutil.ignore_patterns("index"))
    with read_only(store), read_only(no_index):
        done = without_rights(
            tmp_path,
            ("raft_exp.apps.cli", *SMALL, "+evaluation.conditions.found={context: retrieved}", f"store={store}"),
            ("raft_exp.apps.report.main", run, f"out={tmp_path / 'page'}"),
            ("raft_exp.apps.ask.main", run, "Where does it lie?", "arm=rag"),
            ("raft_exp.apps.ask.main", run, "Where does it lie?", "arm=rag", f"store={no_index}"),
            ("raft_exp.apps.export.main", run, f"out={tmp_path / 'model'}"),
            ("raft_exp.apps.store", "ls", f"store={store}"),
            ("raft_exp.apps.store", "verify", f"store={store}"),
        )
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    assert f"store={store} is read-only and cannot record this run: `prune` may remove" in done.stderr
    assert f"store={no_index} is read-only: index is made again for this command" in done.stderr
    assert set(statuses(run_folder(tmp_path)).values()) == {"reused"}
    assert " 0 damaged" in done.stdout
    assert (run_folder(tmp_path) / "results.json").exists()
    assert (tmp_path / "page" / "report.html").exists()
    assert (tmp_path / "model" / "model.safetensors").exists()
    assert sorted(store.rglob("*")) == files


@pytest.mark.parametrize("words", [("prune", "yes=true"), ("repair", "yes=true")])
def test_a_result_that_cannot_be_removed_is_told_in_one_line(tmp_path, words):
    result = tmp_path / "store" / "dataset" / "0123"
    result.mkdir(parents=True)
    (result / "manifest.json").write_text("damaged")
    (tmp_path / "store" / "dataset" / "4567.partial").mkdir()
    with read_only(tmp_path / "store"):
        done = without_rights(tmp_path, ("raft_exp.apps.store", *words))
    assert done.returncode == 2
    assert done.stderr.startswith("StoreError: ")
    assert done.stderr.count("\n") == 1
    assert result.exists()


@pytest.mark.slow
def test_a_new_result_in_a_read_only_store_is_refused_in_one_line(tmp_path):
    (tmp_path / "store").mkdir()
    with read_only(tmp_path / "store"):
        done = without_rights(tmp_path, ("raft_exp.apps.cli", *SMALL, "until=ingest"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("StoreError: store=")
    assert "Traceback" not in done.stderr
