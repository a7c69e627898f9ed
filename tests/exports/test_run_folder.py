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
