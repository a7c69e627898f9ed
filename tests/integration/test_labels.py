"""Labels correct a judge, from the sheet to the report. A scripted server is the model, and a judge that errs."""

import csv
import json
import shlex

import pytest

from raft_exp.apps import cli
from raft_exp.apps.label.main import main
from raft_exp.apps.report.main import main as report
from raft_exp.core.sampling import seeded_bits
from raft_exp.evaluation.results import read_predictions
from tests.helpers.composing import compose
from tests.helpers.scripted_judge import part, verdict
from tests.helpers.scripted_server import MODEL, Say, ScriptedServer

RIGHT = {"base": 0.5, "rag": 0.6}  # share of right replies; the prompts of rag have passages
ACCEPTED = {"base": (0.6, 0.02), "rag": (0.98, 0.6)}  # shares of right and of wrong replies that the judge accepts


def lot(purpose: str, text: str) -> float:
    return seeded_bits(0, purpose, text) / 2**64


def say(prompt: str, times: int) -> Say:
    if "<answer>" not in prompt:
        arm = "rag" if len(prompt) > 400 else "base"
        right = lot("reply", prompt) < RIGHT[arm]
        return Say(f"##Answer: {'right' if right else 'wrong'} by {arm}")
    kind, _, arm = part(prompt, "answer").split()  # the judge is made to know what it cannot know
    return verdict(lot("judge", prompt) < ACCEPTED[arm][kind == "wrong"])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished study with a judge that favours rag, and its overrides."""
    root = tmp_path_factory.mktemp("labels")
    folder = root / "run 1"
    folder.mkdir()
    with ScriptedServer(say) as server:
        overrides = [
            *("+experiment=quickstart", "corpus.num_entities=200", "evaluation.arms=[base,rag]"),
            *("evaluation.conditions=null", f"store={root / 'store'}"),
            *("engine=openai", f"engine.base_url={server.url}", f"engine.model={MODEL}", "engine.api_key_env=null"),
            *("judge@evaluation.judge=openai", f"evaluation.judge.base_url={server.url}"),
            *(f"evaluation.judge.model={MODEL}", "evaluation.judge.api_key_env=null", "evaluation.judge.pair=null"),
            *(f"evaluation.judge.tasks.{task}=null" for task in ("complete", "supported", "refusal")),
        ]
        cli.study(compose(*overrides), folder, overrides)
    return folder, overrides


def results(folder):
    return json.loads((folder / "results.json").read_text())


def filled(path):
    """People are never wrong: they see the replies alone."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert not any("rag" in row["label_id"] or "base" in row["label_id"] for row in rows)
    for row in rows:
        row["label"] = "yes" if row["reply"].startswith("right") else "no"
    with path.open("w", encoding="utf-16", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    return rows


@pytest.mark.slow
def test_the_labels_of_a_sheet_correct_the_judge(run, capsys, tmp_path):
    folder, overrides = run
    true = {}
    for arm in RIGHT:
        rows = list(read_predictions(folder / "predictions" / f"{arm}.jsonl"))
        true[arm] = sum("right" in row["raw"] for row in rows) / len(rows)
    raw = {arm: one["value"] for arm, one in results(folder)["judge"]["tasks"]["correct"].items()}
    assert raw["rag"] - raw["base"] > 0.35 > 0.25 > true["rag"] - true["base"], "the judge favours rag"

    main([str(folder), "n=161"])
    said = capsys.readouterr().out
    assert "80 questions, 2 arms, 160 replies" in said
    rows = filled(folder / "labels" / "labels.csv")
    assert len(rows) == 160
    assert len({row["id"] for row in rows}) == 80, "both arms have the same questions"
    words = shlex.split(said.strip().splitlines()[-1])
    assert words == ["python", "-m", "raft_exp", *overrides, f"evaluation.labels={folder / 'labels' / 'labels.csv'}"]

    again = tmp_path / "again"
    again.mkdir()
    cli.study(compose(*overrides, f"evaluation.labels='{folder / 'labels' / 'labels.csv'}'"), again, words[3:])
    plan = {row["stage"]: row["status"] for row in json.loads((again / "plan.json").read_text())}
    assert {stage for stage, status in plan.items() if status == "ran"} == {"report"}, "the server is gone"
    found = results(again)["judge"]
    for arm, share in true.items():
        figure = found["corrected"]["arms"]["correct"][arm]
        assert figure["low"] <= share <= figure["high"]
        assert abs(figure["value"] - share) < 0.1 < abs(raw[arm] - share), "the judge's own figure is far off"
    (difference,) = found["corrected"]["comparisons"]
    assert difference["low"] <= true[difference["a"]] - true[difference["b"]] <= difference["high"]
    assert found["agreement"]["correct"]["n"] == 160
    assert "Corrected by labels" in (again / "report.md").read_text()

    report([str(again)])
    assert results(again)["judge"]["corrected"] == found["corrected"]
    (folder / "labels").rename(folder / "moved")
    capsys.readouterr()
    report([str(again)])
    assert "labels.csv is missing: no label corrects the figures of the judge" in capsys.readouterr().err
    assert "corrected" not in results(again)["judge"]
    (folder / "moved").rename(folder / "labels")

    source = {"path": "/my conf", "schema": "file", "provider": "command-line"}
    (folder / ".hydra").mkdir()
    (folder / ".hydra" / "hydra.yaml").write_text(json.dumps({"hydra": {"runtime": {"config_sources": [source]}}}))
    main([str(folder), "n=200"])
    said = capsys.readouterr().out
    assert "160 labels kept" in said
    assert "python -m raft_exp --config-dir '/my conf' " in said, "the run's own folder of settings"
    with pytest.raises(SystemExit):
        main([str(folder), "n=100"])
    assert "labels of replies that are not in the new sheet; use the n, seed and tasks" in capsys.readouterr().err


@pytest.mark.slow
def test_sheets_that_cannot_be_made(run, capsys):
    folder, _ = run

    def refused(*words):
        with pytest.raises(SystemExit):
            main([str(folder), *words])
        return capsys.readouterr().err

    assert "n: got 1, but there are 2 arms; must be at least 2" in refused("n=1")
    assert "tasks: got 'corect'; did you mean 'correct'?" in refused("tasks=corect")
