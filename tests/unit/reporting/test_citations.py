"""Invented quotes and citations in a report: its figures, tables, CSV file and terminal."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from raft_exp.core.records import write_jsonl
from raft_exp.evaluation.citations.stage import CITATIONS
from raft_exp.evaluation.judge.rows import JUDGEMENTS
from raft_exp.evaluation.judge.stage import SUMMARY
from raft_exp.evaluation.results import read_predictions
from raft_exp.reporting import citations
from tests.helpers.html_page import Page
from tests.helpers.report_study import ARMS, Study, answered, example, results

GOLD = "##begin_quote## The drug helped all patients. ##end_quote##"
OTHER = "##begin_quote## Mice do not talk. ##end_quote##"
INVENTED = "##begin_quote## The drug helped nobody at all. ##end_quote##"
RAFT = [f"{GOLD} {OTHER}", f"{GOLD} {INVENTED}", INVENTED, ""]  # of each four replies: 2 of 5 quotes are invented


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 60 questions. Of the arms `rag` and `raft`, the prompts of raft alone ask for quotes."""
    root = tmp_path_factory.mktemp("study")
    study = Study(root, [example(i, ("yes", "no", "maybe", "yes")[i % 4]) for i in range(60)])
    study.config["arms"] = {name: {**ARMS[name], "cot": name == "raft"} for name in ("rag", "raft")}
    study.say("rag", *["yes"] * 60)
    said = [
        f"##Reason: {RAFT[i % 4]} So it is good. ##Answer: {row.answers[0]}" for i, row in enumerate(study.examples)
    ]
    study.replies["raft"] = [answered(row, raw) for row, raw in zip(study.examples, said, strict=True)]
    judged = dict.fromkeys(("rag", "raft"), judgements(root / "judge", study))
    return study.run(citations={"raft": cited(root / "citations", study)}, judgements=judged)


def claim(number: int, passages: str, supporting: str, supported: bool) -> dict[str, Any]:
    ids = {"g": f"g{number}", "x": f"x{number}"}
    cites, held = ([ids[name] for name in names] for names in (passages, supporting))
    return {"claim": "So it is good.", "answer": False, "passages": cites, "supporting": held, "supported": supported}


def cited(folder: Path, study: Study) -> Path:
    """Makes the result of the stage `citations` of raft: of four replies 3 of 4 claims hold, and 3 of 4 citations."""
    made = [("gx", "g", True), ("g", "g", True), ("", "", False), ("g", "g", True)]
    folder.mkdir()
    rows = [{"id": row.id, "claims": [claim(i, *made[i % 4])], "cut": 0} for i, row in enumerate(study.examples)]
    write_jsonl(folder / CITATIONS, rows)
    (folder / "counts.json").write_text(json.dumps({"cut": 7}))
    return folder


def judgements(folder: Path, study: Study) -> Path:
    """Makes the result of a stage `judge`. It finds two claims in each reply, and has no judgement of each fourth."""
    folder.mkdir()
    held = {"claim": "It helped.", "supported": True, "passages": [1]}
    missed = {"claim": "It is good.", "supported": False, "passages": []}
    other = {"claim": "Mice are mute.", "supported": True, "passages": [2]}
    of_four = [[held, missed], [held, other], [held, other], []]
    rows = []
    for i, row in enumerate(study.examples):
        claims = of_four[i % 4]
        more: dict[str, Any] = {"claims": claims} if claims else {"missing": "not_json"}
        share = sum(bool(one["supported"]) for one in claims) / 2 if claims else None
        rows.append({"id": row.id, "task": "supported", "value": share, "words": "Because." if claims else "", **more})
    write_jsonl(folder / JUDGEMENTS, rows)
    summary: dict[str, Any] = {"model": "judge", "versions": {"supported": "judge_supported, version 1"}}
    summary |= {"claims": ["supported"], "replies": 90, "prompt_tokens": 1234, "new_tokens": 56, "cost": 0.25}
    (folder / SUMMARY).write_text(json.dumps(summary))
    return folder


def shown(found: Any) -> str:
    from rich.console import Console

    from raft_exp.reporting.terminal import table, verdict

    text = io.StringIO()
    Console(width=80, file=text).print(table(found), *verdict(found), sep="\n")
    return text.getvalue()


def lines(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return {row["metric"]: row for row in csv.DictReader(file) if row["arm"] == "raft" and not row["slice"]}


def test_the_rate_of_invented_quotes_stands_beside_the_primary_metric(out: Path) -> None:
    found = results(out)
    figure = found["arms"]["raft"]["invented_quotes"]
    assert (figure["value"], figure["n"]) == (0.4, 75)
    assert figure["low"] < 0.4 < figure["high"]
    assert [name for name, arm in found["arms"].items() if "invented_quotes" in arm] == ["raft"]
    interval = f"{100 * figure['low']:.1f}-{100 * figure['high']:.1f}"
    text = shown(found)
    assert "invented" in text
    rows = [line.strip() for line in text.splitlines()]
    place = next(i for i, line in enumerate(rows) if line.startswith("raft "))
    assert rows[place].split()[:3] == ["raft", "100.0", "40.0"]
    assert interval in rows[place + 1]
    assert next(line for line in rows if line.startswith("rag ")).split()[2] == "-"
    markdown = (out / "report.md").read_text()
    assert "| arm | accuracy | invented quotes |" in markdown
    assert f"| raft | 100.0 (94.0–100.0) | 40.0 ({interval.replace('-', '–')}) |" in markdown
    assert "Invented quotes: the share of an arm's quotes" in markdown
    page = Page((out / "report.html").read_text()).text
    assert "armaccuracyinvented quotes" in page
    assert float(lines(out)["invented_quotes"]["value"]) == 0.4
    assert lines(out)["invented_quotes"]["n"] == "75"


def test_citations_are_in_results_predictions_pages_and_terminal(out: Path) -> None:
    found = results(out)
    figures = found["arms"]["raft"]["citations"]["nli"]
    assert (figures["recall"]["value"], figures["recall"]["n"], figures["cut"]) == (0.75, 60, 7)
    assert (figures["precision"]["value"], figures["precision"]["n"]) == (0.75, 60)
    assert figures["recall"]["low"] < 0.75 < figures["recall"]["high"]
    predictions = list(read_predictions(out / "predictions" / "raft.jsonl"))
    assert predictions[0]["claims"] == [claim(0, "gx", "g", True)]
    assert "claims" not in next(read_predictions(out / "predictions" / "rag.jsonl"))
    table = citations.table(found)
    assert table["columns"][:3] == [
        "invented quotes",
        "claims supported (NLI model)",
        "citations that support (NLI model)",
    ]
    assert [(cell["value"], cell["n"]) for cell in table["rows"][0]["cells"][:3]] == [
        ("40.0", "of 75 quotes"),
        ("75.0", "of 60 claims"),
        ("75.0", "of 60 citations"),
    ]
    for page in ((out / "report.md").read_text(), Page((out / "report.html").read_text()).text):
        assert "7 texts of cited passages were longer than the NLI model reads" in page
        assert "of 60 claims" in page
    assert "Citations, by the NLI model (claims supported / citations that support): raft 75.0% / 75.0%." in " ".join(
        shown(found).split()
    )
    assert lines(out)["citation_recall_nli"]["value"] == "0.75"
    assert lines(out)["citation_precision_nli"]["n"] == "60"


def test_citations_by_a_judge_count_its_claims_and_the_quoted_passages(out: Path) -> None:
    """Replies quote passages 1 and 2, passage 1, none, none."""
    found = results(out)
    figures = found["arms"]["raft"]["citations"]["judge"]
    # claims that a quoted passage supports: 1 of 2, 1 of 2, 0 of 2; quoted passages that support one: 1 of 2, 1 of 1
    assert (figures["recall"]["value"], figures["precision"]["value"]) == pytest.approx((2 / 6, 2 / 3))
    assert (figures["recall"]["n"], figures["precision"]["n"]) == (90, 45)
    assert "citations" not in found["arms"]["rag"], "its prompt asks for no quotes"
    cost = "Judging by judge: 90 replies of the judge, 1,234 tokens in prompts, 56 in replies, cost 0.25."
    for page in ((out / "report.md").read_text(), Page((out / "report.html").read_text()).text, shown(found)):
        assert cost in " ".join(page.split())
    assert "The judge's claims cite all passages that the reply quotes." in (out / "report.md").read_text()
