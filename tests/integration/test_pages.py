"""README.md and docs/: every command line composes and parses, and every link inside the repository leads somewhere."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Sweep
from hydra.core.plugins import Plugins

from raft_exp.apps.cli import OwnConf
from raft_exp.apps.experiments import with_experiment
from raft_exp.apps.group_arguments import with_group_names
from raft_exp.apps.settings_help import help_text
from raft_exp.pipeline.parsing import parse
from tests.helpers import pages
from tests.helpers.composing import compose

# Pages whose files are Python: tests/integration/test_extend.py runs them.
CODE = {"docs/extend/corpus.md", "docs/extend/engine.md", "docs/extend/metric.md"}
LINES = [line for page in pages.pages() for line in pages.commands(page)]
STUDIES = [line for line in LINES if re.match(r"python -m raft_exp( |$)", line.text) and line.page not in CODE]
OTHERS = [line for line in LINES if re.match(r"python -m raft_exp\.", line.text)]
MAKE = [line for line in LINES if line.text.startswith("make")]
MODULES = {"publish": "raft_exp.apps.publish", "store": "raft_exp.apps.store"}
SOURCES = ["CONTRIBUTING.md", "AGENTS.md", *(page.relative_to(pages.ROOT).as_posix() for page in pages.pages())]
LINK = re.compile(r"\[[^\]\n]*\]\((?!\w+:)([^)\s#]+)(#[\w-]+)?\)")


def by_page(lines: list[pages.Line]) -> list[str]:
    return sorted({line.page for line in lines})


def test_the_pages_have_commands():
    assert len(STUDIES) > 60
    assert len(OTHERS) > 15
    assert {"make quickstart", "make test"} <= {line.text.partition("#")[0].strip() for line in MAKE}
    assert not [line for line in LINES if "..." in " ".join(line.words())], "a command cannot be run with dots in it"


def one_value(override: Override) -> str:
    """An override as written, or with the first value of its sweep."""
    if not override.is_sweep_override():
        return str(override.input_line)
    value = override.value()
    if isinstance(value, Sweep) and hasattr(value, "start"):  # interval(1e-5, 1e-3)
        first = str(int(value.start) if "int(" in str(override.input_line) else value.start)
    else:
        first = next(override.sweep_string_iterator())
    return f"{override.input_line.partition('=')[0]}={first}"


@pytest.mark.parametrize("page", by_page(STUDIES))
def test_the_studies_of_a_page_compose_and_parse(page, tmp_path, monkeypatch):
    pages.write(pages.ROOT / page, tmp_path)
    monkeypatch.chdir(tmp_path)
    Plugins.instance().register(OwnConf)
    for line in STUDIES:
        if line.page != page:
            continue
        words = [word for word in line.words()[3:] if not word.startswith("-")]
        if "--help" in line.words():
            assert help_text(words)
            continue
        words = words[:-1] if "--cfg" in line.words() else words
        overrides = OverridesParser.create().parse_overrides(with_experiment(with_group_names(words)))
        chosen = [one_value(override) for override in overrides if not override.key_or_group.startswith("hydra.")]
        parse(compose(*chosen, own=tmp_path / "conf"))


@pytest.mark.parametrize("line", OTHERS, ids=lambda line: line.text[:60])
def test_the_other_commands_have_these_words_and_settings(line):
    name = line.words()[2].removeprefix("raft_exp.")
    command = importlib.import_module(MODULES.get(name, f"raft_exp.apps.{name}.main"))._COMMAND
    words = [word for word in line.words()[3:] if word != "--help"]
    command.read(words or ["RUN"])


@pytest.mark.parametrize("line", MAKE, ids=lambda line: line.text[:60])
def test_the_targets_exist(line):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    runs = "RUNS=RUN" if "report" in line.text else "X=1"
    data = "DATA=DIR" if "documents" in line.text else "X=1"
    command = ["make", "-n", "-f", str(pages.ROOT / "Makefile"), "READY=", "CORE=", f"PY={sys.executable}", runs, data]
    done = subprocess.run(
        [*command, *line.words()[1:]], cwd=pages.ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", SOURCES)
def test_links_lead_to_files(page):
    file = pages.ROOT / page
    made = {"docs/reference/configuration.md"}  # pages of the site alone
    for target, _ in LINK.findall(file.read_text(encoding="utf-8")):
        path = Path(os.path.normpath(file.parent / target))
        assert path.exists() or path.relative_to(pages.ROOT).as_posix() in made, target


def test_the_readme_is_short_enough_to_be_read():
    assert len((pages.ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
