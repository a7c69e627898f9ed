"""An installed wheel brings its configs and assets along and works from any folder."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.helpers.command_line import environment

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_wheel_works_from_any_folder(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    wheel = next((tmp_path / "dist").glob("*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    assert {"raft_exp/conf/config.yaml", "raft_exp/py.typed"} <= set(names)
    assert "raft_exp/assets/tiny/model.safetensors" in names
    assert {"raft_exp/apps/serve/page.html", "raft_exp/apps/export/card.md.jinja"} <= set(names)
    assert "raft_exp/reporting/templates/report.html.j2" in names
    (entry,) = (name for name in names if name.endswith("entry_points.txt"))
    assert "raft-exp = raft_exp.apps.console:main" in zipfile.ZipFile(wheel).read(entry).decode()
    assert not [
        name
        for name in names
        if name.startswith(("tests/", "shared/", "store/", "tools/", "benchmarks/", "experiments/"))
    ]
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path / "site")]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    (tmp_path / "elsewhere").mkdir()
    script = "import raft_exp; from raft_exp.apps.cli import main; print(raft_exp.__file__); main()"
    for arguments in (["until=dataset", "corpus.num_entities=60"], ["-m", "seed=1,2", "dry_run=true"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=tmp_path / "elsewhere",
            env=environment(PYTHONPATH=str(tmp_path / "site")),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert str(tmp_path / "site") in done.stdout
    help_line = [str(tmp_path / "site" / "bin" / "raft-exp"), "--help", "corpus"]
    shown = subprocess.run(
        [sys.executable, *help_line],
        cwd=tmp_path / "elsewhere",
        env=environment(PYTHONPATH=str(tmp_path / "site")),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "corpus.path=null" in shown.stdout, "conf/ of the wheel"
    assert list((tmp_path / "elsewhere" / "store").glob("dataset/*/manifest.json"))
