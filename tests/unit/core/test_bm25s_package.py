"""No part of raft_exp starts JAX, which takes most of a GPU's memory for itself."""

import os
import subprocess
import sys

import pytest

USES = {
    "words": "from raft_exp.core.words import indexed; indexed('a heat pump')",
    "index": "from raft_exp.retrieval.word_index import tokens; tokens('a heat pump')",
    "sentences": "from raft_exp.retrieval.likeness import by_words; by_words('pump', ['a pump', 'a dog'])",
}


@pytest.fixture
def environment(tmp_path):
    """An environment with a package jax that says when it is imported."""
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text("print('JAX started')\nfound = True\n")
    (tmp_path / "jax" / "lax.py").write_text("top_k = print\n")
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}


def printed(code: str, environment: dict[str, str], *words: str) -> str:
    command = [sys.executable, *(words or ("-c", code))]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_bm25s_itself_starts_jax(environment):
    assert "JAX started" in printed("import bm25s", environment)


@pytest.mark.slow
@pytest.mark.parametrize("use", USES)
def test_a_search_by_words_starts_no_jax_and_leaves_it_to_others(environment, use):
    assert "JAX started" not in printed(USES[use], environment)
    assert printed(f"{USES[use]}\nimport jax\nassert jax.found", environment) == "JAX started\n"
    after = "import sys\nassert sys.modules['jax'] is jax"
    assert printed(f"import jax\n{USES[use]}\n{after}", environment) == "JAX started\n"


@pytest.mark.slow
def test_a_whole_study_starts_no_jax(environment, tmp_path):
    study = [
        "+experiment=quickstart",
        "+debug=short",
        "model=tiny",
        f"store={tmp_path}/s",
        f"hydra.run.dir={tmp_path}/r",
    ]
    shown = printed("", environment, "-m", "raft_exp", *study, "evaluation.distractors=bm25")
    assert "report" in shown
    assert "JAX started" not in shown
