"""Published studies: every figure of a README stands in its results.json."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raft_exp.apps.publish import publish
from tests.helpers.readme_figures import faults
from tests.helpers.runs import run_folder

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.mark.parametrize("folder", sorted(EXPERIMENTS.glob("[0-9]*")), ids=lambda folder: folder.name)
def test_every_figure_of_a_readme_stands_in_its_results(folder: Path) -> None:
    results = json.loads((folder / "results.json").read_text())
    assert faults((folder / "README.md").read_text(), results) == []


def finished(folder: Path, right: dict[str, list[int]], **settings: Any) -> Path:
    """A finished run that can be published; the questions are of two kinds."""
    run = run_folder(folder, right, kinds=("single", "bridge", "bridge"), **settings)
    plan = [{"stage": "report", "key": str(folder), "path": "", "status": "ran", "seconds": 1.0}]
    (run / "plan.json").write_text(json.dumps(plan))
    return run


def some(right: int, of: int = 60) -> list[int]:
    return [1] * right + [0] * (of - right)


CONDITION = {"k0": {"num_distractors": 0}}


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """Three seeds of one setting, published."""
    runs = [
        finished(
            tmp_path / f"{seed}",
            {"raft": some(40 + 2 * seed), "rag": some(29 + seed), "raft@k0": some(47 + seed), "rag@k0": some(33)},
            seed=seed,
            world=f"w{seed} ",
            conditions=CONDITION,
        )
        for seed in (1, 2, 3)
    ]
    return publish(runs, tmp_path / "experiments" / "001_seeds", "Does it read?")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two settings of three seeds, published."""
    runs = [
        finished(
            tmp_path / f"{seed}{p}",
            {"raft": some(round(40 * p) + 3 * seed), "rag": some(29 + seed)},
            seed=seed,
            world=f"w{seed} ",
            dataset__p=p,
        )
        for seed in (1, 2, 3)
        for p in (0.4, 1.0)
    ]
    return publish(runs, tmp_path / "experiments" / "002_p", "Which p?")


def checked(folder: Path, readme: str | None = None) -> list[str]:
    return faults(readme or (folder / "README.md").read_text(), json.loads((folder / "results.json").read_text()))


def last_digits(readme: str) -> Iterator[int]:
    """The place of the last digit of each cell of a table, without heads and first columns."""
    start, row = 0, 0
    for line in readme.splitlines(keepends=True):
        row = row + 1 if line.startswith("|") else 0
        place = line.find("|", 1)
        while row > 2 and (end := line.find("|", place + 1)) > 0:
            digits = [index for index in range(place, end) if line[index].isdigit()]
            yield from (start + index for index in digits[-1:])
            place = end
        start += len(line)


@pytest.mark.parametrize("study", ["seeds", "sweep"])
def test_what_is_published_stands_in_its_results_and_no_digit_may_change(
    study: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(study)
    readme = (folder / "README.md").read_text()
    assert checked(folder) == []
    places = list(last_digits(readme))
    assert len(places) > 10
    for place in places:
        spoilt = readme[:place] + str((int(readme[place]) + 4) % 10) + readme[place + 1 :]
        assert checked(folder, spoilt), readme[max(0, place - 60) : place + 10]


@pytest.mark.parametrize(
    "sentence",
    [
        "RAFT scores 12.3 percent.",
        "RAFT is at 71.1 (60.0-80.0).",
        "a difference of +13.3 points (95% interval +1.0 to +25.6), p = 0.04",
        "It is above rag (p = 0.0123).",
        "The published figure is 73.30.",
        "| arm | exact match |\n|---|---|\n| `raft` | 99.9 (99.0-100.0) |",
        "| arm | exact match |\n|---|---|\n| `nobody` | 73.3 |",
        "| arm | exact match | seed 1 |\n|---|---|---|\n| `raft` | | 73.4 |",
        "| kind | n | `raft` |\n|---|---|---|\n| bridge | 119 | |",
    ],
)
def test_an_invented_figure_is_found(seeds: Path, sentence: str) -> None:
    assert len(checked(seeds, f"{(seeds / 'README.md').read_text()}\n{sentence}\n")) == 1


def test_a_mark_stands_only_where_an_arm_differs() -> None:
    readme = (EXPERIMENTS / "005_real_triviaqa" / "README.md").read_text()
    results = json.loads((EXPERIMENTS / "005_real_triviaqa" / "results.json").read_text())
    marked, unmarked = "| `sft_rag` | 15.2 (11.3-20.2) \\* |", "| 22.5 (18.1-27.5) |"
    assert marked in readme
    assert unmarked in readme
    assert faults(readme.replace(marked, marked.replace(" \\*", "")), results) == []
    assert len(faults(readme.replace(unmarked, "| 22.5 (18.1-27.5) \\* |"), results)) == 1


def test_figures_of_other_sources_and_settings_are_named(seeds: Path) -> None:
    results = json.loads((seeds / "results.json").read_text())
    figure = results["settings"][0]["arms"]["raft"]["metrics"]["exact_match"]
    value, low, high = (f"{100 * figure[name]:.1f}" for name in ("value", "low", "high"))
    row = next(row for row in results["comparisons"] if row["metric"] == "exact_match")
    readme = f"""
```
python -m raft_exp trainer.learning_rate=0.005 dataset.p=0.8
```
RAFT at a rate of 0.005 and p = 0.8 scores {value} ({low}-{high}), in the paper 73.30.
<!-- not from results.json: 73.30 -->
It is above `rag` (p = {row["p_value"]:.3f}) by {100 * row["difference"]:+.1f} points
(95% interval {100 * row["low"]:+.1f} to {100 * row["high"]:+.1f}), p = {row["p_value"]:.3f}.
"""
    assert checked(seeds, readme) == []


def test_an_existing_folder_keeps_its_text_and_gets_the_new_figures(seeds: Path, sweep: Path) -> None:
    (seeds / "README.md").write_text("What it shows.\n")
    (seeds / "figure_2.svg").write_text("old")
    runs = sorted(path for path in seeds.parents[1].glob("*0.4"))
    publish(runs, seeds, "", renew=True)
    assert (seeds / "README.md").read_text() == "What it shows.\n"
    assert not (seeds / "figure_2.svg").exists()
    (setting,) = json.loads((seeds / "results.json").read_text())["settings"]
    assert setting["runs"] == {"1": "10.4", "2": "20.4", "3": "30.4"}
    assert str(seeds.parents[1]) not in (seeds / "results.json").read_text()
