"""What the command line shows of exports."""

import json

from tests.studies import raft_exp, run_folder, statuses

SMALL = ("model=tiny", "corpus.num_entities=40", "evaluation.arms=[raft]")


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
