"""A run folder shows one command: the figures of an earlier one go when a run begins, and not before."""

import pytest

from raft_exp.apps import cli
from raft_exp.core.errors import ModelError
from raft_exp.pipeline.run_begin import remove_refused
from tests.helpers.composing import compose

INGEST = ("corpus.num_entities=40", "until=ingest")


@pytest.fixture
def earlier(tmp_path):
    """The folder of an earlier run of another command."""
    run = tmp_path / "mine"
    (run / "predictions").mkdir(parents=True)
    (run / "exports" / "trl" / "raft").mkdir(parents=True)
    for name in ("results.json", "report.html", "predictions/raft.jsonl", "exports/trl/raft/adapter_config.json"):
        (run / name).write_text("{}")
    for name in ("config.yaml", "plan.json"):
        (run / name).write_text("earlier")
    return run


def names(run):
    return sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())


def study(run, *overrides):
    return cli.study(compose(*overrides, f"store={run.parent / 'store'}"), run, [])


def test_a_run_that_begins_removes_the_figures_of_the_earlier_one(earlier, capsys):
    study(earlier, *INGEST)
    told = " ".join(capsys.readouterr().err.split())
    assert "the report of an earlier command is removed, because until=ingest ends before it" in told
    assert {"config.yaml", "plan.json", "exports/trl/raft/adapter_config.json"} <= set(names(earlier))
    assert not {"results.json", "report.html", "predictions/raft.jsonl"} & set(names(earlier))
    assert "num_entities: 40" in (earlier / "config.yaml").read_text()


def test_a_dry_run_and_a_refused_run_change_nothing(earlier, monkeypatch):
    monkeypatch.setattr("raft_exp.pipeline.requirements.find_spec", lambda name: None)
    before = names(earlier)
    study(earlier, *INGEST, "dry_run=true")
    with pytest.raises(ModelError, match="vllm"):
        study(earlier, "corpus.num_entities=40", "engine=vllm")
    assert names(earlier) == before
    assert {(earlier / name).read_text() for name in ("config.yaml", "plan.json")} == {"earlier"}


def test_the_folder_of_a_refused_run_is_removed_if_it_holds_nothing(tmp_path):
    for name, files, removed in (
        ("unfinished/own_1", {"raft_exp.log": "", ".hydra/config.yaml": "seed: 0"}, True),
        ("unfinished/own_2", {"raft_exp.log": "a line"}, False),
        ("unfinished/own_3", {"raft_exp.log": "", "plan.json": "[]"}, False),
        ("mine", {"raft_exp.log": ""}, False),
    ):
        run = tmp_path / "runs" / name
        run.mkdir(parents=True)
        for file, text in files.items():
            (run / file).parent.mkdir(exist_ok=True)
            (run / file).write_text(text)
        remove_refused(run)
        assert run.exists() is not removed
