"""The report stage on a temporary folder with made rows: its files, figures and errors."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raft_exp.core.errors import DataError
from raft_exp.core.records import read_rows, write_jsonl
from tests.helpers import small_training as small
from tests.helpers.report_study import ARMS, HOSTILE, Study, answered, example, results


def test_replies_are_read_in_the_form_that_was_asked_for(study: Study) -> None:
    study.config["reply_format"] = "json"
    study.replies["raft"] = [answered(row, json.dumps({"answer": row.answers[0]})) for row in study.examples]
    found = results(study.run())["arms"]
    assert found["raft"]["metrics"]["accuracy"]["value"] == found["raft"]["metrics"]["parsed"]["value"] == 1
    assert found["rag"]["metrics"]["parsed"]["value"] == 0, "the paper's markers are no JSON"


def test_the_contract_of_the_files(study: Study) -> None:
    out = study.run()
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    predictions = {f"predictions/{arm}.jsonl" for arm in ARMS}
    pages = {"results.json", "audit.json", "report.md", "report.html", "results.csv", "comparisons.csv", "timings.json"}
    assert files == pages | predictions

    found = results(out)
    assert {"corpus", "model", "seed", "overrides", "arms", "comparisons", "conditions", "slices"} <= set(found)
    assert (found["overrides"], found["conditions"]) == ([], {})
    assert list(found["arms"]) == list(ARMS)
    assert found["arms"]["raft"]["n"] == 60
    assert set(found["arms"]["raft"]["metrics"]["accuracy"]) == {"value", "low", "high"}
    pairs = {(row["a"], row["b"]) for row in found["comparisons"]}
    assert pairs == {("raft", "base"), ("raft", "rag")}
    for row in found["comparisons"]:
        assert {"a", "b", "metric", "difference", "low", "high", "p_value"} <= set(row)
        assert row["p_value"] <= row["p_value_holm"] <= 1
    assert found["slices"]["kind"]["maybe"]["rag"]["n"] == 15

    audit = json.loads((out / "audit.json").read_text())
    assert audit == {
        "datasets": {"raft": {"rows": 3, HOSTILE: {"share": 0.5, "of": HOSTILE}}},
        "test": {},
        "conditions": {},
    }


def test_the_figures(study: Study) -> None:
    found = results(study.run())
    values = {arm: {name: m["value"] for name, m in row["metrics"].items()} for arm, row in found["arms"].items()}
    assert values["raft"]["accuracy"] == values["raft"]["macro_f1"] == 1
    assert values["base"]["accuracy"] == 0.5
    assert values["base"]["macro_f1"] == pytest.approx((2 / 3) / 3)
    assert values["rag"]["accuracy"] == 0.75
    assert found["slices"]["kind"]["no"]["base"]["metrics"]["accuracy"]["value"] == 0
    majority = found["baselines"]["majority"]
    assert majority["label"] == "yes"
    assert majority["metrics"]["accuracy"] == found["arms"]["base"]["metrics"]["accuracy"]


def test_what_stands_beside_the_metrics(study: Study) -> None:
    study.replies["rag"][0] = answered(study.examples[0], "I don't know.")
    found = results(study.run())
    raft, rag = found["arms"]["raft"], found["arms"]["rag"]
    assert raft["tokens"] == {"prompt": 10.0, "reply": 5.0}
    assert rag["behaviour"]["abstained_with_gold"]["value"] == pytest.approx(1 / 60)
    assert (raft["behaviour"]["quoting"]["value"], raft["behaviour"]["quoting"]["n"]) == (0, 60)
    assert "abstained_with_gold" not in found["arms"]["base"]["behaviour"], "it was shown nothing"
    assert found["classes"]["base"]["confusion"]["no"] == {"yes": 15, "no": 0, "maybe": 0}
    assert found["baselines"]["random"]["metrics"]["accuracy"]["value"] == pytest.approx(1 / 3)
    assert found["detectable"]["accuracy"].keys() == {"base", "rag"}
    assert found["slices"]["class"]["maybe"]["base"]["metrics"]["accuracy"]["value"] == 0


def test_lenient_scores_forgive_the_form_that_strict_ones_ask_for(study: Study) -> None:
    study.replies["rag"] = [answered(row, f"The answer is {row.answers[0]}, I think.") for row in study.examples]
    rag = results(study.run())["arms"]["rag"]["metrics"]
    assert (rag["accuracy"]["value"], rag["accuracy_lenient"]["value"], rag["parsed"]["value"]) == (0, 1, 0)


def test_conditions_have_figures_and_settings_of_their_own(study: Study) -> None:
    study.config["conditions"] = {"none": {"num_distractors": 0}}
    without = [replace(row, context=row.context[1:], has_gold=False) for row in study.examples]
    write_jsonl(study.root / "rows.jsonl", without)
    study.replies["rag@none"] = [answered(row, "##Answer: Not there.") for row in without]
    found = results(study.run(conditions={"none": study.root}))
    assert found["condition_settings"] == {"none": {"num_distractors": 0}}
    rag = found["conditions"]["none"]["rag"]
    assert (rag["behaviour"]["abstained_without_gold"]["value"], rag["behaviour"]["abstained_without_gold"]["n"]) == (
        1,
        60,
    )
    assert rag["tokens"] == {"prompt": 10.0, "reply": 5.0}


def test_an_arm_with_gold_alone_is_graded_on_its_own_rows(study: Study) -> None:
    study.config["arms"] = {**study.config["arms"], "oracle": {"recipe": "none", "context": "gold"}}
    cut = [replace(row, context=row.context[1:], has_gold=False) for row in study.examples]
    alone = [replace(row, context=row.context[:1]) for row in study.examples]
    study.examples = cut
    (study.root / "gold").mkdir()
    write_jsonl(study.root / "gold" / "rows.jsonl", alone)
    study.say("oracle", *(row.answers[0] for row in alone))
    study.replies["oracle"][0] = answered(alone[0], "I don't know.")
    out = study.run(gold_test=study.root / "gold")
    found, predictions = results(out), (out / "predictions" / "oracle.jsonl").read_text().splitlines()
    assert found["arms"]["oracle"]["metrics"]["accuracy"]["value"] == pytest.approx(59 / 60)
    assert found["arms"]["oracle"]["behaviour"]["abstained_with_gold"]["n"] == 60, "its prompts show the gold"
    assert found["arms"]["rag"]["behaviour"]["abstained_without_gold"]["n"] == 60, "and those of rag do not"
    assert [len(json.loads(line)["context"]) for line in predictions] == [1] * 60
    write_jsonl(study.root / "gold" / "rows.jsonl", alone[1:])
    study.replies["oracle"] = study.replies["oracle"][1:]
    with pytest.raises(DataError, match="has other questions than the test set"):
        study.run(gold_test=study.root / "gold")


@pytest.mark.slow
def test_seconds_stand_in_a_file_of_their_own(study: Study) -> None:
    study.run()
    (study.root / "answers_rag" / "timings.json").write_text('{"seconds": 12.0, "answers": 40}')
    (study.root / "answers_raft" / "timings.json").write_text('{"seconds": 0.1, "answers": 0}')
    out = study.run("again")
    timings = json.loads((out / "timings.json").read_text())
    assert timings == {"arms": {"rag": {"seconds_per_answer": 0.3, "answers": 40}}}
    assert (out / "results.json").read_bytes() == (study.root / "out" / "results.json").read_bytes()


def test_a_metric_of_the_encoder_is_reported_where_it_is_asked_for(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[str] = []

    def encode(texts: list[str], prefix: str) -> np.ndarray:
        encoded.extend(texts)
        places = {"yes": 0, "no": 1, "maybe": 1}
        return np.array([[3.0, 0.0] if places[text] == 0 else [0.0, 2.0] for text in texts], dtype=np.float32)

    monkeypatch.setattr("raft_exp.models.encoder.load", lambda config: encode)
    study.config |= {"metrics": ["semantic_similarity"], "encoder": small.encoder_config()}
    study.replies["rag"] = study.replies["rag"][:30]
    out = study.run()
    found = results(out)
    values = {arm: row["metrics"]["semantic_similarity"]["value"] for arm, row in found["arms"].items()}
    assert values == {"base": 0.5, "rag": pytest.approx(23 / 60), "raft": 1.0}  # of no answer 0
    assert sorted(encoded) == ["maybe", "no", "yes"], "each text once, whichever arm says it"
    assert found["metrics"][-1] == "semantic_similarity"
    assert {row["b"] for row in found["comparisons"] if row["metric"] == "semantic_similarity"} == {"base", "rag"}
    rows = [row["metrics"]["semantic_similarity"] for row in read_rows(out / "predictions" / "rag.jsonl")]
    assert rows[:4] == [1, 1, 1, 0]
    assert rows[30:] == [0] * 30
    assert "semantic_similarity" not in found["baselines"]["majority"]["metrics"]


def test_prediction_rows(tmp_path: Path) -> None:
    study = Study(tmp_path, [example(0), example(1), example(2, "no")])
    quotes = "".join(
        f"##begin_quote##{text}##end_quote## "
        for text in ("drug helped\nall patients.", "Mice do not talk.", "It helped nobody.", " ")
    )
    study.replies = {"rag": [answered(study.examples[0], f"##Reason: {quotes} ##Answer: Yes.", truncated=True)]}
    study.replies["rag"].append(answered(study.examples[1], "we know nothing"))
    study.replies |= {"base": study.replies["rag"], "raft": study.replies["rag"]}
    out = study.run()

    first, second, third = read_rows(out / "predictions" / "rag.jsonl")
    assert list(first) == [
        "id",
        "question",
        "answers",
        "context",
        "raw",
        "prediction",
        "lenient",
        "parsed",
        "truncated",
        "abstained",
        "quotes",
        "supported",
        "metrics",
    ]
    assert first["context"] == [{"id": "g0", "gold": True}, {"id": "x0", "gold": False}]
    assert [(quote["verbatim"], quote["gold"]) for quote in first["quotes"]] == [
        (True, True),
        (True, False),
        (False, False),
        (False, False),
    ]
    assert (first["prediction"], first["parsed"], first["truncated"]) == ("Yes.", True, True)
    shares = ("accuracy", "exact_match", "f1", "answer_in_reply", "accuracy_lenient")
    assert first["metrics"] == dict.fromkeys(shares, 1.0)
    assert (second["prediction"], second["parsed"]) == ("", False)
    assert set(second["metrics"].values()) == set(third["metrics"].values()) == {0.0}

    closed = next(read_rows(out / "predictions" / "base.jsonl"))
    assert closed["context"] == []
    assert not any(quote["verbatim"] for quote in closed["quotes"])


def test_unanswered_questions_count_as_wrong_and_are_shown(study: Study) -> None:
    study.replies["rag"] = study.replies["rag"][:30]
    out = study.run()
    rag = results(out)["arms"]["rag"]
    assert (rag["n"], rag["answered"]) == (60, 30)
    assert rag["metrics"]["accuracy"]["value"] == pytest.approx(23 / 60)
    assert len(list(read_rows(out / "predictions" / "rag.jsonl"))) == 60
    for page in ("report.html", "report.md"):
        text = (out / page).read_text()
        assert "30 of 60" in text
        assert "Some questions have no reply and count as wrong" in text


def test_a_missing_reply_is_wrong_even_where_the_answer_normalises_to_nothing(tmp_path: Path) -> None:
    study = Study(tmp_path, [example(0, "A"), example(1, "A")])
    study.config |= {"corpus": "hotpotqa", "arms": {"rag": ARMS["rag"]}}
    study.say("rag", "A")
    assert results(study.run())["arms"]["rag"]["metrics"]["exact_match"]["value"] == 0.5


@pytest.mark.slow
def test_a_clear_result_is_called_better_or_worse(study: Study) -> None:
    better = results(study.run())["verdict"]
    assert better.startswith("raft is better than rag in accuracy for this training run (seed 0): 100.0% against 75.0%")
    assert "+25.0 points" in better
    study.replies["raft"], study.replies["rag"] = study.replies["rag"], study.replies["raft"]
    assert results(study.run())["verdict"].startswith("raft is worse than rag")


def test_a_difference_within_chance_is_called_not_distinguishable(study: Study) -> None:
    study.replies["rag"] = [*study.replies["raft"][:58], *study.replies["base"][58:]]
    found = results(study.run())
    assert found["arms"]["raft"]["metrics"]["accuracy"]["value"] > found["arms"]["rag"]["metrics"]["accuracy"]["value"]
    assert found["verdict"].startswith("raft is not distinguishable from rag")


@pytest.mark.parametrize(("names", "reference"), [(["base"], "base"), (["base", "rag"], "rag")])
def test_without_a_raft_arm(study: Study, names: list[str], reference: str) -> None:
    study.config["arms"] = {name: ARMS[name] for name in names}
    found = results(study.run())
    assert {row["a"] for row in found["comparisons"]} == ({reference} if len(names) > 1 else set())
    assert reference in found["verdict"]


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes(study: Study) -> None:
    first, second = study.run("one"), study.run("two")
    for path in first.rglob("*.*"):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes(), path.name


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda s: s.replies["rag"].append(answered(example(999), "x")), "rag: has an answer to 'q999', which is"),
        (lambda s: s.replies["rag"].append(answered(example(3), "x")), "rag: has two answers to 'q3'"),
        (lambda s: s.examples.append(example(3)), "two rows have the id 'q3'"),
        (lambda s: s.examples.append(example(99, answers=[])), "'q99' has no reference answer"),
        (lambda s: s.examples.clear(), "no test questions"),
    ],
)
def test_what_cannot_be_scored_is_named(study: Study, break_it: Any, message: str) -> None:
    break_it(study)
    with pytest.raises(DataError, match=message):
        study.run()


@pytest.mark.slow
def test_files_that_were_not_read_stand_in_the_audit(study: Study) -> None:
    study.passages = study.root / "passages"
    study.passages.mkdir()
    told = {"files": 3, "read": 2, "passages": 9, "duplicates": 1, "reasons": {"damaged": 1}}
    (study.passages / "ingest_report.json").write_text(json.dumps({**told, "not_read": [{}], "documents": [{}, {}]}))
    assert json.loads((study.run() / "audit.json").read_text())["ingest"] == told
    told |= {"near_duplicates": 2, "similar": 3}
    (study.passages / "ingest_report.json").write_text(json.dumps({**told, "not_read": [{}], "documents": [{}, {}]}))
    assert json.loads((study.run() / "audit.json").read_text())["ingest"] == told
