"""Whole studies with a teacher behind a server, in processes of their own: to the end, interrupted, and killed."""

import json
import random
import signal
import time
from pathlib import Path

import pytest

from tests.helpers import command_line
from tests.helpers.command_line import run_folder
from tests.helpers.scripted_server import Refuse, Say, ScriptedServer
from tests.helpers.scripted_teacher import corpus, good, of_any_passage, script, teacher
from tests.helpers.warm_process import Running

KEY = "sk-planted-0123456789abcdef"
SMALL = (
    "model=tiny",
    "trainer=cpu",
    "trainer.threads=1",
    "trainer.max_steps=3",
    "trainer.batch_size=4",
    "model.max_new_tokens=32",
    "dataset.num_distractors=2",
    "evaluation.num_distractors=2",
    "evaluation.max_items=6",
)


def start(folder: Path, *overrides: str, experiment: str = "passages") -> Running:
    return command_line.start(folder, f"+experiment={experiment}", *SMALL, *overrides, SCRIPTED_KEY=KEY)


def ledger(folder: Path) -> list[dict]:
    file = folder / "store" / "ledger" / "scripted-1.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def until(reached) -> None:
    limit = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < limit
        time.sleep(0.002)


@pytest.mark.slow
def test_from_passages_to_the_report_and_the_key_is_nowhere(tmp_path):
    ask = [*corpus(tmp_path, questions=False), "logger=wandb"]
    bad = {
        0: lambda times: Refuse(400, message=f"no such thing: {KEY}"),
        1: lambda times: None if times else Refuse(500, message=KEY),
    }
    with ScriptedServer(script(bad)) as server:
        running = start(tmp_path, *ask, *teacher(server), "teacher.prices={prompt:2.0,reply:8.0}")
        status, told, errors = running.finish()
    assert status == 0, errors
    assert server.keys == {f"Bearer {KEY}"}
    run = run_folder(tmp_path)
    results = json.loads((run / "results.json").read_text())
    arms = {"base", "rag", "rag_cot", "sft", "sft_rag", "sft_matched", "oracle_sft", "raft"}
    assert set(results["arms"]) == arms
    audit = json.loads((run / "audit.json").read_text())
    assert audit["questions"]["written"]["reasons"]["refused_by_server"] == 1
    assert audit["targets"]["kept"] == audit["targets"]["asked"] > 30
    assert audit["targets"]["cost"] > 0
    page = (run / "report.md").read_text()
    assert "of 40 passages gave no usable question" in page
    assert "refused by server" in page
    assert (run / "quarantine" / "questions.jsonl").exists()
    files = [path.read_bytes().decode(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    for written in (told, errors, *files):
        assert KEY not in written
    assert list(tmp_path.rglob("*.wandb")), "nothing was logged"


@pytest.mark.slow
def test_a_folder_of_files_becomes_a_study(tmp_path, test_data):
    few = ("corpus.max_items=80", "teacher.questions.held_out_passages=10", "teacher.questions.n=2")
    loose = ("dataset.allow_fewer=true", "evaluation.allow_fewer=true")
    with ScriptedServer(of_any_passage) as server:
        files = f"corpus.path={test_data / 'documents' / 'ok'}"
        running = start(tmp_path, *loose, *few, files, *teacher(server), experiment="documents")
        status, _, errors = running.finish()
    assert status == 0, errors
    audit = json.loads((run_folder(tmp_path) / "audit.json").read_text())
    assert audit["questions"]["written"]["kept"] > 40
    assert audit["targets"]["kept"] > 0.8 * audit["targets"]["asked"]
    rows = [json.loads(line) for line in (run_folder(tmp_path) / "dataset" / "raft.jsonl").read_text().splitlines()]
    assert len(rows) == audit["targets"]["kept"]
    split = {(row["split"], passage["document_id"]) for row in rows for passage in row["context"] if passage["gold"]}
    assert {name for kind, name in split if kind == "train"}.isdisjoint(name for kind, name in split if kind != "train")


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_paid_and_says_how_to_go_on(tmp_path):
    ask = corpus(tmp_path, 60)
    with ScriptedServer(lambda prompt, _: Say(good(prompt).text, delay=0.4)) as server:
        running = start(tmp_path, *ask, *teacher(server, in_flight=4), "until=targets")
        until(lambda: len(server.asked) >= 9)
        running.send_signal(signal.SIGINT)
        status, _, errors = running.finish()
        assert status == 1
        assert "have replies; press Ctrl-C again to stop at once" in errors
        assert f"{len(server.asked)} replies of scripted-1 are stored in" in errors
        assert "to continue, repeat the command, which requests only the missing ones" in errors
        assert "Traceback" not in errors
        assert len(ledger(tmp_path)) == len(server.asked) < 20
        running = start(tmp_path, *ask, *teacher(server, in_flight=20), "until=targets")
        assert running.finish()[0] == 0
        assert len(server.asked) == 48


@pytest.mark.slow
def test_kill_9_at_twenty_moments_pays_at_most_what_was_in_flight_twice(tmp_path):
    ask, chance = [*corpus(tmp_path, 2500), "until=targets"], random.Random(9)
    with ScriptedServer(lambda prompt, _: Say(good(prompt).text, delay=0.02)) as server:
        how = [*ask, *teacher(server, in_flight=16), "teacher.targets.temperature=0.9"]
        for kill in range(1, 21):
            moment = len(server.asked) + chance.randint(1, 85)
            running = start(tmp_path, *how)
            until(lambda moment=moment, running=running: len(server.asked) >= moment or running.has_ended())
            time.sleep(chance.random() / 20)
            assert running.kill() == -signal.SIGKILL, "it was finished"
            time.sleep(0.1)  # what was in flight arrives at the server
            assert len(server.asked) - len(ledger(tmp_path)) <= kill * 16
        assert start(tmp_path, *how).finish()[0] == 0
        asked = len(server.asked)
    with ScriptedServer(lambda prompt, _: good(prompt)) as other:
        whole = start(tmp_path, *ask, *teacher(other), "teacher.targets.temperature=0.9", "store=other")
        assert whole.finish()[0] == 0
    assert asked - 2000 <= 20 * 16
    broken, unbroken = (next((tmp_path / name / "targets").glob("*/targets.jsonl")) for name in ("store", "other"))
    assert broken.read_bytes() == unbroken.read_bytes()
    assert len({row["key"] for row in ledger(tmp_path)}) == 2000
    print(f"paid twice: {asked - 2000} of 2000, in 20 kills with 16 in flight")
