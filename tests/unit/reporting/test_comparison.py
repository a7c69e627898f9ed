"""`python -m raft_exp.report RUN RUN ...` on made runs: what differs is found, seeds are pooled, pairs are honest."""

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raft_exp.core.errors import DataError
from raft_exp.evaluation.metrics import METRICS
from raft_exp.evaluation.statistics import compare_over_seeds, estimate_over_seeds
from raft_exp.reporting.compare import compared as compare_settings
from raft_exp.reporting.comparison import write_comparison
from raft_exp.reporting.runs import open_runs
from raft_exp.reporting.settings import settings
from tests.helpers.command_line import run_module
from tests.helpers.html_page import Page
from tests.helpers.markdown_tables import broken_tables
from tests.helpers.runs import run_folder

HALF, MORE, ALL = [1, 0] * 30, [1, 0, 1, 1] * 15, [1] * 60


def worlds(*seeds: list[int]) -> list[dict[str, float]]:
    """The observations of seeds with questions of their own."""
    return [{f"{seed} {place}": float(ok) for place, ok in enumerate(row)} for seed, row in enumerate(seeds)]


def compared(out: Path, *runs: Path) -> dict[str, Any]:
    found, left_out = open_runs(runs)
    write_comparison(out, found, left_out)
    told: dict[str, Any] = json.loads((out / "comparison.json").read_text())
    return told


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """p = 0.4, 0.8, 1.0 and two seeds with questions of their own; rag says the same throughout."""
    for seed in (1, 2):
        for p, replies in ((1.0, MORE), (0.4, HALF), (0.8, ALL)):
            more = {"raft": replies if seed == 1 else replies[::-1], "rag": HALF}
            run_folder(tmp_path / f"sweep/{seed}{p}", more, seed=seed, world=f"w{seed}-", dataset__p=p)
    (tmp_path / "sweep/multirun.yaml").touch()
    return tmp_path / "sweep"


def test_what_differs_is_found_and_seeds_are_pooled(sweep: Path, tmp_path: Path) -> None:
    told = compared(tmp_path / "out", sweep)
    assert [(one["name"], one["values"], list(one["runs"])) for one in told["settings"]] == [
        (f"p={p:g}", {"dataset.p": p}, ["1", "2"]) for p in (0.4, 0.8, 1.0)
    ]
    assert told["equal"]["corpus.name"] == "almanac"
    assert not {"seed", "corpus.world_seed", "dataset.p", "store"} & set(told["equal"])
    raft = told["settings"][2]["arms"]["raft"]
    pooled = estimate_over_seeds(METRICS["exact_match"], worlds(MORE, MORE[::-1]))
    figure = {"value": 0.75, "low": pooled.low, "high": pooled.high, "method": "t over seeds", "seeds": 2, "df": 1.0}
    assert raft == {"n": 120, "metrics": {"exact_match": figure}}


def test_several_seeds_have_mean_deviation_and_their_own_figures(tmp_path: Path) -> None:
    runs = [run_folder(tmp_path / f"{seed}", {"raft": [1] * seed + [0] * (4 - seed)}, seed=seed) for seed in (1, 2, 3)]
    seeds = compared(tmp_path / "out", *runs)["settings"][0]["seeds"]["raft"]["exact_match"]
    assert seeds == {"mean": 0.5, "deviation": 0.25, "values": {"1": 0.25, "2": 0.5, "3": 0.75}}
    row = r"^\| \S+ \| raft \| 50.0 \| 25.0 \| 25.0 \| 50.0 \| 75.0 \|$"
    assert re.search(row, (tmp_path / "out/comparison.md").read_text(), re.MULTILINE)


def test_pairs_are_compared_on_the_same_questions_and_corrected_together(sweep: Path, tmp_path: Path) -> None:
    told = compared(tmp_path / "out", sweep)
    pairs = [(row["arm_a"], row["a"], row["arm_b"], row["b"]) for row in told["comparisons"]]
    within = [("raft", f"p={p}", "rag", f"p={p}") for p in ("0.4", "0.8", "1")]
    between = [("raft", a, "raft", b) for a, b in (("p=0.8", "p=0.4"), ("p=1", "p=0.4"), ("p=1", "p=0.8"))]
    # rag says the same in all settings: no comparison of it
    assert sorted(pairs) == sorted(within + between)
    row = next(row for row in told["comparisons"] if (row["a"], row["b"]) == ("p=1", "p=0.4"))
    over = compare_over_seeds(METRICS["exact_match"], worlds(MORE, MORE[::-1]), worlds(HALF, HALF[::-1]))
    assert (row["difference"], row["p_value"], row["n"]) == (over.difference, over.p_value, 120)
    assert (row["seeds"], row["df"], row["method"]) == (["1", "2"], 1, "t over seeds")
    assert row["p_value_holm"] > row["p_value"]
    # p=0.4 against its own rag: no difference at all, and six tests in the family
    assert max(row["p_value_holm"] for row in told["comparisons"]) == 1


def test_the_sentence_names_settings_with_the_same_replies_and_arms_with_the_same_figure(tmp_path: Path) -> None:
    replies = {0.4: HALF, 0.8: ALL, 1.0: ALL}
    runs = [run_folder(tmp_path / f"{p}", {"raft": ok}, dataset__p=p) for p, ok in replies.items()]
    told = compared(tmp_path / "out", *runs)
    assert told["same"] == [{"a": "p=1", "b": "p=0.8", "arm": "raft"}]
    assert "highest with p=0.8: 100.0%" in told["verdict"]
    assert "It is significantly higher than with p=0.4 (5% level, after Holm's correction)." in told["verdict"]
    assert "The replies are the same with p=1." in told["verdict"]
    arms = run_folder(tmp_path / "arms", {"raft": HALF, "rag": ALL, "sft": ALL})
    seeds = run_folder(tmp_path / "seeds", {"raft": HALF, "rag": ALL, "sft": ALL}, seed=2)
    verdict = compared(tmp_path / "both", arms, seeds)["verdict"]
    assert verdict.startswith("raft is worse than rag, one of 2 best other arms, in exact match")


def test_runs_with_other_questions_are_shown_apart(tmp_path: Path) -> None:
    one = run_folder(tmp_path / "one", {"raft": HALF}, dataset__p=0.5)
    two = run_folder(tmp_path / "two", {"raft": ALL}, dataset__p=1.0, world="other ")
    told = compared(tmp_path / "out", one, two)
    line = "p=1 and p=0.5 are not compared: their test questions differ (seed 1)"
    assert told["apart"] == [line]
    assert told["comparisons"] == []
    for page in ("comparison.html", "comparison.md"):
        assert line in re.sub(r"\\", "", (tmp_path / "out" / page).read_text())
    assert len(told["settings"]) == 2, "each has its row"


def test_a_question_asked_by_several_seeds_counts_once(tmp_path: Path) -> None:
    """Five seeds that say the same of the same questions know no more than one of them."""
    runs = [run_folder(tmp_path / f"{seed}", {"raft": HALF, "rag": ALL}, seed=seed) for seed in range(5)]
    once = compared(tmp_path / "once", runs[0])
    often = compared(tmp_path / "often", *runs)
    widths = [
        one["high"] - one["low"]
        for told in (once, often)
        for one in [told["settings"][0]["arms"]["raft"]["metrics"]["exact_match"]]
    ]
    assert widths[1] > 0.85 * widths[0]
    assert often["settings"][0]["arms"]["raft"]["n"] == 60
    assert often["comparisons"][0]["n"] == 60


def test_figures_that_are_no_mean_are_pooled_too(tmp_path: Path) -> None:
    runs = [
        run_folder(tmp_path / f"{seed}", {"raft": MORE}, seed=seed, metrics=("accuracy", "macro_f1")) for seed in (1, 2)
    ]
    told = compared(tmp_path / "out", *runs)
    found = told["settings"][0]["arms"]["raft"]["metrics"]["macro_f1"]
    assert found["value"] == pytest.approx((2 * 0.75 / 1.75) / 2)  # yes: F1 of 6/7; no: nothing true
    assert found["low"] < found["value"] < found["high"]


def test_curves_over_the_sweep_and_over_the_conditions(tmp_path: Path) -> None:
    conditions = {"k0": {"num_distractors": 0}, "k8": {"num_distractors": 8}}
    runs = []
    for trained, right in ((0, HALF), (4, MORE)):
        replies = {"raft": right, "raft@k0": ALL, "raft@k8": HALF, "rag": HALF, "rag@k0": HALF, "rag@k8": HALF}
        folder = tmp_path / f"{trained}"
        runs.append(run_folder(folder, replies, conditions=conditions, dataset__num_distractors=trained))
    compared(tmp_path / "out", *runs)
    html = (tmp_path / "out/comparison.html").read_text()
    assert "By dataset.num_distractors" in html
    drawn = html.partition("By distractors in the context at test")[2].partition("</figure>")[0]
    texts = re.findall(r">([^<>]+)</text>", drawn)
    for name in ("raft, dataset.num_distractors=0", "raft, dataset.num_distractors=4", "rag"):
        assert name in texts
    assert "rag, dataset.num_distractors=0" not in texts, "rag is the same in both: one line"
    with (tmp_path / "out/results.csv").open() as file:
        rows = list(csv.DictReader(file))
    at = [row for row in rows if row["condition"] == "k0" and row["arm"] == "raft"]
    pooled = [row for row in at if row["seed"] == "pooled"]
    assert [(row["dataset.num_distractors"], float(row["value"])) for row in pooled] == [("0", 1.0), ("4", 1.0)]
    assert [row["seed"] for row in at if row not in pooled] == ["1", "1"], "the figures of each seed"


def test_a_range_and_a_number_of_distractors_are_two_settings(tmp_path: Path) -> None:
    counts: list[Any] = [4, {"min": 0, "max": 8}, {"min": 2, "max": 8}]
    runs = [
        run_folder(tmp_path / str(place), {"raft": HALF}, dataset__num_distractors=count)
        for place, count in enumerate(counts)
    ]
    told = compared(tmp_path / "out", *runs)
    assert [one["name"] for one in told["settings"]] == [
        "dataset.num_distractors=4",
        "dataset.num_distractors=0 to 8",
        "dataset.num_distractors=2 to 8",
    ]


def test_the_page_loads_and_runs_nothing(sweep: Path, tmp_path: Path) -> None:
    compared(tmp_path / "out", sweep)
    page = Page((tmp_path / "out/comparison.html").read_text())
    assert page.scripts == []
    assert all(link.startswith("#") for link in page.loads)


def test_arms_of_two_runs_that_differ_in_their_arms_alone(tmp_path: Path) -> None:
    one = run_folder(tmp_path / "one", {"rag": HALF, "raft": MORE})
    two = run_folder(tmp_path / "two", {"rag": HALF, "mine": ALL})
    told = compared(tmp_path / "out", one, two)
    pairs = {(row["arm_a"], row["arm_b"]) for row in told["comparisons"]}
    assert pairs == {("raft", "rag"), ("mine", "rag"), ("mine", "raft")}


def test_what_cannot_be_compared_is_one_line(tmp_path: Path) -> None:
    one = run_folder(tmp_path / "one", {"raft": HALF})
    same = run_folder(tmp_path / "same", {"raft": ALL})
    with pytest.raises(DataError, match="have equal settings and the same seed"):
        compared(tmp_path / "out", one, same)
    other = run_folder(tmp_path / "other", {"raft": ALL}, dataset__p=0.1, metrics=("accuracy",))
    with pytest.raises(DataError, match="no metric in common"):
        compared(tmp_path / "out", one, other)
    (same / "results.json").write_text("{")
    with pytest.raises(DataError, match=r"same: results\.json or config\.yaml cannot be read"):
        open_runs([same])


@pytest.mark.slow
def test_an_unfinished_run_is_named(sweep: Path, tmp_path: Path) -> None:
    (sweep / "10.4/results.json").unlink()
    runs, left_out = open_runs([sweep])
    assert len(runs) == 5
    told = "left out: it is unfinished (no results.json); repeat the command of the sweep to finish it"
    assert left_out == [f"{sweep / '10.4'}: {told}"]
    done = run_module("raft_exp.report", sweep, str(sweep / "10.4"))
    assert done.returncode == 2
    told = "the run is unfinished (no results.json); repeat its command to finish it"
    assert done.stderr == f"DataError: {sweep / '10.4'}: {told}\n"


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["outt=x", "outt=/some/folder"])
def test_a_setting_that_there_is_not_is_told_from_a_folder(sweep: Path, wrong: str) -> None:
    done = run_module("raft_exp.report", sweep, str(sweep / "10.4"), wrong)
    assert done.returncode == 2
    assert done.stderr == "ConfigError: outt: no such setting; did you mean 'out'? (known: out)\n"


def test_auto_and_the_value_that_it_stands_for_are_one_setting(tmp_path: Path) -> None:
    dtype = {"model__dtype": "float32"}
    explicit: dict[str, Any] = {
        "trainer__packing": True,
        "trainer__precision": "32-true",
        "model__lora_learning_rate": None,
    } | dtype
    auto: dict[str, Any] = {
        "trainer__packing": "auto",
        "trainer__precision": "auto",
        "model__lora_learning_rate": 5e-4,
    } | dtype
    runs = [run_folder(tmp_path / "1", {"raft": HALF}, seed=1, **explicit)]
    runs += [run_folder(tmp_path / "2", {"raft": HALF}, seed=2, **auto)]
    (group,) = compared(tmp_path / "out", *runs)["settings"]
    assert list(group["runs"]) == ["1", "2"]


def test_a_run_whose_arm_has_its_own_rate_differs_from_one_with_the_rate_of_the_study(tmp_path: Path) -> None:
    first = run_folder(tmp_path / "first", {"raft": HALF}, trainer__learning_rate=1e-3)
    own = {"raft": {"recipe": "raft", "trainer": {"learning_rate": 3e-4}}}
    second = run_folder(tmp_path / "second", {"raft": MORE}, trainer__learning_rate=1e-3, arms__raft=own["raft"])
    told = compared(tmp_path / "out", first, second)
    assert [one["values"] for one in told["settings"]] == [
        {"arms.raft.trainer.learning_rate": rate} for rate in (3e-4, 1e-3)
    ]


def test_seeds_of_one_study_are_pooled_whatever_their_verdicts_are_about(tmp_path: Path) -> None:
    named: dict[str, Any] = {"evaluation__primary": {"metric": "f1", "arm": None, "against": None}}
    older = run_folder(tmp_path / "1", {"raft": HALF}, seed=1)
    newer = run_folder(tmp_path / "2", {"raft": HALF}, seed=2, **named)
    (group,) = compared(tmp_path / "out", older, newer)["settings"]
    assert list(group["runs"]) == ["1", "2"]


def test_each_condition_and_each_kind_of_question_has_figures_and_tests_of_its_own(tmp_path: Path) -> None:
    conditions = {"k0": {"num_distractors": 0}, "k8": {"num_distractors": 8}}
    runs = []
    for seed in (1, 2, 3):
        more = [1] * (40 + seed) + [0] * (20 - seed)
        right = {"raft": more, "rag": HALF, "raft@k0": ALL, "rag@k0": HALF, "raft@k8": HALF, "rag@k8": HALF}
        runs.append(
            run_folder(
                tmp_path / f"run{seed}",
                right,
                seed=seed,
                world=f"w{seed}",
                conditions=conditions,
                kinds=("single", "bridge"),
                metrics=("exact_match", "f1"),
            )
        )
    told = compared(tmp_path / "out", *runs)
    (setting,) = told["settings"]
    assert setting["runs"] == {"1": "run1", "2": "run2", "3": "run3"}, "folders without their paths"
    under = setting["conditions"]["k8"]["raft"]
    assert {name: figure["value"] for name, figure in under["metrics"].items()} == {"exact_match": 0.5, "f1": 0.5}
    assert setting["seeds"]["raft@k0"]["exact_match"]["values"] == {"1": 1.0, "2": 1.0, "3": 1.0}
    assert {name: [row["difference"] for row in rows] for name, rows in told["condition_comparisons"].items()} == {
        "k0": [0.5],
        "k8": [0.0],
    }
    single = setting["slices"]["kind"]["single"]
    assert (single["rag"]["n"], single["rag"]["metrics"]["exact_match"]["value"]) == (90, 1.0)
    rows = told["slice_comparisons"]["kind"]
    assert [rows[kind][0]["difference"] > 0 for kind in ("single", "bridge")] == [False, True]
    assert all(rows[kind][0]["p_value_holm"] >= rows[kind][0]["p_value"] for kind in rows)
    assert str(tmp_path) not in "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    with (tmp_path / "out/comparisons.csv").open() as file:
        written = list(csv.DictReader(file))
    assert {(row["condition"], row["slice"], row["group"]) for row in written} == {
        ("", "", ""),
        ("k0", "", ""),
        ("k8", "", ""),
        ("", "kind", "single"),
        ("", "kind", "bridge"),
    }
    assert {row["seeds"] for row in written} == {"3"}
    assert "<svg" in (tmp_path / "out/figure.svg").read_text()


def test_the_primary_contrast_is_not_corrected_and_the_others_are_without_it(tmp_path: Path) -> None:
    primary = {"metric": "exact_match", "arm": "raft", "against": "rag"}
    right = {"raft": MORE, "rag": HALF, "base": [0] * 60, "sft": ALL}
    runs = [run_folder(tmp_path / f"{seed}", right, seed=seed, world=f"w{seed}", primary=primary) for seed in (1, 2, 3)]
    told = compared(tmp_path / "out", *runs)
    by_arm = {row["arm_b"]: row for row in told["comparisons"]}
    assert by_arm["rag"]["p_value_holm"] == by_arm["rag"]["p_value"]
    assert max(by_arm[arm]["p_value_holm"] / by_arm[arm]["p_value"] for arm in ("base", "sft")) == pytest.approx(2)
    assert told["verdict"].startswith("raft is better than rag in exact match: 75.0% against 50.0%")
    assert "on 180 questions of 3 seeds" in told["verdict"]
    assert "Higher than raft: sft 100.0%" in told["verdict"]


def test_a_verdict_over_one_seed_is_about_this_training_alone(tmp_path: Path) -> None:
    one = run_folder(tmp_path / "one", {"raft": ALL, "rag": HALF}, dataset__p=0.5)
    two = run_folder(tmp_path / "two", {"raft": HALF, "rag": HALF}, dataset__p=1.0)
    told = compared(tmp_path / "out", one, two)
    assert "Only one training run (one seed) of each setting: results vary between seeds" in told["verdict"]
    assert {row["df"] for row in told["comparisons"]} == {None}
    jobs = tmp_path / "sweep" / "0"
    jobs.parent.mkdir()
    one.rename(jobs)
    alone = compared(tmp_path / "alone", jobs.parent)
    assert alone["verdict"].startswith(
        "raft is better than rag, the best other arm, in exact match for this training run (seed 1)"
    )
    assert alone["settings"][0]["runs"] == {"1": "sweep/0"}
    untrained = [
        run_folder(tmp_path / name, {"rag": ok, "rag_cot": HALF}, evaluation__k=k)
        for name, ok, k in (("a", ALL, 1), ("b", HALF, 2))
    ]
    assert "training run" not in compared(tmp_path / "untrained", *untrained)["verdict"]


@pytest.mark.slow
def test_two_trainings_of_one_recipe_are_called_different_at_most_as_often_as_they_may(tmp_path: Path) -> None:
    """Seeds whose figures lie apart by more than their questions explain, as trainings do."""
    draw = np.random.default_rng(4)
    called = 0
    for study in range(40):
        runs = []
        for seed in (1, 2, 3):
            skills = 0.5 + draw.normal(0, 0.2, 2)
            right = {
                arm: (draw.random(60) < skill).astype(int).tolist()
                for arm, skill in zip(("raft", "sft"), skills, strict=True)
            }
            runs.append(run_folder(tmp_path / f"{study}/{seed}", right, seed=seed, world=f"w{seed}"))
        groups, _ = settings(open_runs(runs)[0])
        called += compare_settings(groups)["comparisons"][0]["p_value"] < 0.05
    assert called <= 6, "pooled questions alone would call most of them different"


def test_the_tables_of_the_markdown_are_tables(sweep: Path, tmp_path: Path) -> None:
    compared(tmp_path / "out", sweep)
    markdown = (tmp_path / "out/comparison.md").read_text()
    rows = re.findall(r"^\| raft, p=.*\|$", markdown, re.MULTILINE)
    assert len(rows) == 6
    assert {row.count("|") for row in rows} == {9}
    assert broken_tables(markdown) == []


SAME: dict[str, Any] = {"dataset__num_distractors": 3}


def test_a_difference_that_is_not_significant_is_said_in_plain_words(tmp_path: Path) -> None:
    runs = [
        run_folder(tmp_path / f"{d}", {"raft": [1] * (50 - d) + [0] * (10 + d)}, evaluation__num_distractors=d, **SAME)
        for d in (0, 2, 20)
    ]
    verdict = compared(tmp_path / "out", *runs)["verdict"]
    assert verdict.startswith(
        "raft's exact match is highest with evaluation.num_distractors=0: 83.3% (95% interval 72.0 to 90.7). "
        "It is significantly higher than with evaluation.num_distractors=20 "
        "and not significantly higher than with evaluation.num_distractors=2 (5% level, after Holm's correction)."
    )
    html = Page((tmp_path / "out/comparison.html").read_text().partition("</style>")[2]).text
    markdown = (tmp_path / "out/comparison.md").read_text()
    assert "3 settings 1 seed (1)" in " ".join(html.split())
    assert "Corpus almanac, model tiny, 3 settings, 1 seed (1)." in markdown
    assert "The highest of several settings is partly the highest by chance" in markdown
    for text in (html, markdown):
        assert "not distinguishable from it" not in text


def test_runs_over_different_questions_are_not_ranked(tmp_path: Path) -> None:
    runs = [
        run_folder(tmp_path / name, {"raft": ok, "rag": HALF}, dataset__p=p, world=world)
        for name, ok, p, world in (("a", HALF, 0.1, ""), ("b", ALL, 0.2, "other "), ("c", MORE, 0.3, "third "))
    ]
    told = compared(tmp_path / "out", *runs)
    assert told["same_questions"] == [["p=0.1"], ["p=0.2"], ["p=0.3"]]
    assert told["verdict"].startswith(
        "These settings were tested on different questions, so their figures are not ranked."
    )
    pages = told["verdict"] + "".join((tmp_path / "out" / f"comparison.{end}").read_text() for end in ("md", "html"))
    for word in ("best", "highest", "lead"):
        assert not re.search(rf"\b{word}\b", pages), word


def test_of_settings_that_share_questions_the_highest_is_named(tmp_path: Path) -> None:
    runs = [
        run_folder(tmp_path / name, {"raft": ok}, dataset__p=p, world=world)
        for name, ok, p, world in (("a", HALF, 0.1, ""), ("b", MORE, 0.2, ""), ("c", ALL, 0.3, "third "))
    ]
    verdict = compared(tmp_path / "out", *runs)["verdict"]
    assert (
        "not ranked. Of p=0.1 and p=0.2, tested on the same questions, raft's exact match is highest with p=0.2"
        in verdict
    )
    assert "p=0.3" not in verdict


def test_settings_with_other_seeds_and_questions_are_not_ranked(tmp_path: Path) -> None:
    """Two seeds against one of them: the mean of the first is over questions that the second never answered."""
    runs = [
        run_folder(tmp_path / f"{p}{seed}", {"raft": ok}, dataset__p=p, seed=seed, world=f"w{seed}")
        for p, seed, ok in ((0.1, 1, HALF), (0.1, 2, ALL), (0.2, 1, MORE))
    ]
    assert "not ranked" in compared(tmp_path / "out", *runs)["verdict"]


def test_settings_have_the_names_of_their_runs_where_values_would_be_too_long(tmp_path: Path) -> None:
    task = "Answer the question with a few words, and do not say anything else.\nBe quick."
    different: list[dict[str, Any]] = [
        {"prompt__task": task, "dataset__p": 0.5},
        {"prompt__task": "Reply.", "dataset__p": 1.0},
    ]
    runs = [
        run_folder(tmp_path / "sweep" / str(job), {"raft": ok}, seed=seed, **different[job % 2])
        for job, (ok, seed) in enumerate(((HALF, 1), (MORE, 1), (MORE, 2), (ALL, 2)))
    ]
    told = compared(tmp_path / "out", *runs)
    assert [one["name"] for one in told["settings"]] == ["sweep/0 and 1 more seed", "sweep/1 and 1 more seed"]
    assert "highest with sweep/1 and 1 more seed" in told["verdict"]
    markdown = (tmp_path / "out/comparison.md").read_text()
    assert "| dataset.p | 0.5 | 1 |" in markdown.partition("## What differs between the settings")[2]
    assert "What differs between the settings" in (tmp_path / "out/comparison.html").read_text()


def test_values_that_readers_cannot_tell_apart_name_no_setting(tmp_path: Path) -> None:
    runs = [
        run_folder(tmp_path / name, {"raft": ok}, model__name_or_path=f"/home/{name}/models/small")
        for name, ok in (("anna", HALF), ("bert", ALL))
    ]
    told = compared(tmp_path / "out", *runs)
    assert [one["name"] for one in told["settings"]] == ["anna", "bert"]
    assert [one["values"] for one in told["settings"]] == [{"model.name_or_path": "small"}] * 2
    twins = [tmp_path / name / "run" for name in ("anna", "bert")]
    for run, twin in zip(runs, twins, strict=True):
        shutil.copytree(run, twin)
    names = [one["name"] for one in compared(tmp_path / "twins", *twins)["settings"]]
    assert [re.sub(r"[0-9a-f]{6}", "#", name) for name in names] == ["run (#)", "run (#)"]
    assert len(set(names)) == 2


def test_a_single_setting_has_the_name_of_its_sweep(sweep: Path, tmp_path: Path) -> None:
    jobs = [run_folder(tmp_path / f"seeds/{seed}", {"raft": HALF, "rag": ALL}, seed=seed) for seed in (1, 2)]
    assert [one["name"] for one in compared(tmp_path / "out", *jobs)["settings"]] == ["seeds"]
    alone = compared(tmp_path / "alone", jobs[0])
    assert [one["name"] for one in alone["settings"]] == ["seeds/1"]


def test_the_reference_arm_stands_first(tmp_path: Path) -> None:
    right = {"base": [0] * 60, "rag": HALF, "raft": MORE, "rag@k0": HALF, "raft@k0": ALL}
    runs = [
        run_folder(tmp_path / f"{seed}", right, seed=seed, conditions={"k0": {}}, kinds=("one", "two"))
        for seed in (1, 2)
    ]
    compared(tmp_path / "out", *runs)
    html = (tmp_path / "out/comparison.html").read_text()
    heads = re.findall(r"<thead>(.*?)</thead>", html, re.DOTALL)
    columns = [re.findall(r"<th[^>]*>([^<]*)", head) for head in heads]
    assert ["setting", "raft", "base", "rag", "n", "seeds"] in columns
    assert ["setting", "kind", "raft", "base", "rag", "n"] in columns
    markdown = (tmp_path / "out/comparison.md").read_text()
    assert re.findall(r"\| (\w+) \| \d+\.\d \| 0\.0 \|", markdown.partition("## Seed by seed")[2])[:3] == [
        "raft",
        "base",
        "rag",
    ]


def test_a_setting_that_is_worse_over_the_seeds_of_both_is_not_called_higher(tmp_path: Path) -> None:
    """p=0.1 has the higher mean over its two seeds, and is far below p=0.2 over the seed that both have."""
    runs = [
        run_folder(tmp_path / f"{p}{seed}", {"raft": [1] * right + [0] * (60 - right)}, dataset__p=p, seed=seed)
        for p, seed, right in ((0.1, 1, 20), (0.1, 2, 60), (0.2, 1, 36))
    ]
    told = compared(tmp_path / "out", *runs)
    (row,) = [row for row in told["comparisons"] if row["a"] != row["b"]]
    assert row["difference"] > 0
    assert row["p_value_holm"] < 0.05
    assert "highest with p=0.1" in told["verdict"]
    assert "It is not significantly higher than with p=0.2" in told["verdict"]
