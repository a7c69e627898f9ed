import time

import pytest

from raft_exp.core.errors import DataError
from raft_exp.core.hub import why_no_hub
from raft_exp.corpora.readers import hub

REVISION = "9001f2853fb87cab8d220904e0de81ac6973b318"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    why_no_hub.cache_clear()
    yield tmp_path / "datasets--owner--name" / "snapshots" / REVISION
    why_no_hub.cache_clear()


def test_cached_files_need_no_network(cache):
    (cache / "part").mkdir(parents=True)
    for name in ("b.parquet", "a.parquet"):
        (cache / "part" / name).touch()
    assert [path.name for path in hub.fetch("owner/name", REVISION, "part/*.parquet")] == ["a.parquet", "b.parquet"]


def test_missing_network_answers_at_once_in_one_line(cache):
    start = time.monotonic()
    with pytest.raises(DataError, match=r"'owner/name' .*does not answer.*corpus\.path=DIR.*HF_HOME") as error:
        hub.fetch("owner/name", REVISION, "part/*.parquet")
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < 10  # the client's own retries take more than 20 s


def test_partly_cached_is_not_taken_for_whole(cache):
    (cache / "other").mkdir(parents=True)
    with pytest.raises(DataError, match="does not answer"):
        hub.fetch("owner/name", REVISION, "part/*.parquet")


def test_a_download_that_was_cut_off_is_not_taken_for_whole(cache):
    (cache / "part").mkdir(parents=True)
    (cache / "part" / "train-00000-of-00002.parquet").touch()
    with pytest.raises(DataError, match="does not answer"):
        hub.fetch("owner/name", REVISION, "part/*.parquet")
    (cache / "part" / "train-00001-of-00002.parquet").touch()
    assert len(hub.fetch("owner/name", REVISION, "part/*.parquet")) == 2


def test_offline_mode_says_so(cache, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="HF_HUB_OFFLINE is set"):
        hub.fetch("owner/name", REVISION, "part/*.parquet")


def test_a_failed_download_is_one_line(cache, monkeypatch):
    def fail(*args, local_files_only=False, **kwargs):
        from huggingface_hub.errors import LocalEntryNotFoundError

        raise LocalEntryNotFoundError("no") if local_files_only else RuntimeError("503 of the server\nand more")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    monkeypatch.setattr(hub, "why_no_hub", lambda: "")
    with pytest.raises(DataError, match="RuntimeError: 503 of the server;") as error:
        hub.fetch("owner/name", REVISION, "part/*.parquet")
    assert "\n" not in str(error.value)
