"""TRL trains from the files of export.for with the command of their README.md; a study tests the adapter."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from raft_exp.apps import cli
from tests.helpers import small_study
from tests.helpers.command_line import statuses
from tests.helpers.composing import compose


@pytest.mark.slow
def test_trl_trains_from_its_folder_and_a_study_tests_the_result(tmp_path):
    pytest.importorskip("trl", reason="the tool under test, which is not installed")
    chosen = ("export.for=trl", "evaluation.arms=[rag,raft]", "trainer.max_steps=2")
    run = small_study.make(tmp_path, *chosen)
    folder = run / "exports" / "trl"
    readme = (folder / "README.md").read_text()
    (command,) = re.findall(r"^trl sft .*$", readme, re.MULTILINE)
    done = subprocess.run(
        [str(Path(sys.executable).with_name("trl")), *shlex.split(command)[1:]],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    adapter = json.loads((folder / "raft" / "adapter_config.json").read_text())
    own = json.loads((run / "adapters" / "raft" / "adapter_config.json").read_text())
    for name in ("r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "target_modules"):
        same = sorted if isinstance(own[name], list) else lambda value: value
        assert same(adapter[name]) == same(own[name]), name
    (arm,) = re.findall(r"'(\+arms\.raft_trl=.*?)'", readme)
    again = tmp_path / "again"
    again.mkdir()
    asked = (*small_study.SMALL, "evaluation.arms=[rag,raft,raft_trl]", arm.replace("RUN", str(run)))
    cli.study(compose(*asked, f"store={tmp_path / 'store'}"), again, [])
    assert {name for name, status in statuses(again).items() if status == "ran"} == {"evaluate[raft_trl]", "report"}
    assert "raft_trl" in json.loads((again / "results.json").read_text())["arms"]
