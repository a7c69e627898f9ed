"""Keys planted in settings, commands, addresses and a server's errors: none reaches a file, the screen or a log."""

import json
import random
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.campaign.table import Row
from tests.helpers.command_line import command, environment
from tests.helpers.scripted_server import Refuse, ScriptedServer
from tests.helpers.scripted_teacher import corpus, script, teacher

LETTERS = string.ascii_letters + string.digits
FORMS = ("sk-proj-{}", "sk-ant-api03-{}", "hf_{}", "ghp_{}", "glpat-{}", "gsk_{}", "nvapi-{}", "Bearer {}", "{}")
SETTINGS = ("dry_run=true", "engine=openai", "teacher=openai", "evaluation.arms=[rag]")
PLACES = (
    "note={}",
    "+teacher.extra_body.metadata.who={}",
    "engine.base_url=https://gate.example/{}/v1",
    "engine.base_url=https://gate.example/v1#{}",
    "engine.base_url=https://me:{}@gate.example/v1",
    "note=${{oc.env:PLANTED_TOKEN}}",
    "study={}",
    "model.name_or_path={}",
)


def run(folder: Path, seed: int) -> Iterator[Row]:
    """Commands with a planted key; then a study against a server that repeats the key in its errors."""
    generator = random.Random(seed)
    for place in PLACES:
        row = Row(f"a key in `{place.format('KEY')}`", "refused in one line, status 2; the key stands nowhere")
        for form in FORMS:
            key = form.format("".join(generator.choices(LETTERS, k=32)))
            inner = folder / f"{len(list(folder.iterdir()))}"
            inner.mkdir()
            line = command(*SETTINGS, place.format(key))
            variable = {"PLANTED_TOKEN": key} if form == "{}" or "PLANTED_TOKEN" in place else {}
            row.add(form, _problem(inner, line, key, **variable))
        yield row
    yield _study(folder / "study", "".join(generator.choices(LETTERS, k=32)))


def _problem(folder: Path, line: list[str], key: str, **more: str) -> str:
    done = subprocess.run(line, cwd=folder, env=environment(**more), capture_output=True, text=True, check=False)
    if done.returncode != 2 or "Traceback" in done.stderr:
        return f"status {done.returncode}: {done.stderr[-200:].replace(key, 'KEY')}"
    if "not shown here" not in done.stderr:
        return f"refused for another reason: {done.stderr[-200:].replace(key, 'KEY')}"
    return _leak(folder, key, done.stdout, done.stderr)


def _leak(folder: Path, key: str, *printed: str) -> str:
    if any(key in text for text in printed):
        return "the key was printed"
    named = [path.name for path in folder.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]
    return f"the key stands in {named[:3]}" if named else ""


def _study(folder: Path, key: str) -> Row:
    row = Row(
        "a server that repeats the key in its errors, with a tracker's offline run and a publication",
        "the study ends; no file, page or log holds the key",
    )
    folder.mkdir()
    bad = {
        0: lambda times: Refuse(400, message=f"bad key {key}"),
        1: lambda times: None if times else Refuse(500, message=key),
    }
    study = ["+experiment=passages", "model=tiny", "trainer=cpu", "trainer.max_steps=2", "evaluation.max_items=4"]
    few = ["dataset.num_distractors=2", "evaluation.num_distractors=2", "model.max_new_tokens=16", "logger=wandb"]
    with ScriptedServer(script(bad)) as server:
        line = command(*study, *few, *corpus(folder, questions=False), *teacher(server))
        environ = environment(SCRIPTED_KEY=key, WANDB_MODE="offline")
        done = subprocess.run(line, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    row.add("the study", f"status {done.returncode}: {done.stderr[-300:]}" if done.returncode else "")
    row.add("its files and output", _leak(folder, key, done.stdout, done.stderr))
    finished = [json.loads(plan.read_text()) for plan in folder.glob("runs/*/*/plan.json")]
    if finished:
        run = next(folder.glob("runs/*/*/plan.json")).parent
        publish = [sys.executable, "-m", "raft_exp.publish", str(run), "001_planted", f"into={folder / 'published'}"]
        done = subprocess.run(publish, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        row.add("its publication", f"status {done.returncode}: {done.stderr[-300:]}" if done.returncode else "")
        row.add("the published files", _leak(folder / "published", key, done.stdout, done.stderr))
    return row
