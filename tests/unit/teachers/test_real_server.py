"""Files of one's own and a poor model behind a real server: most replies are put aside, and the report says so."""

import json
import re
import subprocess
import sys

import pytest

from tests.helpers import vllm_server as real_server
from tests.helpers.command_line import environment, run_folder

# A pocket model cannot write in a form that it was not trained on: the server holds it to the form. What it quotes is
# its own affair: of the two letters about a third stand in the passage.
FORM = r"(Question: What is [a-z]{3,10} [a-z]{3,10}[?]\nAnswer: [a-z]{3,10}\n){2}"
TARGET = r"##Reason: ##begin_quote##[a-z]{2}##end_quote##\n##Answer: [a-z]{2,12}"
POOR = (
    "teacher.model=pocket",
    "teacher.api_key_env=null",
    "teacher.in_flight=8",
    "teacher.check=null",
    "corpus.max_items=60",
    "teacher.questions.held_out_passages=8",
    "teacher.questions.temperature=0.9",
    "teacher.questions.max_new_tokens=200",
    f'+teacher.questions.extra_body={{structured_outputs: {{regex: "{FORM}"}}}}',
    "teacher.targets.max_new_tokens=96",
    "teacher.targets.temperature=0.9",
    "teacher.targets.gate.retries=0",
    f'+teacher.targets.extra_body={{structured_outputs: {{regex: "{TARGET}"}}}}',
    "teacher.targets.gate.min_words=0",
    "teacher.targets.gate.agrees=false",
    "dataset.num_distractors=2",
    "dataset.allow_fewer=true",
    "evaluation.num_distractors=2",
    "evaluation.allow_fewer=true",
)


@pytest.mark.vllm
def test_a_folder_of_files_becomes_a_study_with_a_poor_teacher(tmp_path, test_data):
    files = f"corpus.path={test_data / 'documents' / 'ok'}"
    command = [sys.executable, "-m", "raft_exp", "+experiment=documents", "model=tiny", "trainer=cpu", "+debug=short"]
    with real_server.pocket(tmp_path) as url:
        done = subprocess.run(
            [*command, files, "teacher=openai", f"teacher.base_url={url}", *POOR],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    run = run_folder(tmp_path)
    targets = json.loads((run / "audit.json").read_text())["targets"]
    assert targets["quarantined"] > targets["kept"] > 0
    page = (run / "report.md").read_text()
    told = re.search(r"(\d+) of (\d+) questions got no usable target and are in no training set", page)
    assert told
    assert (int(told[1]), int(told[2])) == (targets["quarantined"], targets["asked"])
    assert len((run / "quarantine" / "targets.jsonl").read_text().splitlines()) == targets["quarantined"]
    assert json.loads((run / "results.json").read_text())["arms"]["raft"]["n"] == 8
