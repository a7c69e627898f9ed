"""The head of a run's pages: date, version, commit and command, and never a path or a secret."""

import json
import re
import shutil
from pathlib import Path

import pytest

from raft_exp import __version__
from raft_exp.apps import cli
from raft_exp.apps.report import rescore
from raft_exp.apps.report.main import main
from raft_exp.reporting import provenance
from tests.helpers.composing import compose
from tests.helpers.html_page import Page
from tests.helpers.small_study import SMALL

OVERRIDES = [*SMALL, "+evaluation.conditions.found={context: retrieved}"]
ODD = ["corpus.path='/home/anna/my docs'", "note=<b>*of* `mine`</b>", "+x.headers.authorization=abcdefghijklmnop"]


@pytest.fixture
def run(small_study: Path, tmp_path: Path) -> Path:
    """A second run of the small study, which reuses all of it."""
    folder = tmp_path / "run"
    folder.mkdir()
    cli.study(compose(*OVERRIDES, f"store={small_study.parent / 'store'}"), folder, [*OVERRIDES, *ODD])
    return folder


def heads(run: Path) -> list[str]:
    """What stands before the verdict, as one reads it on both pages."""
    html = Page((run / "report.html").read_text().partition("</style>")[2].partition("Verdict")[0]).text
    markdown = (run / "report.md").read_text().partition("## Verdict")[0]
    plain = re.sub(r"\\(.)", r"\1", markdown).replace("&lt;", "<").replace("&gt;", ">")
    return [" ".join(html.split()), " ".join(plain.split())]


def test_the_head_tells_date_version_commit_and_command(run: Path) -> None:
    facts = provenance.read(run)
    assert facts is not None
    for head in heads(run):
        assert re.search(r"date 20\d\d-\d\d-\d\d \d\d:\d\d UTC\b", head, re.IGNORECASE)
        assert f"version {__version__}" in head
        assert facts["commit"] is None or f"commit {facts['commit'][:12]}" in head
        assert "python -m raft_exp +experiment=quickstart corpus.num_entities=60 dataset.max_items=40" in head
        assert "'+evaluation.conditions.found={context: retrieved}'" in head, "it can be given to a shell"
        assert "'corpus.path=\N{HORIZONTAL ELLIPSIS}/my docs'" in head
        assert "<b>*of* `mine`</b>" in head, "shown, not rendered"
        assert "+x.headers.authorization=(not shown)" in head
        assert not {"/home/anna", "abcdefghijklmnop"} & set(re.findall(r"/home/anna|abcdefghijklmnop", head))
    assert "anna" not in (run / "provenance.json").read_text()


def test_the_stored_report_has_the_same_bytes_whenever_it_is_made(run: Path, small_study: Path) -> None:
    for page in provenance.PAGES:
        (stored,) = (small_study.parent / "store").glob(f"report/*/{page}")
        text = stored.read_text()
        assert text.count(provenance.MARK) == 1
        assert "20" not in text.partition(provenance.MARK)[0].rpartition("</style>")[2]
        assert provenance.MARK not in (run / page).read_text()


@pytest.mark.slow
def test_a_report_that_is_made_again_keeps_the_head_of_its_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = provenance.read(run)
    assert facts is not None
    (run / "provenance.json").write_text(json.dumps({**facts, "date": "2026-01-02 03:04 UTC"}))
    monkeypatch.setattr(rescore, "git_commit", lambda: facts["commit"])
    monkeypatch.setattr(rescore, "has_local_changes", lambda: facts["local_changes"])
    main([str(run), f"out={tmp_path / 'same'}"])
    for head in heads(tmp_path / "same"):
        assert "2026-01-02 03:04 UTC" in head
        assert "made again" not in head, "the same program made it"
    monkeypatch.setattr(provenance, "__version__", "99.1")
    main([str(run), f"out={tmp_path / 'later'}"])
    for head in heads(tmp_path / "later"):
        assert f"version {__version__}" in head
        assert re.search("report made again: version 99.1", head, re.IGNORECASE)
    (run / "provenance.json").unlink()
    main([str(run), f"out={tmp_path / 'older'}"])
    for head in heads(tmp_path / "older"):
        assert re.search("report made again: date 20.* UTC, version 99.1", head, re.IGNORECASE)
        assert "python -m raft_exp +experiment=quickstart" in head


def test_a_comparison_tells_its_own_and_those_of_its_runs(run: Path, small_study: Path, tmp_path: Path) -> None:
    other = tmp_path / "second"
    shutil.copytree(run, other)
    text = (other / "config.yaml").read_text()
    (other / "config.yaml").write_text(re.sub(r"^seed: \d+", "seed: 7", text, flags=re.MULTILINE))
    results = json.loads((other / "results.json").read_text())
    (other / "results.json").write_text(json.dumps({**results, "seed": 7}))
    main([str(run), str(other), f"out={tmp_path / 'out'}"])
    pages = [(tmp_path / "out" / name).read_text() for name in ("comparison.html", "comparison.md")]
    for page in pages:
        assert re.search(r"(date|Date) (<b>)?20\d\d-\d\d-\d\d", page)
        assert "python -m raft" in page.replace("\\", "")
        assert "/second" in page
        assert str(tmp_path) not in page
        assert page.replace("\\", "").count(f"version {__version__}") >= 2, "of each run"
