"""The verdict is about the contrast that was named before the run, and what it takes to read it stands beside it."""

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from raft_exp.core.records import write_jsonl
from raft_exp.evaluation.primary import PrimaryConfig
from raft_exp.evaluation.results import Choice, Results
from raft_exp.reporting.formats import title
from raft_exp.reporting.stage import VERSION
from tests.helpers.html_page import Page
from tests.helpers.report_study import ARMS, Study, answered, example, results

N = 300
TRAINED: dict[str, Any] = {"recipe": "raft", "context": "passages", "cot": True}

Reply = Callable[[str], str]  # the truth -> the reply


def marked(answer: str) -> str:
    return f"##Answer: {answer}"


def prose(answer: str) -> str:
    return f"The answer is **{answer}**."


def wrong(_: str) -> str:
    return "##Answer: unclear"


@pytest.fixture
def open_study(tmp_path: Path) -> Study:
    """300 open questions; base is right on 30, and the other arms on all."""
    study = Study(tmp_path, [example(i, f"place {i}") for i in range(N)])
    study.config |= {"corpus": "own", "seed": 3}
    for arm in ARMS:
        say(study, arm, 30 if arm == "base" else N)
    return study


def say(study: Study, arm: str, right: int, form: Reply = marked, otherwise: Reply = wrong) -> None:
    """The first `right` replies are right, in this form."""
    study.replies[arm] = [
        answered(row, (form if place < right else otherwise)(row.answers[0]))
        for place, row in enumerate(study.examples)
    ]


def with_arms(study: Study, **arms: dict[str, Any]) -> None:
    study.config["arms"] = {**study.config["arms"], **arms}


def judged(study: Study) -> tuple[str, list[str]]:
    found = results(study.run())
    return found["verdict"], found["warnings"]


def about(lines: Iterable[str], *words: str) -> list[str]:
    return [line for line in lines if all(word in line for word in words)]


def test_the_contrast_is_fixed_and_the_best_arm_is_told_apart(open_study: Study) -> None:
    with_arms(open_study, sft_rag={"recipe": "closed_book", "context": "passages"})
    for arm, right in {"base": 90, "rag": 100, "sft_rag": 220, "raft": 200}.items():
        say(open_study, arm, right)
    found = results(open_study.run())
    assert found["primary"] == {"metric": "exact_match", "arm": "raft", "against": "rag"}
    first, *rest = found["verdict"].split(". ")
    assert first.startswith(
        "raft is better than rag in exact match for this training run (seed 3): 66.7% against 33.3%"
    )
    assert first.endswith("+33.3 points (95% interval +27.8 to +38.4), p < 0.001, on 300 test questions")
    assert rest[0].startswith("Higher than raft: sft_rag 73.3% (p < 0.001)")
    assert "-m seed=1,2,3" in rest[-1]


def test_the_primary_contrast_is_uncorrected_and_the_others_are_corrected_without_it(tmp_path: Path) -> None:
    """Six questions on which one arm alone is right: p = 0.031; Holm over the two others, not over three."""
    study = Study(tmp_path, [example(i, f"place {i}") for i in range(60)])
    study.config |= {"corpus": "own"}
    with_arms(study, sft_rag={"recipe": "closed_book", "context": "passages"})
    for arm in study.config["arms"]:
        say(study, arm, 60 if arm == "raft" else 54)
    found = results(study.run())
    rows = {row["b"]: row for row in found["comparisons"] if row["metric"] == "exact_match"}
    assert {arm: row["p_value"] for arm, row in rows.items()} == dict.fromkeys(rows, 0.03125)
    assert {arm: row["p_value_holm"] for arm, row in rows.items()} == {
        "base": 0.0625,
        "rag": 0.03125,
        "sft_rag": 0.0625,
    }
    assert found["verdict"].startswith("raft is better than rag")
    of_f1 = [row["p_value_holm"] for row in found["comparisons"] if row["metric"] == "f1"]
    assert min(of_f1) > 0.05, "of a metric that is not the primary one all three are corrected"
    markdown = (study.root / "out" / "report.md").read_text()
    assert "| exact match | rag (primary) |" in markdown


@pytest.mark.parametrize(
    ("named", "metric", "arm", "against"),
    [
        ({"metric": "f1"}, "f1", "raft", "rag"),
        ({"arm": "rag", "against": "base"}, "exact_match", "rag", "base"),
        ({"arm": "rag"}, "exact_match", "rag", "base"),
        ({"against": "base"}, "exact_match", "raft", "base"),
    ],
)
def test_another_contrast_can_be_named(
    open_study: Study, named: dict[str, str], metric: str, arm: str, against: str
) -> None:
    say(open_study, "base", 100)
    say(open_study, "rag", 200)
    open_study.config["primary"] = PrimaryConfig(**named)
    found = results(open_study.run())
    assert found["primary"] == {"metric": metric, "arm": arm, "against": against}
    assert (found["metrics"][0], found["reference"]) == (metric, arm)
    assert found["verdict"].startswith(f"{arm} is better than {against} in {title(metric)}")
    assert ("training run" in found["verdict"]) == (arm == "raft")
    assert {row["a"] for row in found["comparisons"]} == {arm}


@pytest.mark.slow
def test_without_rag_the_contrast_is_with_sft_rag_and_else_with_the_first_other_arm(open_study: Study) -> None:
    sft_rag = {"recipe": "closed_book", "context": "passages"}
    open_study.config["arms"] = {"base": ARMS["base"], "sft_rag": sft_rag, "raft": ARMS["raft"]}
    say(open_study, "sft_rag", N)
    assert results(open_study.run())["primary"]["against"] == "sft_rag"
    open_study.config["arms"] = {"raft": ARMS["raft"], "own": sft_rag, "base": ARMS["base"]}
    say(open_study, "own", N)
    assert results(open_study.run())["primary"]["against"] == "own"


@pytest.mark.slow
@pytest.mark.parametrize("metric", [None, "f1"])
def test_a_difference_of_form_is_not_called_worse(open_study: Study, metric: str | None) -> None:
    """raft answers all questions as "The answer is **X**."; rag as many, in the requested form."""
    open_study.config["primary"] = PrimaryConfig(metric)
    say(open_study, "raft", N, prose)
    verdict, warnings = judged(open_study)
    assert "worse" not in verdict
    assert "is due to the form of replies" in verdict
    assert "raft is not distinguishable from rag: 100.0% against 100.0%" in verdict
    (line,) = about(warnings, "depends on the metric")
    assert "exact match \N{MINUS SIGN}100.0 points" in line
    assert "exact match (lenient) 0.0 points" in line
    assert about(warnings, "parsed", "raft 0.0%")
    open_study.config["primary"] = PrimaryConfig("exact_match_lenient")
    assert judged(open_study)[0].startswith("raft is not distinguishable from rag in exact match (lenient)")


def test_exact_match_of_long_references_is_told_with_metrics_that_suit(tmp_path: Path) -> None:
    study = Study(tmp_path, [example(i, f"place {i} " + "word " * 10) for i in range(40)])
    study.config |= {"corpus": "own"}
    for arm in ARMS:
        say(study, arm, 0, prose, lambda answer: "It is somewhere else.")
    _, warnings = judged(study)
    (line,) = about(warnings, "12 words in the median")
    assert "Set evaluation.primary.metric=rouge_l or evaluation.primary.metric=f1, or use a judge" in line
    (line,) = about(warnings, "(parsed)")
    assert "exact_match_lenient" not in line
    assert "F1 and ROUGE-L count all other replies as wrong too: compare these arms by a judge" in line
    assert about(warnings, "No arm is clearly above", "Choose a metric that suits the answers first.")
    study.config["primary"] = PrimaryConfig("rouge_l")
    assert not about(judged(study)[1], "in the median")


@pytest.mark.slow
def test_a_difference_that_form_hides_or_turns_round_is_told(open_study: Study) -> None:
    say(open_study, "rag", 240, prose)
    say(open_study, "raft", 150)
    verdict, _ = judged(open_study)
    assert "is due to the form of replies" in verdict, "by the strict reading raft is better, by the lenient one worse"
    assert "raft is worse than rag: 50.0% against 80.0%" in verdict
    say(open_study, "rag", 150)
    study_of_both = open_study.replies["rag"]
    say(open_study, "rag", 240, prose)
    open_study.replies["rag"] = [*study_of_both[:150], *open_study.replies["rag"][150:]]
    verdict, _ = judged(open_study)
    assert verdict.startswith("raft is not distinguishable from rag in exact match")
    assert "raft is worse than rag: 50.0% against 80.0%" in verdict


def test_two_readings_that_agree_need_no_word(open_study: Study) -> None:
    for arm in ("base", "rag"):
        say(open_study, arm, 100)
    verdict, warnings = judged(open_study)
    assert verdict.startswith("raft is better than rag")
    assert "lenient" not in verdict
    assert warnings == []


def test_the_readings_may_agree_on_the_winner_and_not_on_the_size(open_study: Study) -> None:
    say(open_study, "base", 10)
    say(open_study, "rag", 100, otherwise=lambda truth: prose(truth) if int(truth.split()[1]) < 130 else wrong(truth))
    verdict, warnings = judged(open_study)
    assert verdict.startswith("raft is better than rag")
    assert "raft is better than rag: 100.0% against 43.3%" in verdict, "the lenient reading stands beside it"
    assert about(warnings, "+66.7 points", "+56.7 points")


@pytest.mark.slow
def test_few_questions_tell_nothing(tmp_path: Path) -> None:
    study = Study(tmp_path, [example(i, "yes") for i in range(8)])
    for arm, label in (("base", "yes"), ("rag", "no"), ("raft", "yes")):
        study.say(arm, *[label] * 8)
    verdict, warnings = judged(study)
    assert verdict.startswith("8 test questions cannot show whether raft and rag differ in accuracy")
    assert "better" not in verdict
    assert about(warnings, "8 test questions are too few to conclude from (fewer than 30): add questions.")
    study.config["settings"] = {"evaluation": {"max_items": 8}, "corpus": {"name": "documents"}}
    assert about(judged(study)[1], "raise evaluation.max_items (now 8) if the corpus has more")
    study.config["settings"]["evaluation"]["max_items"] = 9
    (line,) = about(judged(study)[1], "too few")
    assert line.endswith("add questions, or raise the share of test questions (corpus.test).")
    assert "debug" not in line, "the file itself has few questions"


def test_a_random_model_tells_nothing(open_study: Study) -> None:
    say(open_study, "rag", 0)
    open_study.config["random_weights"] = True
    verdict, warnings = judged(open_study)
    assert verdict.startswith("A model with random weights cannot show whether raft and rag differ in exact match")
    assert about(warnings, "random weights", "model=smollm2_135m")


@pytest.mark.parametrize(
    ("name", "untrained"),
    [
        ("asset:tiny", True),
        ("raft_exp/assets/tiny", True),
        ("hf-internal-testing/tiny-random-LlamaForCausalLM", True),
        ("asset:pocket", False),
        ("TinyLlama/TinyLlama-1.1B-Chat-v1.0", False),
        ("Qwen/Qwen2.5-3B-Instruct", False),
    ],
)
def test_which_models_are_untrained(name: str, untrained: bool) -> None:
    from raft_exp.models.loading import has_random_weights

    assert has_random_weights(name) is untrained


@pytest.mark.slow
def test_few_steps_are_a_debug_run(open_study: Study) -> None:
    say(open_study, "rag", 100)
    losses = open_study.root / "adapter" / "metrics.csv"
    losses.write_text("step,loss,validation_loss\n" + "".join(f"{step},2.0,\n" for step in range(1, 5)))
    assert about(judged(open_study)[1], "raft 4", "trainer.max_steps")
    losses.write_text("step,loss,validation_loss\n" + "".join(f"{step},2.0,\n" for step in range(1, 51)))
    assert judged(open_study)[1] == []


@pytest.mark.slow
def test_truncated_and_empty_replies_and_missing_ones(open_study: Study) -> None:
    say(open_study, "rag", 100)
    open_study.config["settings"] = {"model": {"max_new_tokens": 32}}
    cut = [answered(row, "##Reason: because", truncated=True) for row in open_study.examples[:30]]
    open_study.replies["raft"] = [*cut, *open_study.replies["raft"][30:]]
    empty = [answered(row, " ") for row in open_study.examples[:6]]
    open_study.replies["base"] = [*empty, *open_study.replies["base"][6:150]]
    _, warnings = judged(open_study)
    assert about(warnings, "model.max_new_tokens=32: raft 10.0%.", "Raise model.max_new_tokens.")
    tokens = {"splits": {"train": {"rows": 9, "completion_tokens": {"min": 9, "median": 20, "max": 330}}}}
    (open_study.root / "raft_data" / "audit.json").write_text(json.dumps(tokens))
    assert about(judged(open_study)[1], "Raise model.max_new_tokens (the longest training target has 330 tokens).")
    assert about(warnings, "Empty replies: base 4.0%"), "of the 150 that came"
    assert about(warnings, "base 150 of 300", "count as wrong")
    assert not about(warnings, "parsed"), "90% and more are"


@pytest.mark.slow
def test_cut_prompts_are_told(open_study: Study) -> None:
    say(open_study, "rag", 100)
    (open_study.root / "test").mkdir()
    audit = open_study.root / "test" / "audit.json"
    audit.write_text(json.dumps({"splits": {"test": {"rows": 300, "rows_cut": 3}}}))
    assert judged(open_study)[1] == [], "1% is not more than 1%"
    sizes = {
        "passages_with_gold": {"5": 300},
        "passages_without_gold": {},
        "prompt_tokens": {"min": 600, "max": 800, "median": 700},
    }
    audit.write_text(json.dumps({"splits": {"test": {"rows": 300, "rows_cut": 36, "rows_gold_lost": 9, **sizes}}}))
    write_jsonl(open_study.root / "rows.jsonl", open_study.examples)
    cut = {"rows": 300, "rows_cut": 150, **sizes}
    (open_study.root / "audit.json").write_text(json.dumps({"splits": {"test": cut}}))
    open_study.config["conditions"] = {"k8": {"num_distractors": 8}}
    warnings = results(open_study.run(conditions={"k8": open_study.root}))["warnings"]
    (line,) = about(warnings, "cut to fit model.max_length", "12.0% (36 of 300", "Raise model.max_length")
    assert "under k8: 50.0% (150 of 300)" in line


@pytest.mark.slow
def test_no_arm_above_chance(tmp_path: Path) -> None:
    labels = ["yes", "no"] * 100
    study = Study(tmp_path, [example(i, label) for i, label in enumerate(labels)])
    for arm in ARMS:
        study.say(arm, *["yes"] * 110, *labels[110:120], *["no"] * 80)
    assert about(judged(study)[1], "No arm is clearly above the baseline", "accuracy (50.0%)")
    study.say("raft", *labels)
    assert not about(judged(study)[1], "clearly above")


@pytest.mark.slow
def test_no_arm_above_the_question_alone(open_study: Study) -> None:
    for arm in ARMS:
        say(open_study, arm, 100)
    assert about(judged(open_study)[1], "No arm is clearly above base in exact match (33.3%)")
    say(open_study, "raft", 150)
    assert not about(judged(open_study)[1], "clearly above")
    for arm in ARMS:
        say(open_study, arm, 0)
    assert about(judged(open_study)[1], "(0.0%)")


def test_a_choice_at_the_edge_of_its_grid(open_study: Study) -> None:
    from raft_exp.reporting.warnings import Study as Judged
    from raft_exp.reporting.warnings import warnings

    found = results(open_study.run())
    choice: Choice = {
        "setting": "trainer.learning_rate",
        "metric": "exact_match",
        "chosen": "0.01",
        "value": 0.01,
        "edge": None,
        "candidates": [],
    }
    found["selection"] = {"raft": choice}
    judged_study = Judged(found, {"datasets": {}, "test": {}}, ARMS, {}, {})
    assert warnings(judged_study) == []
    choice["edge"] = "highest"
    (line,) = warnings(judged_study)
    assert "0.01" in line


def test_invented_quotes_stand_beside_the_headline(open_study: Study) -> None:
    open_study.config["arms"] = {**ARMS, "raft": TRAINED}
    quote = "##Reason: ##begin_quote## {} ##end_quote## ##Answer: {}"
    texts = ["The drug helped all patients."] * 288 + ["Nobody came."] * 12
    open_study.replies["raft"] = [
        answered(row, quote.format(text, row.answers[0])) for row, text in zip(open_study.examples, texts, strict=True)
    ]
    out = open_study.run()
    line = "Of raft's 300 quotes 4.0% are invented"
    assert line in (out / "report.md").read_text()
    assert line in Page((out / "report.html").read_text()).text


def test_warnings_stand_beside_the_verdict_everywhere(open_study: Study) -> None:
    from rich.console import Console

    from raft_exp.reporting.terminal import verdict

    say(open_study, "raft", N, prose)
    out = open_study.run()
    found = results(out)
    assert len(found["warnings"]) == 2
    html, markdown = Page((out / "report.html").read_text()).text, (out / "report.md").read_text()
    shown = io.StringIO()
    Console(width=10_000, file=shown).print(*verdict(found), sep="\n")
    for line in found["warnings"]:
        assert line in html
        assert html.index(line) < html.index("Percent, with 95% intervals")
        assert f"warning: {line}" in shown.getvalue()
    assert markdown.count("- Warning: ") == 2


@pytest.mark.slow
def test_what_a_contrast_isolates(open_study: Study) -> None:
    closed = {"recipe": "closed_book", "context": "passages", "cot": False}
    open_study.config["arms"] = {
        "base": {**ARMS["base"], "cot": False},
        "rag": {**ARMS["rag"], "cot": False},
        "rag_cot": {**ARMS["rag"], "cot": True},
        "sft_rag": closed,
        "raft_p1": {**TRAINED, "dataset": {"p": 1.0}},
        "raft_slow": {**TRAINED, "trainer": {"learning_rate": 1e-4}},
        "raft": TRAINED,
    }
    for arm in open_study.config["arms"]:
        say(open_study, arm, 200)
    say(open_study, "rag_cot", 100)
    found = results(open_study.run())
    assert found["contrasts"]["rag_cot"] == ["training"]
    assert found["contrasts"]["rag"] == ["training", "a prompt that asks to quote"]
    assert found["contrasts"]["base"] == ["training", "passages in the prompt", "a prompt that asks to quote"]
    assert found["contrasts"]["raft_p1"] == ["the training rows (p)"]
    assert found["contrasts"]["raft_slow"] == ["the training settings (learning_rate)"]
    markdown = (open_study.root / "out" / "report.md").read_text()
    assert "raft minus rag mixes training and a prompt that asks to quote." in markdown
    assert "raft minus rag_cot isolates training (+33.3 points, p &lt; 0.001)." in markdown
    assert "- raft minus raft_p1: isolates the training rows (p)" in markdown
    assert "- sft_rag minus rag: isolates training" in markdown
    assert "- sft_rag minus rag_cot: mixes training and a prompt that asks to quote" in markdown
    named = markdown.partition("To isolate single differences")[2].partition("\n")[0]
    assert "oracle_sft" in named
    assert "rag_cot" not in named


def test_results_of_older_versions_are_shown(tmp_path: Path) -> None:
    from raft_exp.reporting.terminal import verdict
    from tests.helpers.runs import todays
    from tests.unit.reporting.test_page import pages

    older: Results = todays()
    assert "primary" not in older
    text, markdown = pages(tmp_path, older)
    assert "raft is better than rag." in text
    assert "Warning" not in markdown
    assert [str(line) for line in verdict(older)] == ["raft is better than rag."]


def test_the_version_of_the_stage_was_raised() -> None:
    assert VERSION >= 5, "stored reports hold the old verdict"
