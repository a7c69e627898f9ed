"""GPUs are held by one stage at a time. No GPU is touched: CUDA_VISIBLE_DEVICES says which ones there are."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from raft_exp.core.errors import ModelError
from raft_exp.core.stage import Stage
from raft_exp.corpora.ingest_stage import ingest
from raft_exp.pipeline import gpus
from raft_exp.pipeline.worker import WorkerProcess
from raft_exp.training.stage import train
from tests.helpers.small_training import train_stage

UUIDS = gpus._uuids


@pytest.fixture(autouse=True)
def four(monkeypatch, tmp_path):
    monkeypatch.setenv(gpus.VISIBLE, "0,1,GPU-8a,3")
    monkeypatch.delenv(gpus.SHARED, raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv(gpus.LOCKS, str(tmp_path))
    monkeypatch.setattr(gpus, "_PAUSE", 0.001)
    monkeypatch.setattr(gpus, "_uuids", dict)


def test_none_is_held_twice_whoever_wants_how_many(monkeypatch):
    used, trouble = set(), []

    def stage(wanted):
        for _ in range(5):
            with gpus.claimed(wanted) as environment:
                mine = set(environment[gpus.VISIBLE].split(","))
                if len(mine) != (wanted or 4) or used & mine:
                    trouble.append((wanted, mine, set(used)))
                used.update(mine)
                time.sleep(0.002)
                used.difference_update(mine)

    stages = [threading.Thread(target=stage, args=(wanted,)) for wanted in (1, 1, 1, 2, 3, None)]
    for one in stages:
        one.start()
    for one in stages:
        one.join(60)
    assert not any(one.is_alive() for one in stages), "they wait for each other"
    assert not trouble


def test_a_holder_that_is_killed_holds_nothing(capfd):
    holder = (
        "from raft_exp.pipeline import gpus\nimport sys, time\n"
        "with gpus.claimed(None):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert not gpus._take(gpus.visible(), 1)
        process.kill()
    with gpus.claimed(4) as environment:
        assert environment[gpus.VISIBLE] == "0,1,GPU-8a,3"


@pytest.mark.parametrize(("name", "value"), [(gpus.SHARED, "1"), ("SLURM_JOB_ID", "7"), (gpus.VISIBLE, "")])
def test_nothing_is_locked_where_it_is_asked_for_or_another_has_done_it(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with gpus.claimed(4) as one, gpus.claimed(4) as other:
        assert one == other == {}


def test_tasks_of_one_slurm_job_take_a_gpu_each(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with gpus.claimed(1, within_job=True) as one, gpus.claimed(1, within_job=True) as other:
        assert [one[gpus.VISIBLE], other[gpus.VISIBLE]] == ["0", "1"]


def test_a_stage_of_its_own_process_sees_the_gpus_that_it_holds(monkeypatch, tmp_path):
    script = tmp_path / "python"  # stands for Python: says what it sees, and that its stage is done
    script.write_text(f'#!/bin/bash\necho "$CUDA_VISIBLE_DEVICES" > {tmp_path}/seen\necho \'["", 0]\' >&"${{@: -1}}"\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    child = WorkerProcess(tmp_path / "config.yaml")
    with gpus.claimed(1):
        settings = train_stage(accelerator="gpu", devices=2)
        child.run("train", Stage(train, settings, {"dataset": Stage(ingest, None)}), tmp_path)
        assert (tmp_path / "seen").read_text() == "1,GPU-8a\n"
        assert not gpus._take(gpus.visible(), 2), "held as long as the process stays"
        child.close()
        assert gpus._take(gpus.visible(), 3)


def test_users_with_other_temporary_folders_share_the_locks(monkeypatch, tmp_path):
    monkeypatch.delenv(gpus.LOCKS)
    opened = []
    monkeypatch.setattr(gpus, "FileLock", lambda file, mode: opened.append(file) or contextlib.nullcontext())
    for folder in ("one", "other"):
        monkeypatch.setenv("TMPDIR", str(tmp_path / folder))
        monkeypatch.setattr("tempfile.tempdir", None)
        with pytest.raises(AttributeError):  # the stand-in has no `acquire`
            gpus._acquire("GPU-8a", 0)
    assert opened == [Path("/tmp/raft_exp_gpu_GPU-8a.lock")] * 2


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can be another user")
def test_another_user_waits_for_a_gpu_and_then_takes_it():
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, pytest.MonkeyPatch.context() as patched:
        Path(folder).chmod(0o1777)
        patched.setenv(gpus.LOCKS, folder)
        before = os.umask(0o077)
        try:
            with gpus.claimed(4):
                os.seteuid(65534)
                assert not gpus._take(gpus.visible(), 1)
                os.seteuid(0)
            os.seteuid(65534)
            assert len(gpus._take(gpus.visible(), 4)) == 4
        finally:
            os.seteuid(0)
            os.umask(before)


@pytest.mark.parametrize("hostile", ["link", "dangling link", "folder", "file without rights"])
def test_a_hostile_lock_file_is_refused_and_not_followed(tmp_path, hostile):
    file, target = tmp_path / "raft_exp_gpu_1.lock", tmp_path / "target"
    if hostile == "file without rights":
        if os.getuid() == 0:
            pytest.skip("root has all rights")
        file.touch(0o000)
    elif hostile == "folder":
        file.mkdir()
    else:
        if hostile == "link":
            target.write_text("precious")
        file.symlink_to(target)
    with pytest.raises(ModelError, match=r"GPU lock .*raft_exp_gpu_1\.lock: .*RAFT_EXP_GPU_LOCKS=DIR"), gpus.claimed(4):
        pass
    assert not target.exists() or target.read_text() == "precious"
    (file.rmdir if hostile == "folder" else file.unlink)()
    assert len(gpus._take(gpus.visible(), 4)) == 4, "nothing is held after the refusal"


def test_a_number_and_a_uuid_of_one_gpu_have_one_lock(monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf '0, GPU-8a-1\\n1, GPU-8a-2\\n2, GPU-9b-1\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(gpus, "_uuids", UUIDS)
    monkeypatch.delenv(gpus.VISIBLE)
    UUIDS.cache_clear()
    try:
        with gpus.claimed(2) as environment:
            assert environment == {gpus.VISIBLE: "0,1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
            assert not gpus._take(["GPU-8a-2"], 1)
            assert not gpus._take(["1", "0"], 1)
            assert list(gpus._take(["1", "GPU-9b"], 1)) == ["GPU-9b"]
    finally:
        UUIDS.cache_clear()


def test_how_many_a_stage_needs():
    def config(**settings):
        return SimpleNamespace(**{name: SimpleNamespace(**value) for name, value in settings.items()})

    assert gpus.needed(config(trainer={"accelerator": "gpu", "devices": 2})) == 2
    assert gpus.needed(config(trainer={"accelerator": "auto", "devices": "auto"})) is None
    assert gpus.needed(config(trainer={"accelerator": "cpu", "devices": 2})) == 0
    assert gpus.needed(config(engine={"name": "transformers", "accelerator": "gpu"})) == 1
    assert gpus.needed(config(engine={"name": "openai"})) == 0
    assert gpus.needed(config(encoder={"accelerator": "cpu"})) == 0
    assert gpus.needed(config(reranker={"accelerator": "cpu"})) == 0
    assert gpus.needed(config(reranker={"accelerator": "auto"})) == 1
    assert gpus.needed(config()) == 0
