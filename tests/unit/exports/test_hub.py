"""Pushing to the hub, with the hub's client replaced where a network would be needed."""

from types import SimpleNamespace

import huggingface_hub
import pytest

from raft_exp.apps import cli
from raft_exp.core.errors import DataError
from raft_exp.exports import hub
from tests.helpers.command_line import statuses
from tests.helpers.composing import compose

WANTED = ("corpus.num_entities=40", "evaluation.arms=[sft]", "export.dataset=chat", "export.format=hf")
PUSHED = (*WANTED, "export.push_to_hub=me/towns")


def study(folder, *overrides, until="dataset"):
    """A run of the command line, without the command; the run folder."""
    made = folder / f"run{len(list(folder.iterdir()))}"
    made.mkdir()
    cli.study(compose(*overrides, f"store={folder / 'store'}", f"until={until}"), made, list(overrides))
    return made


class Recorder:
    def __init__(self) -> None:
        self.calls: list[tuple[str, dict]] = []

    def create_repo(self, repository, **how):
        self.calls.append((repository, how))

    def upload_folder(self, **how):
        self.calls.append((how["repo_id"], how))
        return SimpleNamespace(oid="abc")


@pytest.fixture
def online(monkeypatch):
    """A hub that answers, and a token for it."""
    recorder = Recorder()
    monkeypatch.setattr(hub, "why_no_hub", lambda: "")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_x")
    for name in ("create_repo", "upload_folder"):
        monkeypatch.setattr(huggingface_hub.HfApi, name, staticmethod(getattr(recorder, name)))
    return recorder


@pytest.mark.slow
def test_the_run_folders_files_are_pushed_private_and_by_every_run(online, tmp_path, capsys):
    made = study(tmp_path, *PUSHED)
    created, uploaded = online.calls
    assert created == ("me/towns", {"repo_type": "dataset", "private": True, "exist_ok": True})
    assert uploaded[0] == "me/towns"
    assert uploaded[1]["repo_type"] == "dataset"
    assert uploaded[1]["folder_path"] == str(made / "exports" / "hf")
    assert (made / "exports" / "hf" / "README.md").is_file()
    assert capsys.readouterr().out == "pushed: me/towns (abc)\n"
    again = study(tmp_path, *PUSHED, "export.private=false")
    assert set(statuses(again).values()) == {"reused"}
    assert len(online.calls) == 4
    assert online.calls[2][1]["private"] is False


def test_nothing_is_pushed_where_nothing_is_exported(online, tmp_path):
    study(tmp_path, *PUSHED, until="questions")
    study(tmp_path, *WANTED)
    assert online.calls == []


def test_a_push_that_fails_loses_nothing_and_can_be_done_again(online, monkeypatch, tmp_path):
    with monkeypatch.context() as offline:
        offline.setattr(hub, "why_no_hub", lambda: "HF_HUB_OFFLINE is set")
        with pytest.raises(DataError) as error:
            study(tmp_path, *PUSHED)
    files = tmp_path / "run0" / "exports" / "hf"
    assert str(error.value) == (
        "export.push_to_hub='me/towns' cannot be pushed: HF_HUB_OFFLINE is set; push from a machine with access "
        f"to the hub (the files are in {files})"
    )
    assert (files / "README.md").is_file()
    assert statuses(tmp_path / "run0")["export"] == "ran"
    assert set(statuses(study(tmp_path, *PUSHED)).values()) == {"reused"}
    assert [name for name, _ in online.calls] == ["me/towns"] * 2


def test_without_a_token_one_line_tells(online, monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(DataError, match=r"no token was found; set HF_TOKEN"):
        hub.push(tmp_path, "me/towns", True)
    assert online.calls == []


def test_what_the_hub_refuses_is_one_line(online, monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise RuntimeError("403 Forbidden: no rights\nRequest ID: 1")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", refuse)
    with pytest.raises(DataError) as error:
        hub.push(tmp_path, "me/towns", True)
    assert "403 Forbidden: no rights; check the repository name" in str(error.value)
    assert "\n" not in str(error.value)
