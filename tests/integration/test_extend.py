"""The recipes of docs/extend, run as they are written: their files in a copy of the package, then their commands."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers import pages
from tests.helpers.command_line import raft_exp, run_folder, run_words
from tests.helpers.scripted_server import ScriptedServer
from tests.helpers.scripted_teacher import corpus, good, teacher

EXTEND = pages.ROOT / "docs" / "extend"
# Appended to the commands of the pages: the shortest form of each study.
SHORT = ("+debug=short", "corpus.num_entities=400", "model=tiny", "model.max_new_tokens=32")


def with_page(folder: Path, name: str) -> list[list[str]]:
    """A copy of the package and of conf/ with the files of a page; returns the words of its commands."""
    for source in ("raft_exp", "conf", "hydra_plugins"):
        shutil.copytree(pages.ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
    pages.write(EXTEND / f"{name}.md", folder)
    return [line.words() for line in pages.commands(EXTEND / f"{name}.md") if "RUN" not in line.text]


def run(folder: Path, words: list[str], *more: str) -> subprocess.CompletedProcess[str]:
    done = run_words(folder, *words[1:], *(more if "raft_exp" in words else ()), SCRIPTED_KEY="key")
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stderr}"
    return done


def results(folder: Path) -> dict:
    found: dict = json.loads((run_folder(folder) / "results.json").read_text())
    return found


def rows(folder: Path, name: str) -> list[dict]:
    lines = (run_folder(folder) / "dataset" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_every_recipe_has_a_file_and_a_command():
    for page in sorted(EXTEND.glob("*.md")):
        if page.stem != "index":
            assert pages.files(page), page
            assert list(pages.commands(page)), page


@pytest.mark.slow
def test_the_corpus_works_as_written(tmp_path):
    made, study = with_page(tmp_path, "corpus")
    run(tmp_path, made)
    run(tmp_path, study, "until=dataset")
    folder = run_folder(tmp_path)
    assert folder.parent.name == "notes"
    trained = rows(tmp_path, "raft")
    assert {row["split"] for row in trained} == {"train", "validation"}
    assert len(trained) == 40 - len(rows(tmp_path, "test")) == 32
    assert all("##Reason" in row["target"] for row in trained), "the sentence with the answer is the evidence"
    without = [word for word in study[3:] if not word.startswith("corpus.questions")]
    done = raft_exp(tmp_path, *without, "until=dataset")
    assert done.returncode == 2
    assert "has no train questions" in done.stderr
    done = raft_exp(tmp_path, "+experiment=notes", "dry_run=true")
    assert done.stderr.startswith("ConfigError: corpus.path: got None; must be a valid string")


@pytest.mark.slow
def test_the_task_works_as_written(tmp_path):
    study, judged = with_page(tmp_path, "task")
    corpus(tmp_path)
    run(tmp_path, judged, "model=tiny", "trainer=cpu", "dry_run=true")
    (plan,) = tmp_path.glob("runs/unfinished/*/config.yaml")
    assert "Judge whether a reply is polite." in plan.read_text()
    with ScriptedServer(lambda prompt, times: good(prompt)) as server:
        run(tmp_path, study, *teacher(server)[1:], "model=tiny", "trainer=cpu")
        prompts = [str(request) for request in server.asked]
    assert prompts
    assert all("Copy the one sentence that holds the answer" in prompt for prompt in prompts)
    assert list(tmp_path.glob("store/targets/*/manifest.json"))


@pytest.mark.slow
def test_the_experiment_works_as_written(tmp_path):
    planned, whole, on_top, _ = with_page(tmp_path, "experiment")  # the last one needs PubMedQA's files
    plan = run(tmp_path, planned)
    assert "planned" in plan.stdout + plan.stderr
    run(tmp_path, whole, *SHORT)
    assert run_folder(tmp_path).parent.name == "six_distractors"
    assert set(results(tmp_path)["arms"]) == {"rag", "raft"}
    run(tmp_path, on_top, *SHORT)
    assert not any("##Reason" in row["target"] for row in rows(tmp_path, "raft"))


@pytest.mark.slow
def test_the_arm_works_as_written(tmp_path):
    (study,) = with_page(tmp_path, "arm")
    run(tmp_path, study, *SHORT)
    assert set(results(tmp_path)["arms"]) == {"rag", "raft", "raft_refuse"}
    without_gold = [row for row in rows(tmp_path, "raft_refuse") if not row["has_gold"]]
    assert any("do not hold the answer" in row["target"] for row in without_gold)


@pytest.mark.slow
def test_the_prompts_work_as_written(tmp_path):
    preview, study, chosen = with_page(tmp_path, "prompt")
    assert "You are a careful clerk" in run(tmp_path, preview, *SHORT).stdout
    run(tmp_path, study, *SHORT)
    run(tmp_path, chosen, *SHORT)
    tried = results(tmp_path)["selection"]
    assert {"plain", "terse"} <= {candidate["name"] for choice in tried.values() for candidate in choice["candidates"]}


@pytest.mark.slow
def test_the_metric_works_as_written(tmp_path):
    (study,) = with_page(tmp_path, "metric")
    run(tmp_path, study, *SHORT)
    arms = results(tmp_path)["arms"]
    assert all("first_word" in arm["metrics"] for arm in arms.values())


@pytest.mark.slow
def test_the_engine_works_as_written(tmp_path):
    of_arm, of_study = with_page(tmp_path, "engine")
    run(tmp_path, of_arm, *SHORT)
    predictions = (run_folder(tmp_path) / "predictions" / "always_yes.jsonl").read_text().splitlines()
    assert {json.loads(line)["raw"] for line in predictions} == {"##Answer: yes"}
    run(tmp_path, of_study, *SHORT)
    assert set(results(tmp_path)["arms"]) == {"base"}
