"""The pages of the site that are made from code: they list every setting with words, and every file of conf/."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from raft_exp.core import comments, errors
from raft_exp.evaluation.metrics import METRICS
from raft_exp.pipeline.config import conf_dir
from tools.docs_site import configuration, hooks, tables


@pytest.fixture(scope="module")
def page() -> str:
    return configuration.page()


def rows(page: str) -> list[list[str]]:
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in page.splitlines()]
    return [row for row in cells if len(row) == 4 and row[0].startswith("`")]


def test_every_setting_of_the_dataclasses_is_listed(page):
    missing = {key for key in configuration.settings() if f"| `{key}` |" not in page}
    assert not missing


def test_every_setting_of_conf_is_listed(page):
    for group in ("trainer", "lora", "dataset", "evaluation", "selection", "export", "prompt"):
        for key in comments.read_yaml(conf_dir() / group / "default.yaml").settings:
            assert f"| `{group}.{key}` |" in page or key == "defaults"


def test_every_setting_has_words(page):
    told = {name: words.replace("**runtime**", "").strip() for name, kind, _, words in rows(page) if kind != "settings"}
    silent = {name for name, words in told.items() if not words and not name.endswith(".name`")}
    nested = {name for name, kind, _, _ in rows(page) if kind.startswith("settings below")}
    assert not silent - nested, "write a comment beside the setting in conf/, or beside the field"


def test_every_file_of_conf_is_named(page):
    for folder in ("experiment", "arm", "corpus", "teacher", "engine", "trainer", "launcher", "sweep"):
        for file in (conf_dir() / folder).rglob("*.yaml"):
            name = file.relative_to(conf_dir() / folder).with_suffix("").as_posix()
            assert f"{folder}={name}" in page or f"`{name}`" in page, file


def test_limits_and_defaults_are_shown(page):
    shown = {row[0]: row for row in rows(page)}
    assert shown["`dataset.p`"][1:3] == ["number ≥ 0 ≤ 1", "`0.8`"]
    assert shown["`lora.r`"][1:3] == ["integer ≥ 0", "`16`"]
    assert "**runtime**" in shown["`store`"][3]
    assert "**runtime**" not in shown["`seed`"][3]


def test_comments_of_yaml(tmp_path: Path):
    (tmp_path / "a.yaml").write_text(
        "# @package _global_\n# What it is.\nplain: 1 # beside it\nlong: 2           # first line,\n"
        "                  # second line\n# Above\n# it.\nunder:\n  deep: 'a # b' # of deep\n"
        "prompt: |\n  text # no comment\n"
    )
    read = comments.read_yaml(tmp_path / "a.yaml")
    assert read.about == "What it is."
    assert {key: setting.comment for key, setting in read.settings.items()} == {
        "plain": "beside it",
        "long": "first line, second line",
        "under": "Above it.",
        "under.deep": "of deep",
        "prompt": "",
    }
    assert read.settings["under.deep"].value == "a # b"


def test_tables_of_metrics_errors_and_fields():
    for name in METRICS:
        assert re.search(rf"\| `{name}` \| [^|]+ \| \w", tables.table("metrics")), name
    assert "shape (" not in tables.table("metrics"), "arguments are for callers of the function"
    assert f"| `StoppedError` | {errors.StoppedError.status} |" in tables.table("errors")
    fields = tables.table("raft_exp.core.records.Passage")
    assert "| `place` | `str` | place in the document" in fields


@pytest.mark.slow
def test_the_page_of_commands_shows_their_help():
    page: Any = SimpleNamespace(file=SimpleNamespace(src_uri="reference/commands.md"))
    config: Any = None
    files: Any = [page.file]
    text = (hooks.ROOT / "docs" / page.file.src_uri).read_text(encoding="utf-8")
    commands = re.findall(r"<!-- help: (\w+) -->", text)
    shown = hooks.on_page_markdown(text, page, config, files)
    assert len(commands) > 5
    assert all(f"```\npython -m raft_exp.{command} " in shown for command in commands)


def test_links_out_of_docs_lead_to_pages_or_become_text():
    known = {"developer/log.md", "how-to/store.md"}
    source, uri = "docs/how-to/training.md", "how-to/training.md"
    assert hooks.with_links("[log](../../experiments/LOG.md#x)", source, uri, known) == "[log](../developer/log.md#x)"
    assert hooks.with_links("[licence](../../LICENSE)", source, uri, known) == "licence"
    assert hooks.with_links("[store](store.md)", source, uri, known) == "[store](store.md)"
    assert hooks.with_links("[gone](gone.md)", source, uri, known) == "[gone](gone.md)", "left for --strict to report"
    assert hooks.with_links("[x](https://a.b/c)", source, uri, known) == "[x](https://a.b/c)"
