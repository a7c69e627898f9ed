"""What stands in report.html, report.md and the CSV files: with every figure that there can be, and with few."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from raft_exp.core.audit import StudyAudit
from raft_exp.evaluation.results import Results
from raft_exp.reporting.page import write_pages
from raft_exp.reporting.terminal import verdict
from tests.helpers.html_page import Page
from tests.helpers.markdown_tables import broken_tables
from tests.helpers.report_study import Study, results
from tests.helpers.runs import STUDY, everything, todays


def pages(out: Path, results: Results, settings: dict[str, Any] = STUDY) -> tuple[str, str]:
    """The text of the page, squeezed, and the Markdown."""
    (out / "predictions").mkdir(parents=True)
    for name in results["arms"]:
        (out / "predictions" / f"{name}.jsonl").touch()
    (out / "rows.jsonl").touch()
    audit: StudyAudit = {"datasets": {}, "test": {}}
    write_pages(
        out,
        results=results,
        audit=audit,
        losses={},
        study="A study",
        note="",
        arms={},
        settings=settings,
        test=out / "rows.jsonl",
    )
    text = Page((out / "report.html").read_text()).text
    return re.sub(r"\s+", " ", text), (out / "report.md").read_text()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    out = tmp_path_factory.mktemp("full")
    timings = {"raft": {"seconds_per_answer": 0.0123, "answers": 250}, "rag": {"seconds_per_answer": 1.5}}
    (out / "timings.json").write_text(json.dumps({"arms": timings}))
    return out, *pages(out, everything())


def test_every_table_of_the_markdown_is_a_table(full: tuple[Path, str, str]) -> None:
    assert "## Classes" in full[2]
    assert broken_tables(full[2]) == []


@pytest.mark.parametrize(
    "shown",
    [
        "accuracy accuracy (lenient) ROUGE-L".replace(" ", ""),
        "majority (always “yes”)55.2",
        "random (a label by chance)33.3",
        "replies that quote",
        "88.0",
        "of 411",
        "of 44",  # behaviour, each with what it is a share of
        "abstained, no gold shown",
        "found: raft",
        "of 17",
        "prompt tokensreply tokens",
        "51233",
        "detectable",
        "6.1",
        "true yes no other prec. recall F1".replace(" ", ""),
        "1557095.791.393.4",
    ],
)
def test_every_figure_is_shown(full: tuple[Path, str, str], shown: str) -> None:
    assert shown.replace(" ", "") in full[1].replace(" ", "")


def test_seconds_stand_on_the_page_alone(full: tuple[Path, str, str]) -> None:
    out, text, markdown = full
    assert "0.0123 (of 250)" in text
    assert "1.5" in text
    assert "seconds" not in markdown, "it has the same bytes after a kill"
    assert 'class="number seconds">0.0123' in (out / "report.html").read_text()


def test_the_markdown_has_the_same_tables(full: tuple[Path, str, str]) -> None:
    markdown = full[2]
    assert "| accuracy | base | +10.0 | +1.0 to +20.0 | 0.010 | 0.020 \\* | 6.1 |" in markdown
    assert "| majority (always “yes”) | 55.2 (50.2–60.2) | – | – |" in markdown
    assert "| yes | 155 | 7 | 0 | 95.7 | 91.3 | 93.4 |" in markdown
    assert "77.0 (72.0–82.0) of 411" in markdown


def test_conditions_are_ordered_and_drawn_by_what_they_sweep(full: tuple[Path, str, str]) -> None:
    out, text, markdown = full
    order = re.findall(r"^\| (as in the study|[kg]\d|found)", markdown.partition("## Under")[2], re.MULTILINE)
    assert order == ["as in the study", "k0", "k2", "k8", "g0", "g4", "found"]
    assert "By distractors in the context" in text
    assert "By the place of gold" in text
    html = (out / "report.html").read_text()
    drawn = html.partition("<h3>By distractors in the context</h3>")[2].partition("</figure>")[0]
    ticks = [tick for tick in re.findall(r">([^<>]+)</text>", drawn) if tick in ("0", "2", "4", "8", "6")]
    assert ticks[:4] == ["0", "2", "4", "8"], "the study's own four distractors are a point of the curve"


def test_the_papers_figures_are_marked_as_not_comparable(full: tuple[Path, str, str], tmp_path: Path) -> None:
    for text in full[1:]:
        section = text.partition("paper")[2]
        assert "not comparable: another model and size" in section
        assert "2403.10131" in section
    assert "| RAFT | 73.30 | raft | 70.0 |" in full[2]
    assert "| GPT-3.5 + RAG | 71.60 | gpt_rag | – |" in full[2]
    nq = pages(tmp_path / "nq", {**todays(), "corpus": "natural_questions"})[1]
    assert "the best share of training rows with gold (p) is 40%" in nq
    assert "| RAFT |" not in nq, "the paper has no table of it"
    assert "2403.10131" not in pages(tmp_path / "own", {**todays(), "corpus": "passages"})[1]


def test_what_is_not_there_is_not_shown(tmp_path: Path) -> None:
    text, markdown = pages(tmp_path, todays())
    for absent in (
        "detectable",
        "What the replies do",
        "Classes",
        "Under other conditions",
        "prompt tokens",
        "seconds an",
    ):
        assert absent not in text
        assert absent not in markdown
    assert "70.0" in text


def test_the_sheets(full: tuple[Path, str, str]) -> None:
    with (full[0] / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["arm", "condition", "slice", "group", "metric", "value", "low", "high", "n"]
    by_place = {(row["arm"], row["condition"], row["slice"], row["group"], row["metric"]): row for row in rows}
    assert len(by_place) == len(rows)
    raft = by_place["raft", "", "", "", "accuracy"]
    assert (float(raft["value"]), raft["n"]) == (0.7, "300")
    assert by_place["raft", "", "", "", "quotes_gold"]["n"] == "411"
    assert float(by_place["rag", "k8", "", "", "accuracy"]["value"]) == pytest.approx(0.41)
    assert by_place["base", "", "class", "yes", "accuracy"]["value"] == "0.7"
    assert by_place["majority (baseline)", "", "", "", "accuracy"]["value"] == "0.552"
    with (full[0] / "comparisons.csv").open() as file:
        first = next(csv.DictReader(file))
    assert (first["a"], first["b"], first["difference"], first["detectable"]) == ("raft", "base", "0.1", "0.061")


def test_a_text_that_a_spreadsheet_would_run_stays_text(tmp_path: Path) -> None:
    found = todays()
    found["slices"] = {"kind": {"=HYPERLINK(1)": found["slices"]["class"]["yes"]}}
    pages(tmp_path, found)
    assert "\nbase,,kind,'=HYPERLINK(1)," in (tmp_path / "results.csv").read_text()


def test_differences_in_the_other_metrics_are_folded(study: Study) -> None:
    html = (study.run() / "report.html").read_text()
    differences = html.partition('<section id="differences">')[2].partition("</section>")[0]
    shown, _, folded = differences.partition("<details><summary>in the other metrics: macro F1")
    assert shown.count('scope="rowgroup"') == 1, "the primary metric alone"
    assert folded.count('scope="rowgroup"') >= 1


def test_tables_can_be_scrolled_with_a_sign_and_by_keyboard(full: tuple[Path, str, str]) -> None:
    html = (full[0] / "report.html").read_text()
    assert html.count('<div class="scroll" tabindex="0">') == html.count('class="scroll"') > 5
    assert "--edge" in html.partition("</style>")[0]


def test_the_reference_arm_is_the_first_column(full: tuple[Path, str, str]) -> None:
    assert re.search(r"^\| condition \| raft \|", full[2], re.MULTILINE)


def figures(html: str) -> list[dict[str, str]]:
    """The plots of a page: for each the SVG elements by class."""
    plots = re.findall(r"<figure>(.*?)</figure>", html, re.DOTALL)
    return [dict(re.findall(r'<svg class="(\w+)"(.*?)</svg>', plot, re.DOTALL)) for plot in plots]


def texts(svg: str) -> list[str]:
    return re.findall(r">([^<>]+)</text>", svg)


def test_each_plot_fills_the_page_and_has_readable_text_on_a_phone(full: tuple[Path, str, str]) -> None:
    html = (full[0] / "report.html").read_text()
    plots = figures(html)
    assert len(plots) >= 4
    for plot in plots:
        widths = {name: float(svg.split('viewBox="0 0 ')[1].split()[0]) for name, svg in plot.items()}
        assert widths == {"screen": 648, "phone": 360}, "as wide as the page, and as a phone"
    css = re.sub(r"\s+", " ", html.partition("</style>")[0])
    assert "svg { display: block; width: 100%; height: auto; }" in css, "no limit below the width of the page"
    assert "svg.phone { display: none; }" in css
    assert re.search(r"max-width: 34rem\) \{ svg.screen { display: none; } svg.phone { display: block; }", css)


@pytest.mark.parametrize("value", [0.02, 0.5, 0.93])
def test_axes_of_shares_begin_at_zero(tmp_path: Path, value: float) -> None:
    found = everything()
    rows = [found["arms"], *found["conditions"].values()]
    for row in rows:
        for one in row.values():
            one["metrics"]["accuracy"] = {"value": value, "low": value - 0.02, "high": value + 0.03}
    pages(tmp_path, found)
    plots = [plot for plot in figures((tmp_path / "report.html").read_text()) if "points" not in str(plot)]
    assert len(plots) >= 3, "the arms, and conditions on curves and by name"
    for svg in (svg for plot in plots for svg in plot.values()):
        marks = [float(text) for text in texts(svg) if re.fullmatch(r"[\d.]+", text)]
        assert 0 in marks
        assert min(marks) == 0


def test_the_reference_arm_is_the_first_of_the_replies_and_of_the_classes(study: Study) -> None:
    html = (study.run() / "report.html").read_text()
    data = json.loads(html.partition('id="examples-data">')[2].partition("</script>")[0])
    assert data["arms"] == ["raft", "base", "rag"]
    classes = html.partition('<section id="classes">')[2].partition("</section>")[0]
    assert re.findall(r"<h3>(\w+)</h3>", classes) == ["raft", "base", "rag"]


def test_validity_stands_before_the_verdict(study: Study) -> None:
    study.config["note"] = "Made up."
    out = study.run()
    html = Page((out / "report.html").read_text().partition("</style>")[2]).text
    for text in (html, (out / "report.md").read_text()):
        before, _, after = text.partition("raft is better than rag")
        assert after
        for validity in ("Validity", "Measured on 60 test questions. One training (seed 0) of raft.", "Made up."):
            assert validity in before
        assert "Trained for few steps: raft 2" in before, "a warning"
        assert "No warnings." not in text
    found = results(out)
    shown = [str(line) for line in verdict(found)]
    assert shown.index(found["verdict"]) == len(found["warnings"]) > 0, "in the terminal too"


def test_a_study_without_warnings_says_so(tmp_path: Path) -> None:
    text, markdown = pages(tmp_path, {**todays(), "warnings": []})
    assert "Measured on 300 test questions. No warnings." in text
    assert "Measured on 300 test questions. No warnings." in markdown


def test_the_markdown_folds_the_differences_in_other_metrics(study: Study) -> None:
    markdown = (study.run() / "report.md").read_text()
    differences = markdown.partition("## Differences")[2].partition("## Replies")[0]
    shown, _, folded = differences.partition("<details>\n<summary>in the other metrics: macro F1")
    assert re.findall(r"^\| (accuracy|macro F1) \|", shown, re.MULTILINE) == ["accuracy"] * 2
    assert re.findall(r"^\| (accuracy|macro F1) \|", folded, re.MULTILINE) == ["macro F1"] * 2
    assert folded.count("</details>") == 1
