"""The command line end to end, on a small embedded study."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from raft_exp.apps.report.rescore import make_again
from raft_exp.evaluation.metrics import METRICS, Metric
from raft_exp.reporting.runs import open_runs
from tests.helpers.command_line import (
    SMALL,
    command,
    data_files,
    environment,
    raft_exp,
    run_folder,
    run_module,
    statuses,
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    done = raft_exp(folder, *SMALL)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_a_study_ends_with_a_table_and_the_path_of_the_report(study):
    folder, done = study
    for arm in ("base", "rag", "sft", "sft_rag", "raft"):
        assert f" {arm} " in done.stdout
    assert done.stdout.rstrip().splitlines()[-1] == f"report: {run_folder(folder) / 'report.html'}"
    assert "ran     train[raft]" in done.stderr
    assert "\x1b" not in done.stderr, "no colours and bars where nobody looks"


def test_the_run_folder_holds_what_the_contract_says(study):
    run = run_folder(study[0])
    for name in ("config.yaml", "plan.json", "results.json", "report.html", "report.md", "audit.json"):
        assert (run / name).stat().st_size > 0, name
    assert sorted(path.name for path in (run / "dataset").iterdir()) == [
        "closed_book.jsonl",
        "raft.jsonl",
        "test.jsonl",
        "test@k0.jsonl",
        "test@k4.jsonl",
    ]
    arms = ["base", "raft", "rag", "sft", "sft_rag"]
    shown = [f"{arm}@{at}" for arm in ("raft", "rag", "sft_rag") for at in ("k0", "k4")]
    assert sorted(path.stem for path in (run / "predictions").iterdir()) == sorted([*arms, *shown])
    plan = json.loads((run / "plan.json").read_text())
    assert set(plan[0]) == {"stage", "key", "path", "status", "seconds"}
    assert [row["status"] for row in plan] == ["ran"] * len(plan)
    results = json.loads((run / "results.json").read_text())
    assert {"corpus", "model", "seed", "overrides", "arms", "comparisons", "conditions", "slices"} <= set(results)
    assert results["overrides"] == ["+experiment=quickstart", *SMALL]
    assert sorted(results["arms"]) == arms
    with_passages = ["raft", "rag", "sft_rag"]
    assert {at: sorted(found) for at, found in results["conditions"].items()} == dict.fromkeys(
        ("k0", "k4"), with_passages
    )
    assert set(results["arms"]["raft"]["metrics"]["exact_match"]) == {"value", "low", "high"}
    row = json.loads((run / "dataset" / "raft.jsonl").read_text().splitlines()[0])
    assert {
        "id",
        "question",
        "answers",
        "context",
        "has_gold",
        "target",
        "target_grounded",
        "messages",
        "split",
    } <= set(row)
    assert {"id", "document_id", "title", "text", "gold"} <= set(row["context"][0])
    said = json.loads((run / "predictions" / "raft.jsonl").read_text().splitlines()[0])
    fields = {"id", "question", "answers", "context", "raw", "prediction", "parsed", "truncated", "quotes", "metrics"}
    assert fields <= set(said)
    assert str(study[0]) not in (run / "config.yaml").read_text(), "a resolved config holds no machine's path"


def test_all_arms_answer_the_same_questions_in_the_same_contexts(study):
    run = run_folder(study[0])
    files = [path for path in (run / "predictions").iterdir() if "@" not in path.stem]
    rows = {path.stem: [json.loads(line) for line in path.open()] for path in files}
    assert all([row["id"] for row in rows[arm]] == [row["id"] for row in rows["raft"]] for arm in rows)
    assert [row["context"] for row in rows["rag"]] == [row["context"] for row in rows["raft"]]
    assert all(row["context"] == [] for row in rows["base"] + rows["sft"])


@pytest.mark.slow
def test_a_report_is_made_again_from_the_files_of_a_run(study, tmp_path):
    run = run_folder(study[0])
    again = run_module("raft_exp.report", study[0], str(run), f"out={tmp_path}")
    assert again.stdout == f"report: {tmp_path / 'report.html'}\n", again.stderr
    assert (tmp_path / "results.json").read_text() == (run / "results.json").read_text()
    pages = [path for path in run.iterdir() if path.suffix in (".html", ".md", ".csv")]
    for file in [*pages, *(run / "predictions").iterdir()]:
        assert (tmp_path / file.relative_to(run)).read_bytes() == file.read_bytes(), file.name


@pytest.mark.slow
def test_a_report_made_again_in_place_leaves_the_store_alone(study):
    copy = run_folder(study[0]).with_name("copy")
    shutil.copytree(run_folder(study[0]), copy, symlinks=True)
    shown = copy / "predictions" / "raft.jsonl"
    kept = shown.resolve()
    before = kept.stat()
    assert make_again(open_runs([copy])[0][0], copy) == []
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not shown.is_symlink()
    assert shown.read_bytes() == kept.read_bytes()
    shutil.rmtree(copy)  # other tests take the newest run


@pytest.mark.slow
def test_a_copied_run_is_scored_again_without_its_store(study, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(run_folder(study[0]), copy)  # links become files
    plan = json.loads((copy / "plan.json").read_text())
    (copy / "plan.json").write_text(json.dumps([{**row, "path": f"/nowhere/{row['stage']}/x"} for row in plan]))
    before = json.loads((copy / "results.json").read_text())
    missing = make_again(open_runs([copy])[0][0], copy)
    assert any("no loss curve" in line for line in missing)
    after = json.loads((copy / "results.json").read_text())
    assert {name: arm["tokens"] for name, arm in after["arms"].items()} == {
        name: arm["tokens"] for name, arm in before["arms"].items()
    }
    assert {name: arm["metrics"] for name, arm in after["arms"].items()} == {
        name: arm["metrics"] for name, arm in before["arms"].items()
    }
    monkeypatch.setitem(METRICS, "exact_match", Metric(lambda row: 1.0, share=True))
    make_again(open_runs([copy])[0][0], copy)
    scored = json.loads((copy / "results.json").read_text())
    assert scored["arms"]["raft"]["metrics"]["exact_match"]["value"] == 1, "the metric changed, the replies did not"
    assert scored["overrides"] == before["overrides"]
    assert not list(copy.glob("*.partial"))


@pytest.mark.slow
def test_again_everything_is_reused_and_results_are_the_same(study):
    folder, _ = study
    first = json.loads((run_folder(folder) / "results.json").read_text())
    again = raft_exp(folder, *SMALL)
    assert again.returncode == 0, again.stderr
    assert set(statuses(run_folder(folder)).values()) == {"reused"}
    assert json.loads((run_folder(folder) / "results.json").read_text()) == first


def made_anew(folder):
    """What the newest run made anew; an arm's conditions go with the arm."""
    ran = [label for label, status in statuses(run_folder(folder)).items() if status == "ran"]
    return {re.sub(r"@\w+", "", label) for label in ran}


@pytest.mark.slow
def test_another_lora_trains_and_answers_anew_and_nothing_else(study):
    folder, _ = study
    assert raft_exp(folder, *SMALL, "lora.r=4", "evaluation.conditions=null").returncode == 0
    trained = {"train[closed_book]", "train[raft]", "evaluate[sft]", "evaluate[sft_rag]", "evaluate[raft]", "report"}
    assert made_anew(folder) == trained


@pytest.mark.slow
def test_another_metric_scores_the_same_answers_anew_and_nothing_else(study):
    folder, _ = study
    assert raft_exp(folder, *SMALL, "evaluation.metrics=[best_subspan_em]").returncode == 0
    assert made_anew(folder) == {"report"}
    found = json.loads((run_folder(folder) / "results.json").read_text())
    assert found["metrics"][-1] == "best_subspan_em"
    assert all("best_subspan_em" in arm["metrics"] for arm in found["arms"].values())
    rows = (run_folder(folder) / "predictions" / "raft.jsonl").read_text().splitlines()
    assert all("best_subspan_em" in json.loads(row)["metrics"] for row in rows)


@pytest.mark.slow
def test_another_p_reuses_what_does_not_see_it(study):
    folder, _ = study
    assert raft_exp(folder, *SMALL, "dataset.p=0.4").returncode == 0
    assert made_anew(folder) == {"dataset[raft]", "train[raft]", "evaluate[raft]", "report"}


def test_a_finished_run_is_read_from_its_own_config(study):
    values = yaml.safe_load((run_folder(study[0]) / "config.yaml").read_text())
    from raft_exp.corpora.almanac import AlmanacConfig
    from raft_exp.pipeline.parsing import parse

    corpus = parse(values).corpus
    assert isinstance(corpus, AlmanacConfig)
    assert corpus.num_entities == 100


@pytest.mark.slow
def test_the_audit_of_the_datasets_needs_no_report(study):
    folder, finished = study
    report = Path(finished.stdout.rstrip().splitlines()[-1].removeprefix("report: "))
    whole = (report.parent / "audit.json").read_text()  # of the study itself: other tests run others beside it
    done = raft_exp(folder, *SMALL, "until=dataset", "hydra.run.dir=datasets")
    assert done.returncode == 0, done.stderr
    assert (folder / "datasets" / "audit.json").read_text() == whole
    assert {"datasets", "test", "conditions"} <= set(json.loads(whole))
    assert not (folder / "datasets" / "report.html").exists()


@pytest.mark.slow
def test_an_adapter_made_elsewhere_is_an_arm(study, tmp_path):
    folder, _ = study
    adapter = run_folder(folder) / "adapters" / "raft"
    ready = f"+arms.ready={{recipe:none,context:passages,cot:true,adapter:'{adapter}',dataset:{{}}}}"
    done = raft_exp(folder, *SMALL, ready, "evaluation.arms=[rag,ready]")
    assert done.returncode == 0, done.stderr
    missing = ready.replace(str(adapter), str(tmp_path))
    done = raft_exp(folder, *SMALL, missing, "evaluation.arms=[rag,ready]")
    assert done.returncode == 2
    assert "arms.ready.adapter" in done.stderr
    assert "adapter_config.json is missing" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("own_process", ["", "1"])
def test_a_disk_that_is_full_during_training_says_so(study, tmp_path, own_process):
    shutil.copytree(study[0] / "store", tmp_path / "store")
    # only the optimiser's large state is over the limit
    arguments = [*SMALL, "lora.r=512", "evaluation.arms=[raft]", "hydra/job_logging=none"]
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 3000; exec "$@"', "-", *command(*arguments)],
        cwd=tmp_path,
        env=environment(RAFT_EXP_OWN_PROCESS=own_process),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert "store=" in last
    assert "choose another folder with store=PATH" in last
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_store_is_listed_and_pruned(study, tmp_path):
    folder, _ = study
    listed = run_module("raft_exp.store", folder, "ls")
    assert listed.returncode == 0, listed.stderr
    assert "train[raft]" in listed.stdout
    small = (f"store={tmp_path / 'store'}", "until=ingest", "corpus.num_entities=50")
    assert raft_exp(tmp_path, *small).returncode == 0
    (tmp_path / "store" / "ledger").mkdir()
    (tmp_path / "store" / "ledger" / "paid.jsonl").write_text("{}\n")
    (tmp_path / "store" / "extracted" / "writing-1").mkdir(parents=True)
    run_folder(tmp_path).rename(tmp_path / "moved")  # no run shows it any more
    assert raft_exp(tmp_path, *small, "corpus.num_entities=60").returncode == 0
    pruned = run_module("raft_exp.store", tmp_path, "prune", f"store={tmp_path / 'store'}", "yes=true")
    assert "removed 1 results" in pruned.stdout, pruned.stderr
    assert len(list((tmp_path / "store" / "ingest").glob("*/manifest.json"))) == 1
    assert (tmp_path / "store" / "ledger" / "paid.jsonl").exists()
    assert (tmp_path / "store" / "extracted" / "writing-1").exists()


@pytest.mark.slow
def test_stages_in_processes_of_their_own_end_in_the_same_bytes(study, tmp_path):
    folder, _ = study
    few = ("evaluation.arms=[raft]", "evaluation.conditions=null")
    done = raft_exp(tmp_path, *SMALL, *few, RAFT_EXP_OWN_PROCESS="1")
    assert done.returncode == 0, done.stderr
    ours, theirs = data_files(tmp_path / "store"), data_files(folder / "store")
    same = [name for name in ours if name.startswith(("dataset/", "train/", "evaluate/"))]
    assert same
    assert all(ours[name] == theirs[name] for name in same)
    assert os.path.exists(run_folder(tmp_path) / "adapters" / "raft" / "adapter_model.safetensors")
