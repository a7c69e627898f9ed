"""Pushing to the hub, with the hub's client replaced where a network would be needed."""

from types import SimpleNamespace

import huggingface_hub
import pytest

from raft_exp.errors import DataError
from raft_exp.exports import hub
from tests.rooms import run

WANTED = ("corpus.num_entities=40", "evaluation.arms=[sft]", "export.dataset=chat", "export.format=hf")


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


def test_the_folder_is_pushed_once_and_private(online, tmp_path):
    made = run(tmp_path, *WANTED, "export.push_to_hub=me/towns")
    created, uploaded = online.calls
    assert created == ("me/towns", {"repo_type": "dataset", "private": True, "exist_ok": True})
    assert uploaded[0] == "me/towns"
    assert uploaded[1]["repo_type"] == "dataset"
    assert (made["export"] / "exports" / "hf" / "README.md").is_file()
    run(tmp_path, *WANTED, "export.push_to_hub=me/towns")
    assert len(online.calls) == 2, "what is pushed is not pushed again"
    run(tmp_path, *WANTED, "export.push_to_hub=me/towns", "export.private=false")
    assert online.calls[2][1]["private"] is False


def test_without_network_one_line_tells_and_the_data_is_made_anew_later(tmp_path):
    with pytest.raises(DataError) as error:  # the tests run with HF_HUB_OFFLINE
        run(tmp_path, *WANTED, "export.push_to_hub=me/towns")
    told = str(error.value)
    assert told.startswith("export.push_to_hub='me/towns' cannot be pushed: HF_HUB_OFFLINE is set")
    assert "\n" not in told
    assert "export" in run(tmp_path, *WANTED)


def test_without_a_token_one_line_tells(online, monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(DataError, match=r"there is no token; set HF_TOKEN"):
        hub.push(tmp_path, "me/towns", True)
    assert online.calls == []


def test_what_the_hub_refuses_is_one_line(online, monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise RuntimeError("403 Forbidden: no rights\nRequest ID: 1")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", refuse)
    with pytest.raises(DataError) as error:
        hub.push(tmp_path, "me/towns", True)
    assert "403 Forbidden: no rights; check the name" in str(error.value)
    assert "\n" not in str(error.value)
