"""The stage `select` on written answers: which candidate it chooses, and what it hands on."""

import json
from pathlib import Path

import pytest

from raft_exp.core.errors import DataError
from raft_exp.core.records import write_jsonl
from raft_exp.evaluation.results import Choice
from raft_exp.evaluation.select_stage import SelectStage, select
from raft_exp.evaluation.selection import describe, edge_warning

QUESTIONS = 8


def rows(folder: Path, count: int = QUESTIONS) -> Path:
    folder.mkdir()
    write_jsonl(
        folder / "rows.jsonl",
        [
            {
                "id": f"q{place}",
                "question": "?",
                "answers": ["blue"],
                "context": [],
                "has_gold": True,
                "target": "",
                "target_grounded": True,
                "messages": [],
                "split": "validation",
            }
            for place in range(count)
        ],
    )
    return folder


def answers(folder: Path, right: int) -> Path:
    folder.mkdir(parents=True)
    said = ["blue" if place < right else "red" for place in range(QUESTIONS)]
    write_jsonl(
        folder / "answers.jsonl",
        [
            {"id": f"q{place}", "raw": f"##Answer: {word}", "truncated": False, "prompt_tokens": 1, "new_tokens": 1}
            for place, word in enumerate(said)
        ],
    )
    return folder


def chosen(tmp_path: Path, right: dict[str, dict[str, int]], grid: bool = True, payloads: bool = True) -> Choice:
    """The choice between candidates of which each arm answers so many questions right."""
    arms = list(next(iter(right.values())))
    config = SelectStage(
        setting="trainer.learning_rate",
        candidates={name: 10.0**place for place, name in enumerate(right)},
        grid=grid,
        metric="exact_match",
        corpus="almanac",
        reply_format="paper",
        refusal="",
        arms={arm: {"context": "passages", "cot": False} for arm in arms},
        seed=0,
        encoder=None,
    )
    folders = {}
    for name in right:
        folder = folders[name] = tmp_path / "train" / name
        (folder / "adapter").mkdir(parents=True)
        (folder / "adapter" / "adapter_config.json").write_text(name)
        (folder / "metrics.csv").write_text(f"step,loss\n1,{name}\n")
        (folder / "manifest.json").write_text("{}")
    (tmp_path / "out").mkdir()
    select(
        config,
        test=rows(tmp_path / "test"),
        answers={
            f"{arm}@{name}": answers(tmp_path / "answers" / name / arm, count)
            for name, counts in right.items()
            for arm, count in counts.items()
        },
        payloads=folders if payloads else None,
        out=tmp_path / "out",
    )
    choice: Choice = json.loads((tmp_path / "out" / "choice.json").read_text())
    return choice


def test_the_highest_mean_over_the_arms_is_chosen_and_its_files_are_handed_on(tmp_path):
    choice = chosen(tmp_path, {"a": {"x": 8, "y": 0}, "b": {"x": 5, "y": 5}, "c": {"x": 1, "y": 8}})
    assert (choice["chosen"], choice["value"], choice["edge"]) == ("b", 10.0, None)
    assert [candidate["mean"] for candidate in choice["candidates"]] == [0.5, 0.625, 0.5625]
    figure = choice["candidates"][2]["arms"]["x"]
    assert (figure["value"], figure["n"]) == (0.125, QUESTIONS)
    assert (tmp_path / "out/adapter/adapter_config.json").read_text() == "b"
    assert "b" in (tmp_path / "out/metrics.csv").read_text()
    assert not (tmp_path / "out/manifest.json").exists()
    assert edge_warning("raft", choice) is None


@pytest.mark.parametrize(
    ("right", "name", "edge"),
    [((3, 3, 3), "a", "lowest"), ((1, 3, 3), "b", None), ((1, 2, 3), "c", "highest")],
)
def test_the_first_of_equal_candidates_is_chosen_and_an_edge_of_the_grid_is_marked(tmp_path, right, name, edge):
    choice = chosen(tmp_path, {name: {"x": count} for name, count in zip("abc", right, strict=True)})
    assert (choice["chosen"], choice["edge"]) == (name, edge)
    assert (edge_warning("raft", choice) is None) == (edge is None)
    assert "the best of 3 on 8 validation questions (exact match 37.5)" in describe("raft", choice)


def test_candidates_without_a_grid_have_no_edge_and_need_no_files(tmp_path):
    choice = chosen(tmp_path, {"a": {"x": 3}, "b": {"x": 1}}, grid=False, payloads=False)
    assert (choice["chosen"], choice["edge"]) == ("a", None)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["choice.json"]


def test_no_validation_questions_are_an_error(tmp_path):
    config = SelectStage("s", {"a": 1}, False, "exact_match", "almanac", "paper", "", {"x": {}}, 0, None)
    with pytest.raises(DataError, match="has no validation questions, but the choice of s needs them"):
        select(config, test=rows(tmp_path / "test", 0), answers={}, out=tmp_path)
