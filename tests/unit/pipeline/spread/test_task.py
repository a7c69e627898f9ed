"""The process of a task: what it tells the study when it fails."""

import json
import sys
from types import SimpleNamespace

import pytest

from raft_exp.core import screen
from raft_exp.pipeline.spread import task


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a task of a study, or one that cannot be built. Returns the content of its error file."""

    def run(study):
        def built(config_file):
            if isinstance(study, Exception):
                raise study
            return study

        monkeypatch.setattr(task, "RebuiltStudy", built)
        for name in ("end_with", "log_to_file"):
            monkeypatch.setattr(task, name, lambda *_: None)
        monkeypatch.setattr(screen, "take_any_text", lambda: None)
        monkeypatch.setattr(sys, "argv", ["task", str(tmp_path / "config.yaml"), "1", "3", "7", str(tmp_path), "key"])
        with pytest.raises(SystemExit):
            task.main()
        return json.loads((tmp_path / "1.error").read_text())

    return run


def test_other_keys_on_another_machine_are_named_with_a_remedy(run):
    message, status = run(SimpleNamespace(stages={"other": None}, spread="ray"))
    assert "have other keys; install the same versions" in message
    assert status == 2


def test_an_unexpected_error_is_one_line_that_names_the_log(run, tmp_path):
    message, status = run(RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB"))
    assert message == (
        f"task 2 of 3 failed (RuntimeError: CUDA out of memory. Tried to allocate 2 GiB); see {tmp_path / '1.log'}"
    )
    assert status == 1
