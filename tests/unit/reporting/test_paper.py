"""The page of the whole paper, of made runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from raft_exp.reporting.paper.page import write_paper
from raft_exp.reporting.paper.parts import PaperPart
from raft_exp.reporting.published import paper, table
from raft_exp.reporting.runs import open_runs
from tests.helpers.html_page import Page
from tests.helpers.runs import run_folder, todays


def some(right: int, of: int = 40) -> list[int]:
    return [1] * right + [0] * (of - right)


def runs(*folders: Path):
    return open_runs(list(folders))[0]


@pytest.fixture
def parts(tmp_path: Path) -> list[PaperPart]:
    main = run_folder(
        tmp_path / "0", {"rag": some(10), "raft": some(30), "raft_no_cot": some(20)}, world="a", evaluation__k=None
    )
    by_p = [
        run_folder(tmp_path / f"p{p}", {"raft": some(round(20 + 10 * p)), "rag": some(9)}, world="b", dataset__p=p)
        for p in (0.0, 0.4, 1.0)
    ]
    changes = {f"k{k}": {"num_distractors": k} for k in (2, 4)}
    by_d = [
        run_folder(
            tmp_path / f"d{d}",
            {"raft": some(20), **{f"raft@{name}": some(20 + d) for name in changes}},
            world="c",
            conditions=changes,
            dataset__num_distractors=d,
        )
        for d in (0, 3)
    ]
    return [
        PaperPart("table1", "hotpotqa", runs(main)),
        PaperPart("table1", "pubmedqa", [], "no folder pubmedqa"),
        PaperPart("p_sweep", "triviaqa", runs(*by_p)),
        PaperPart("distractors", "natural_questions", runs(*by_d)),
    ]


def test_ours_stand_beside_the_published_figures_with_intervals(parts: list[PaperPart], tmp_path: Path) -> None:
    page = write_paper(tmp_path / "out", parts)
    found = json.loads((tmp_path / "out" / "paper.json").read_text())
    raft = next(row for row in found["table1"] if row["arm"] == "raft")
    assert [cell["published"] for cell in raft["cells"]] == ["35.28", "73.30"]
    assert [cell["ours"]["value"] for cell in raft["cells"]] == ["75.0", "\N{EN DASH}"]
    assert raft["cells"][0]["ours"]["interval"]
    (row, empty) = found["table2"]
    assert (row["published"], row["difference"]) == ("+9.7", "+25.0")
    assert row["interval"].startswith("+")
    assert empty["difference"] == "\N{EN DASH}"
    assert any("no folder pubmedqa" in line for line in found["missing"])
    assert any("40 of the 7,405 official test questions" in line for line in found["missing"])
    (curve,) = found["figure5"]
    assert (curve["heads"], [name for name, _ in curve["rows"]]) == (["0", "0.4", "1"], ["raft", "rag"])
    assert (curve["published"], "p = 100% has the highest figure, 75.0" in curve["ours"]) == (
        "published: the best p is 60%",
        True,
    )
    (lines,) = found["figure6"]
    assert [(name, [cell["value"] for cell in cells]) for name, cells in lines["rows"]] == [
        ("D=0", ["50.0", "50.0"]),
        ("D=3", ["57.5", "57.5"]),
    ]
    assert "the best D is 3" in lines["published"]
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 4, "two figures, each for a wide and a narrow page"
    shown = Page(text)
    assert not [place for place in shown.loads if not place.startswith("#")], "the page loads nothing"
    assert "RAFT without CoT" in shown.text


def test_seeds_are_pooled(tmp_path: Path) -> None:
    seeds = [
        run_folder(tmp_path / f"{seed}", {"raft": some(20 + seed), "rag": some(9)}, seed=seed, world=f"w{seed}")
        for seed in (1, 2, 3)
    ]
    write_paper(tmp_path / "out", [PaperPart("table1", "hotpotqa", runs(*seeds))])
    found = json.loads((tmp_path / "out" / "paper.json").read_text())
    raft = next(row for row in found["table1"] if row["arm"] == "raft")
    assert raft["cells"][0]["ours"]["value"] == "55.0"


def test_each_data_set_of_the_paper_has_its_figures_in_the_report() -> None:
    results = todays()
    results["corpus"] = "apibench"
    of_hub: dict[str, Any] = table(results, {"corpus": {"hub": "torchhub"}})
    assert (of_hub["name"], of_hub["table"]) == ("Torch Hub", "Table 1")
    assert {row["arm"]: row["published"] for row in of_hub["rows"]}["raft_no_cot"] == "86.56"
    assert table(results, {"corpus": {"hub": "all"}}) == {}
    results["corpus"] = "triviaqa"
    trivia = table(results, {"corpus": {}})
    assert trivia["notes"] == ["Figure 5: the best share of training rows with gold (p) is 60%."]
    assert {*paper()["arms"]} >= {"base", "rag", "sft", "sft_rag", "raft", "raft_no_cot"}
