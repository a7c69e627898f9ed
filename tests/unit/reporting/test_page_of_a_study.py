"""report.html and report.md of a made study: what they load, escape and show."""

import json
import re
from pathlib import Path

import pytest

from tests.helpers.html_page import Page
from tests.helpers.report_study import HOSTILE, Study, answered, example, results

OURS: list[dict[str, str | None]] = [{"type": "application/json", "id": "examples-data"}, {}]  # data, then the script


@pytest.mark.slow
def test_the_page_loads_nothing(study: Study) -> None:
    html = (study.run() / "report.html").read_text()
    page = Page(html)
    assert all(link.startswith("#") for link in page.loads)
    assert not page.tags & {"link", "iframe", "img", "object", "base"}
    assert page.scripts == OURS
    assert not re.search(r"@import|url\((?!#)", html)
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html
    assert "@media print" in html
    assert html.count("<figure>") == 3
    assert "raft, validation" in page.text  # the loss plot's legend
    assert "100.0" in page.text


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    study = Study(tmp_path, [example(i, HOSTILE, slices={HOSTILE: HOSTILE}) for i in range(4)])
    arm = "<b>$x^2$"  # an arm's name is a file's name as well, so that it cannot hold just anything
    study.config |= {"study": HOSTILE, "note": HOSTILE, "model": HOSTILE, "settings": {HOSTILE: HOSTILE}}
    study.config["arms"] = {arm: {"recipe": HOSTILE}, "raft": {"recipe": "raft", HOSTILE: [HOSTILE]}}
    study.say(arm, "no", "no", HOSTILE)
    study.say("raft", *[HOSTILE] * 4)
    (tmp_path / "adapter" / "metrics.csv").write_text("step,loss\n1,2.0\n")
    out = study.run()
    page = Page((out / "report.html").read_text())
    assert page.scripts == OURS
    assert "b>" not in page.tags
    assert page.handlers == []
    assert page.text.count(HOSTILE) >= 10
    svg = (out / "report.html").read_text().partition("<svg")[2].partition("</svg>")[0]
    assert "&lt;b&gt;$x^2$</text>" in svg, "matplotlib takes $...$ for mathematics"
    markdown = (out / "report.md").read_text()
    assert "<script" not in markdown
    assert markdown.count("\\| \\`code\\` \\*b\\* &amp; {{ 7\\*7 }}") >= 10


def test_lone_surrogates_do_not_stop_the_report(study: Study) -> None:
    study.replies["rag"][0] = answered(study.examples[0], "##Answer: \ud83d")
    study.audit("\ud83d")
    assert (study.run() / "report.html").stat().st_size > 1000


def test_a_missing_loss_file_leaves_the_plot_out(study: Study) -> None:
    (study.root / "adapter" / "metrics.csv").unlink()
    html = (study.run() / "report.html").read_text()
    assert html.count("<figure>") == 2
    assert ">Training<" not in html


@pytest.mark.slow
def test_how_good_the_retriever_is_stands_in_results_and_pages(study: Study) -> None:
    without = study.run("without")
    assert results(without)["retrieval"] == {}
    assert "Retrieval" not in (without / "report.md").read_text()
    found = {"retriever": "bm25", "k": 1, "gold": {"questions": 60, "recall": {"1": 0.5}, "mrr": 0.625, "ndcg": 0.5}}
    (study.root / "test" / "audit.json").write_text(json.dumps({"retrieval": found}))
    out = study.run()
    assert results(out)["retrieval"] == {"test": found}
    markdown = (out / "report.md").read_text()
    assert "## Retrieval" in markdown
    assert "| | as in the study (bm25, k=1) |\n|---|---:|\n| questions with gold passages | 60 |\n" in markdown
    assert "| recall@1 | 50.0 |\n| MRR | 62.5 |\n| nDCG | 50.0 |\n" in markdown
    assert "recall@150.0MRR62.5nDCG50.0" in re.sub(r"\s", "", Page((out / "report.html").read_text()).text)
