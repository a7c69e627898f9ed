"""Every experiment that ships runs in its shortest form, on real records where there are some: no GPU, no hub."""

import json
import shutil
import subprocess
import sys

import pytest

from raft_exp.pipeline.config import conf_dir
from tests.helpers.command_line import raft_exp, statuses
from tests.helpers.files import lines
from tests.helpers.scripted_server import Say, ScriptedServer
from tests.helpers.scripted_teacher import teacher

SHORT = ("+debug=short", "model=tiny", "trainer=cpu", "model.max_new_tokens=16")
EXPERIMENTS = sorted(
    str(path.relative_to(conf_dir() / "experiment").with_suffix(""))
    for path in (conf_dir() / "experiment").rglob("*.yaml")
    if path.parent.name != "hubs"  # one column of table 1 each: test_paper.py runs them
)
REAL = {
    "pubmedqa": ["corpus.path={data}/pubmedqa"],
    "hotpotqa": ["corpus.path={data}/hotpotqa", "corpus.max_items=50"],
    "natural_questions": ["corpus.path={data}/natural_questions"],
    "triviaqa": ["corpus.path={data}/triviaqa"],
    "real_pubmedqa": ["corpus.path={data}/pubmedqa/ori_pqal.json", "evaluation.max_items=4"],
    "real_triviaqa": ["corpus.path={data}/triviaqa", "evaluation.max_items=4"],
    "apibench": ["corpus.path={data}/apibench", "corpus.hub=torchhub", "corpus.validation=0.05"],
}
MADE = {
    "quickstart": ["corpus.num_entities=100"],
    "abstention": ["corpus.num_entities=300"],
    "fair_lr": ["corpus.num_entities=100", "selection.learning_rates=[1e-4,1e-3]"],
    "fair_rank": ["corpus.num_entities=100", "selection.learning_rates=[1e-4,1e-3]"],
    "recipes": ["corpus.num_entities=100"],
    "laptop": ["corpus.num_entities=100"],
    "real": ["evaluation.max_items=4"],
    "real_full": ["corpus.num_entities=100", "selection.learning_rates=[1e-4,1e-3]"],
    "passages": ["corpus.path={made}/passages.jsonl", "corpus.questions={made}/questions.jsonl"],
    "documents": ["corpus.path={made}/documents", "corpus.questions={made}/of_documents.jsonl"],
}
# An ablation runs on the embedded study; fewer values than its own.
ABLATIONS = {
    "p_sweep": ["dataset.p=0.4,1"],
    "distractors": ["dataset.num_distractors=0,2", "~evaluation.conditions.k6", "~evaluation.conditions.k8"],
    "prompt_modes": ["dataset.prompt_mode=xml,json"],
    "table1": [],
    "cot_ablation": [],
}

JOBS = {"p_sweep": 2, "distractors": 2, "prompt_modes": 2}
TAUGHT = ["pubmedqa_notebook"]  # by a model: a scripted server stands in


@pytest.fixture
def made(tmp_path):
    """Passages, documents and questions of one's own: forty towns."""
    years = {f"T{number}": str(1200 + 7 * number) for number in range(40)}
    texts = {town: f"{town} is a town. It was founded in {year}." for town, year in years.items()}
    lines(tmp_path / "passages.jsonl", *({"id": town, "text": text} for town, text in texts.items()))
    (tmp_path / "documents").mkdir()
    for town, text in texts.items():
        (tmp_path / "documents" / f"{town}.txt").write_text(text)
    asked = {town: {"question": f"When was {town} founded?", "answers": [year]} for town, year in years.items()}
    lines(tmp_path / "questions.jsonl", *({**row, "gold": [town]} for town, row in asked.items()))
    lines(tmp_path / "of_documents.jsonl", *({**row, "document_id": f"{town}.txt"} for town, row in asked.items()))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("experiment", [name for name in EXPERIMENTS if name not in TAUGHT])
def test_an_experiment_runs_in_its_short_form(experiment, made, request):
    name = experiment.removeprefix("paper/")
    if name in REAL:
        own = [one.format(data=request.getfixturevalue("test_data")) for one in REAL[name]]
    elif name in MADE:
        own = [one.format(made=made) for one in MADE[name]]
    else:
        assert name in ABLATIONS, "say here how the new experiment runs in its short form"
        own = ["corpus.num_entities=100", *ABLATIONS[name]]
    chosen = experiment if experiment == name else f"[quickstart,{experiment}]"
    finished(made, raft_exp(made, f"+experiment={chosen}", *SHORT, *own), JOBS.get(name, 1))


@pytest.mark.slow
def test_a_study_whose_teacher_is_a_model_runs_in_its_short_form(tmp_path, test_data):
    own = (f"corpus.path={test_data}/pubmedqa", "corpus.train=pqa_labeled", "corpus.max_items=30")
    with ScriptedServer(lambda prompt, _: Say("The trial enrolled many patients over two years. " * 5)) as server:
        asking = teacher(server)
        done = raft_exp(tmp_path, f"+experiment={TAUGHT[0]}", *SHORT, *own, *asking, SCRIPTED_KEY="sk-planted")
    finished(tmp_path, done, 1)
    (run,) = (plan.parent for plan in tmp_path.glob("runs/**/plan.json"))
    results = json.loads((run / "results.json").read_text())
    wording = ("bleu", "rouge_1", "rouge_2", "rouge_l", "chrf")
    assert results["wording"] | {"reference": "target", "questions": 8, "missing": 0} == results["wording"]
    reasoned = {name for name, arm in results["arms"].items() if set(wording) <= set(arm["metrics"])}
    assert reasoned == {"rag_cot", "raft"}
    assert {row["metric"] for row in results["comparisons"] if row["b"] == "rag_cot"} >= set(wording)
    for shown in (done.stdout, (run / "report.md").read_text()):
        assert all(name in shown for name in ("BLEU", "ROUGE-1", "ROUGE-2", "ROUGE-L", "chrF", "tok:13a"))
    again = subprocess.run(
        [sys.executable, "-m", "raft_exp.report", run], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    scored_again = json.loads((run / "results.json").read_text())
    assert scored_again["arms"] == results["arms"]
    shutil.rmtree(tmp_path / "store")  # the run folder alone is enough
    again = subprocess.run(
        [sys.executable, "-m", "raft_exp.report", run], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert json.loads((run / "results.json").read_text())["wording"] == results["wording"], again.stderr


def finished(folder, done, jobs):
    assert done.returncode == 0, done.stderr
    runs = [plan.parent for plan in folder.glob("runs/**/plan.json")]
    assert len(runs) == jobs
    for run in runs:
        assert set(statuses(run).values()) <= {"ran", "reused"}
        arms = json.loads((run / "results.json").read_text())["arms"]
        assert all(arm["answered"] for arm in arms.values())
