"""A published study: what was asked, run and found; nothing half, nothing written over."""

import json
import re

import pytest
import yaml

from tests.helpers.command_line import SMALL, raft_exp, run_folder, run_module
from tests.helpers.report_study import Study, example


def publish(folder, *arguments):
    return run_module("raft_exp.publish", folder, *map(str, arguments))


@pytest.mark.slow
def test_a_study_is_published_once(tmp_path):
    done = raft_exp(tmp_path, *SMALL, "evaluation.arms=[rag,raft]", f"store={tmp_path / 'own_store'}")
    assert done.returncode == 0, done.stderr
    folder, run = tmp_path, run_folder(tmp_path)
    done = publish(folder, run, "004_rag_and_raft", "question=Does it | read?")
    assert done.returncode == 0, done.stderr
    made = folder / "experiments" / "004_rag_and_raft"
    assert sorted(path.name for path in made.iterdir()) == ["README.md", "config.yaml", "figure.svg", "results.json"]
    page = (made / "README.md").read_text()
    assert page.startswith("# 004: Does it | read?\n")
    assert "python -m raft_exp +experiment=quickstart model=tiny" in page
    assert 0 < page.index("- Warning: ") < page.index("**Result.**"), "what makes the verdict invalid stands before it"
    results = json.loads((made / "results.json").read_text())
    shown = json.loads((run / "results.json").read_text())
    assert shown["overrides"].pop() == f"store={tmp_path / 'own_store'}"
    assert results == shown
    assert not [file for file in made.iterdir() if str(tmp_path) in file.read_text()], "no path of this machine"
    for arm in ("rag", "raft", "raft@k0"):
        figure = results["arms"].get(arm) or results["conditions"]["k0"]["raft"]
        value = f"{100 * figure['metrics']['exact_match']['value']:.1f}"
        assert re.search(rf"^\| `{arm}` \| {value} \(", page, re.MULTILINE), page
    assert yaml.safe_load((made / "config.yaml").read_text())["corpus"]["num_entities"] == 100
    figure = (made / "figure.svg").read_text()
    assert "var(" not in figure
    assert "currentColor" not in figure, "the file brings its own colours"
    again = publish(folder, run, "004_rag_and_raft")
    assert again.returncode == 2
    assert "exists already" in again.stderr


@pytest.mark.slow
def test_a_publication_shows_what_the_report_shows_and_no_folder_of_the_machine(tmp_path):
    folder = "/home/anna/secret project"
    labels = ["yes", "no"] * 30
    study = Study(tmp_path / "study", [example(number, label) for number, label in enumerate(labels)])
    study.config["model"] = f"{folder}/weights"
    study.say("base", *["no"] * 60)
    study.say("rag", *["no", "yes"] * 30)
    study.say("raft", *labels)
    targets = tmp_path / "targets"
    targets.mkdir()
    lost = {"asked": 22, "kept": 6, "quarantined": 16, "asked_again": 16, "reasons": {"long_answer": 16}, "splits": {}}
    (targets / "audit.json").write_text(json.dumps(lost))
    run = study.run(targets=targets)
    results = json.loads((run / "results.json").read_text())
    results["overrides"] = [f"corpus.path='{folder}/documents'", "corpus.questions=data/questions.csv", "seed=0"]
    (run / "results.json").write_text(json.dumps(results))
    (run / "plan.json").write_text(json.dumps([]))
    corpus = {"path": f"{folder}/documents", "questions": "data/questions.csv"}
    (run / "config.yaml").write_text(yaml.safe_dump({"store": "x", "corpus": corpus, "evaluation": {"metrics": []}}))
    assert publish(tmp_path, run, "004_x").returncode == 0
    made = tmp_path / "experiments" / "004_x"
    assert not [file.name for file in made.iterdir() if "secret project" in file.read_text()]
    page = (made / "README.md").read_text()
    assert "'corpus.path=…/documents' corpus.questions=data/questions.csv seed=0" in page
    assert yaml.safe_load((made / "config.yaml").read_text())["corpus"] == {**corpus, "path": "…/documents"}
    assert json.loads((made / "results.json").read_text())["model"] == "…/weights"
    assert "- 16 of 22 questions got no usable target and are in no training set (72.7%): 16 long answer.\n" in page
    assert "- Warning: 16 of 22 questions (72.7%) got no usable target" in page
    assert re.search(r"^\| `rag` \| 0\.0 \(0\.0-\d+\.\d\) \\\* \|", page, re.MULTILINE)
    assert re.search(r"^\| `raft` \| 100\.0 \([^|]*\) \|", page, re.MULTILINE), "no mark on the reference arm"
    assert "\\* differs from raft (p < 0.05 after Holm's correction" in page


@pytest.mark.slow
def test_a_partial_run_is_refused(tmp_path):
    plan = [{"stage": stage, "status": "ran"} for stage in ("ingest", "questions", "report")]
    for name, rows, results, message in (
        (
            "planned",
            [*plan[:-1], plan[-1] | {"status": "planned"}],
            True,
            r"the run is not finished \(report planned\)",
        ),
        ("failed", [plan[0] | {"status": "failed"}], True, r"the run is not finished \(ingest failed\)"),
        ("until", plan[:2], False, r"no results\.json; run the study to its end"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").write_text(json.dumps(rows))
        if results:
            (tmp_path / name / "results.json").write_text("{}")
        done = publish(tmp_path, tmp_path / name, "004_x")
        assert done.returncode == 2
        assert re.search(message, done.stderr), done.stderr
    done = publish(tmp_path, tmp_path / "nowhere", "004_x")
    assert "no such folder" in done.stderr
    assert not (tmp_path / "experiments").exists()


@pytest.mark.slow
def test_a_sweep_is_published_when_every_job_is_done(tmp_path):
    sweep = ("-m", *SMALL, "evaluation.arms=[rag,raft]", "~evaluation.conditions.k0", "~evaluation.conditions.k4")
    folder = tmp_path / "runs" / "own" / "sweep_0"
    done = raft_exp(tmp_path, *sweep, "dataset.p=0.2,1", "seed=0,1", f"hydra.sweep.dir={folder}")
    assert done.returncode == 0, done.stderr
    done = publish(tmp_path, folder, "005_p")
    assert done.returncode == 0, done.stderr
    made = tmp_path / "experiments" / "005_p"
    page = (made / "README.md").read_text()
    assert "python -m raft_exp -m +experiment=quickstart" in page
    assert "dataset.p=0.2,1 seed=0,1" in page
    assert len(re.findall(r"^\| p=", page, re.MULTILINE)) == 2, "the seeds are pooled"
    assert "<svg" in (made / "figure.svg").read_text()
    runs = [list(entry["runs"]) for entry in json.loads((made / "results.json").read_text())["settings"]]
    assert runs == [["0", "1"]] * 2
    assert str(tmp_path) not in page
    assert raft_exp(tmp_path, *sweep, "dataset.p=0.2,7").returncode == 2
    broken = max(tmp_path.glob("runs/*/sweep_*"))
    refused = publish(tmp_path, broken, "006_p")
    assert "unfinished jobs of the sweep: 1;" in refused.stderr
    (broken / "sweep.json").unlink()
    assert "the sweep is not finished" in publish(tmp_path, broken, "006_p").stderr
