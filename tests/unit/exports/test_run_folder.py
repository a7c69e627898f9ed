"""What the command line shows of exports."""

import json

import pytest

from tests.helpers.command_line import raft_exp, run_folder, statuses

SMALL = ("model=tiny", "corpus.num_entities=40", "evaluation.arms=[raft]")


@pytest.mark.slow
def test_exports_stand_in_the_run_folder_when_the_datasets_do(tmp_path):
    for until in ("dataset", "export"):
        done = raft_exp(tmp_path, *SMALL, f"until={until}", "export.dataset=[chat,eval]", "export.passages=true")
        assert done.returncode == 0, done.stderr
        run = run_folder(tmp_path)
        names = {path.name for path in (run / "exports").iterdir()}
        assert {"raft.chat.jsonl", "raft.eval.jsonl", "test.eval.jsonl", "passages.jsonl"} <= names
        assert list(statuses(run))[-1] == "export"
        ids = [json.loads(line)["id"] for line in (run / "dataset" / "raft.jsonl").open() if '"split": "train"' in line]
        assert [json.loads(line)["id"] for line in (run / "exports" / "raft.chat.jsonl").open()] == ids
    done = raft_exp(tmp_path, *SMALL, "until=dataset", "dataset.path=nowhere.jsonl")
    assert done.returncode == 2
    assert done.stderr.startswith("ConfigError: dataset.path='nowhere.jsonl' (arm raft): no such file")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_passages_go_into_the_file_that_is_named(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "a.txt").write_text("The mill of Velmor has three wheels. It stands by the river.")
    ask = ("corpus=documents", f"corpus.path={own}", "until=ingest")
    file = tmp_path / "new" / "passages.jsonl"
    for status in ("ran", "reused"):
        done = raft_exp(tmp_path, *ask, f"export.passages={file}")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"passages: {file}"
        assert set(statuses(run_folder(tmp_path)).values()) == {status}
        assert [json.loads(line)["document_id"] for line in file.open()] == ["a.txt"]
        assert list(file.parent.iterdir()) == [file]
        file.write_text("old")
    assert raft_exp(tmp_path, *ask, f"export.passages={file}").returncode == 0
    back = raft_exp(tmp_path, "corpus=passages", f"corpus.path={file}", "until=ingest")
    assert "1 passages" in back.stdout + back.stderr
    (tmp_path / "folder.jsonl").mkdir()
    for wrong, told in [
        (own / "passages.jsonl", "lies in corpus.path"),
        (tmp_path / "folder.jsonl", "a folder; name a file"),
        ("ture", "must be true, false, or the name of a file that ends in .jsonl"),
        (own / "a.txt" / "passages.jsonl", "lies in corpus.path"),
        (file / "passages.jsonl", "the passages are in"),
    ]:
        refused = raft_exp(tmp_path, *ask, f"export.passages={wrong}")
        assert refused.returncode == 2
        assert "Traceback" not in refused.stderr
        assert told in refused.stderr.splitlines()[-1]
    several = raft_exp(tmp_path, *ask, f"export.passages={file}", "export.format=hf")
    assert "export.format=jsonl or parquet" in several.stderr


@pytest.mark.slow
def test_a_push_that_fails_is_one_line_after_a_whole_study(tmp_path):
    wanted = (*SMALL, "until=dataset", "export.dataset=chat", "export.format=hf", "export.push_to_hub=me/towns")
    for status in ("ran", "reused"):
        done = raft_exp(tmp_path, *wanted)
        assert done.returncode == 2, done.stderr
        told = [line for line in done.stderr.splitlines() if "cannot be pushed" in line]
        assert told == done.stderr.splitlines()[-1:]
        assert told[0].startswith("DataError: export.push_to_hub='me/towns' cannot be pushed: HF_HUB_OFFLINE is set")
        run = run_folder(tmp_path)
        assert set(statuses(run).values()) == {status}
        assert (run / "exports" / "hf" / "README.md").is_file()
