"""No page, table or W&B run shows where a machine keeps its files."""

import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raft_exp.reporting.comparison import write_comparison
from raft_exp.reporting.formats import model_name
from raft_exp.reporting.paths import is_machine_path, last_name, shown_value, without_folders
from raft_exp.reporting.runs import open_runs
from raft_exp.reporting.wandb.config import WandbConfig
from raft_exp.reporting.wandb.runs import start
from raft_exp.reporting.wandb.study import WandbStudy
from tests.helpers.report_study import Study
from tests.helpers.runs import run_folder

# Odd names of folders: spaces, other scripts, signs of a shell, of YAML, of Markdown and of HTML.
SECRET = "verysecretfolder"
ODD = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z"), exclude_characters="/\\:"), min_size=1, max_size=8)
FOLDER = st.builds(lambda before, after: f"{before} {SECRET}{after}", ODD, ODD)
STARTS = (
    "/",
    "/home/",
    "~/",
    "~anna/",
    "../",
    "./",
    "../../",
    "data/../../",
    "C:/",
    "D:\\",
    "\\\\server\\",
    "file:///",
)


@st.composite
def paths(draw: st.DrawFn) -> str:
    """An absolute path, or one above the working folder, whose folders all have `SECRET` in their names."""
    start = draw(st.sampled_from(STARTS))
    separator = "\\" if "\\" in start else "/"
    folders = draw(st.lists(FOLDER, min_size=1, max_size=3))
    end = draw(st.sampled_from(["", separator, separator * 2]))
    return start + separator.join([*folders, "the model"]) + end


@given(paths())
def test_a_path_of_a_machine_is_shown_by_its_last_name(path: str) -> None:
    assert is_machine_path(path)
    assert model_name(path) == last_name(path) == "the model"
    nested = without_folders({"a": {"b": [path, {"c": path}], "d": 3, "e": None}})
    assert nested == {"a": {"b": ["the model", {"c": "the model"}], "d": 3, "e": None}}


@pytest.mark.parametrize(
    "text",
    [
        *("Qwen/Qwen2.5-3B-Instruct", "asset:pocket", "package:llm/Model.gguf", "http://127.0.0.1:8000/v1", "gpt-4.1"),
        *(
            "data/questions.csv",
            "/no_think Answer the question.",
            "yes / no",
            "a ~ b",
            "1/2",
            "\\d+",
            "~5 words",
            "...",
        ),
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert shown_value(text) == text


@pytest.mark.parametrize("path", ["/", "..", "../..", "/home/..", "~", "C:\\"])
def test_a_path_without_a_name_of_its_own_is_a_local_folder(path: str) -> None:
    assert model_name(path) == "a local folder"


@pytest.mark.slow
@given(paths())
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_report_of_a_local_model_tells_nothing_of_its_place(study: Study, path: str) -> None:
    engine = {"name": "vllm", "model": path}
    study.config |= {"model": path, "random_weights": True}
    study.config["settings"] = {"corpus": {"path": path}, "model": {"name_or_path": path, "tokenizers": [path]}}
    study.config["arms"] = {**study.config["arms"], "rag": {"context": "passages", "adapter": path, "engine": engine}}
    out = study.run()
    for name in ("report.html", "report.md", "results.csv", "comparisons.csv"):
        assert SECRET not in (out / name).read_text(), name
    assert "the model" in (out / "report.md").read_text()
    assert SECRET not in " ".join(json.loads((out / "results.json").read_text())["warnings"])
    assert "The ready adapter the model" in (out / "report.html").read_text()


@given(paths())
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_settings_that_wandb_gets_tell_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    sent: dict[str, Any] = {}

    def init(**values: Any) -> SimpleNamespace:
        sent.update(values)
        return SimpleNamespace(offline=True)

    monkeypatch.setattr("wandb.init", init)
    values = {"study": "mine", "store": path, "corpus": {"path": [path]}, "model": {"name_or_path": path}}
    logger = WandbConfig("wandb", "raft", None, "offline", [])
    start(WandbStudy(logger, "mine", values, tmp_path, "", {"model.name_or_path": path}), "report", "report")
    assert sent["config"]["model.name_or_path"] == "the model"
    assert SECRET not in json.dumps(sent["config"])


@given(paths())
@settings(max_examples=5, deadline=None)
def test_a_comparison_tells_nothing_of_it(path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, right = Path(folder), [1, 0] * 20
        changes: list[dict[str, Any]] = [{"model__name_or_path": path}, {"model__name_or_path": "Qwen/Qwen2.5-3B"}]
        equal: dict[str, Any] = {"corpus__path": path, "adapters__mine": [path]}
        runs = [
            run_folder(root / f"run{place}", {"raft": right, "rag": right[::-1]}, **change, **equal)
            for place, change in enumerate(changes)
        ]
        write_comparison(root / "out", *open_runs(runs))
        for file in (root / "out").iterdir():
            assert SECRET not in file.read_text(), file.name
            assert json.dumps(SECRET)[1:-1] not in file.read_text(), file.name
        assert "the model" in (root / "out/comparison.md").read_text()
