"""A judge on the command line: a killed study pays nothing twice, and its report shows the judge."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from raft_exp.evaluation.results import read_predictions
from tests.helpers import scripted_judge, scripted_teacher
from tests.helpers.command_line import command, environment, run_folder, statuses
from tests.helpers.scripted_server import Say, ScriptedServer

SMALL = (
    *("+experiment=passages", "model=tiny", "trainer=cpu", "trainer.threads=1", "trainer.max_steps=1"),
    *("trainer.batch_size=2", "model.max_new_tokens=8", "evaluation.arms=[rag,raft]", "evaluation.conditions=null"),
    *("dataset.num_distractors=1", "evaluation.num_distractors=1", "study=judged"),
)


def study(folder: Path, *overrides: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(*SMALL, *overrides, f"store={folder / 'store'}"),
        cwd=folder,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
def test_a_killed_study_pays_its_judge_once_and_the_report_shows_it(tmp_path):
    ask = scripted_teacher.corpus(tmp_path, 40)
    judge = scripted_judge.script()

    def slow(prompt: str, times: int) -> Say:
        said = judge(prompt, times)
        assert isinstance(said, Say)
        return Say(said.text, delay=0.2)

    with ScriptedServer(slow) as server:
        how = ["evaluation.judge=openai", *scripted_judge.overrides(server, in_flight=2)[1:]]
        first = study(tmp_path, *ask, *how)
        while len(server.asked) < 8 and first.poll() is None:
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        told = first.communicate(timeout=60)
        assert len(server.asked) >= 8, told
        paid = len((tmp_path / "store" / "ledger" / "scripted-1.jsonl").read_text().splitlines())
        open_requests = len(server.asked) - paid
        second = study(tmp_path, *ask, *how)
        shown, said = second.communicate(timeout=600)
        assert second.returncode == 0, said
    texts = [body["messages"][-1]["content"] for body in server.asked]
    assert open_requests <= 2, "only replies that were on their way"
    assert len(texts) - len(set(texts)) <= open_requests, "no reply in the ledger was requested again"
    assert not any(f'"{arm}"' in json.dumps(server.asked) for arm in ("rag", "raft"))
    run = run_folder(tmp_path)
    assert statuses(run)["judge[rag]"] == statuses(run)["judge_pairs[raft|rag]"] == "ran"
    results = json.loads((run / "results.json").read_text())
    assert set(results["judge"]["tasks"]) == {"correct", "supported", "complete"}
    assert results["judge"]["replies"] == len(set(texts)), "a reply that both arms share counts once"
    assert "Judge scripted-1 (uncorrected): correct: " in shown
    assert [line.split(" requests")[0].strip() for line in said.splitlines() if "requests to scripted-1" in line] == [
        f"judge: at most {results['arms']['rag']['n'] * 8}"
    ], "one line for all arms, pairs and tasks"
    assert "judge, correct: about" in (run / "raft_exp.log").read_text()
    assert all(set(row["judge"]) >= {"correct"} for row in read_predictions(run / "predictions" / "rag.jsonl"))
    assert (run / "judge" / "rag" / "judgements.jsonl").exists()
    assert (run / "judge_pairs" / "raft,rag" / "pairs.jsonl").exists()
    assert '<section id="judge">' in (run / "report.html").read_text()
    from raft_exp.apps.report.main import main  # the report is made again, with the same judgements

    main([str(run)])
    assert json.loads((run / "results.json").read_text())["judge"] == results["judge"]
