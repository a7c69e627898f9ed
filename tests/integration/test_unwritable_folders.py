"""Full disks, and folders that cannot be written."""

import subprocess

import pytest

from tests.helpers.command_line import command, environment, raft_exp


@pytest.mark.parametrize("store", ["/proc/nowhere", "{file}"])
def test_a_store_that_cannot_be_written_says_so(tmp_path, store):
    (tmp_path / "file").write_text("")
    done = raft_exp(tmp_path, f"store={store.format(file=tmp_path / 'file')}", "until=ingest")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("StoreError: store=")
    assert "store=PATH" in done.stderr
    assert "Traceback" not in done.stderr


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


@pytest.mark.parametrize("folder", ["/proc/nowhere", "{file}/run"])
def test_a_run_folder_that_cannot_be_made_says_so(tmp_path, folder):
    (tmp_path / "file").write_text("")
    done = raft_exp(tmp_path, f"hydra.run.dir={folder.format(file=tmp_path / 'file')}", "dry_run=true")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("StoreError: ")
    assert "hydra.run.dir=PATH" in done.stderr
    assert "Traceback" not in done.stderr
