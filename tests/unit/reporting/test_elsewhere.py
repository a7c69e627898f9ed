"""What the trainings cost elsewhere, as the report and the terminal show it."""

import json

from raft_exp.evaluation.results import PairedDifference, Results, TransferResult
from raft_exp.reporting import elsewhere
from raft_exp.reporting.csv_export import result_rows
from raft_exp.reporting.terminal import verdict
from tests.helpers.report_study import Study, results
from tests.helpers.runs import arm, todays

LOWER: PairedDifference = {
    "metric": "accuracy",
    "difference": -0.062,
    "low": -0.11,
    "high": -0.014,
    "p_value": 0.01,
    "p_value_holm": 0.02,
}
TRANSFER: TransferResult = {
    "corpus": "pubmedqa",
    "n": 300,
    "metrics": ["accuracy", "macro_f1", "accuracy_lenient"],
    "arms": {
        "rag": arm(accuracy=0.6, accuracy_lenient=0.61),
        "raft": arm(accuracy=0.538, accuracy_lenient=0.6),
    },
    "comparisons": [
        {"a": "raft", "b": "rag", **LOWER},
        {"a": "raft", "b": "rag", **LOWER, "metric": "accuracy_lenient", "difference": -0.01, "p_value_holm": 0.7},
    ],
}
KL = {"raft": {"kl": 0.1234, "tokens": 3456, "base_loss": 3.21, "loss": 3.3}}


def measured(study: Study) -> Results:
    """The results of a made study that was measured on another corpus and on general text."""
    folders = {}
    for kind, name, value in (("transfer", "abstracts", TRANSFER), ("kl", "raft", KL["raft"])):
        folder = study.root / kind
        folder.mkdir()
        (folder / f"{kind}.json").write_text(json.dumps(value))
        folders[kind] = {name: folder}
    return results(study.run("measured", **folders))


def test_the_figures_are_in_the_results_and_on_the_pages(study: Study) -> None:
    found = measured(study)
    assert found["transfer"] == {"abstracts": TRANSFER}
    assert found["kl"] == KL
    for name, heading in (("report.md", "## {}"), ("report.html", "<h2>{}")):
        page = (study.root / "measured" / name).read_text(encoding="utf-8")
        places = [page.index(heading.format(part)) for part in ("Verdict", "What it cost elsewhere", "Results")]
        assert places == sorted(places)
        assert "abstracts (pubmedqa): 300 questions" in page
        assert "\N{MINUS SIGN}6.2" in page
        assert "53.8 (48.8-58.8)" in page
        assert "3,456 tokens" in page
        assert "Replies in the requested form: rag 99.0%, raft 99.0%. Replies that were cut off: rag 1.0%" in page
        assert "0.123" in page


def test_a_study_without_them_has_no_such_section(study: Study) -> None:
    out = study.run()
    assert {"transfer", "kl"}.isdisjoint(results(out))
    assert "elsewhere" not in (out / "report.md").read_text() + (out / "report.html").read_text()
    assert list(elsewhere.lines(todays())) == []


def test_the_table_has_the_first_metric_and_its_lenient_form() -> None:
    found: Results = {**todays(), "transfer": {"pubmedqa": TRANSFER}}
    (corpus,) = elsewhere.cost(found)["corpora"]
    assert corpus["heading"] == "pubmedqa: 300 questions"
    shown = [(row["metric"], row["arm"], row["against"], row["points"], row["marked"]) for row in corpus["rows"]]
    assert shown == [
        ("accuracy", "raft", "rag", "\N{MINUS SIGN}6.2", True),
        ("accuracy (lenient)", "raft", "rag", "\N{MINUS SIGN}1.0", False),
    ]


def test_the_terminal_says_it_after_the_verdict() -> None:
    found: Results = {**todays(), "transfer": {"pubmedqa": TRANSFER}, "kl": KL}  # type: ignore[typeddict-item]
    shown = [line.plain for line in verdict(found)]
    assert shown[1:] == [
        "Elsewhere, accuracy on 300 questions of pubmedqa: raft minus rag \N{MINUS SIGN}6.2 points "
        "(\N{MINUS SIGN}11.0 to \N{MINUS SIGN}1.4, p = 0.020).",
        "KL from the base model on general text, in nats per token: raft 0.123.",
    ]


def test_small_divergences_are_not_rounded_to_zero() -> None:
    figures = {"same": 0.0, "near": 0.00004, "far": 2.5}
    kl = {name: {**KL["raft"], "kl": value} for name, value in figures.items()}
    found: Results = {**todays(), "kl": kl}  # type: ignore[typeddict-item]
    assert [row["kl"] for row in elsewhere.cost(found)["shifts"]] == ["0.000", "4.0e-05", "2.500"]


def test_the_figures_are_rows_of_the_csv_file() -> None:
    found: Results = {**todays(), "transfer": {"pubmedqa": TRANSFER}}
    rows = [row for row in result_rows(found) if row.get("condition") == "transfer@pubmedqa"]
    assert ("raft", "accuracy", 0.538) in [(row["arm"], row["metric"], row["value"]) for row in rows]
