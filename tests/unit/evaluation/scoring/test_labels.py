"""Closed answers: classes and baselines, beside scikit-learn."""

import random

import pytest

from raft_exp.evaluation.metrics import profile
from raft_exp.evaluation.scoring import baselines, classes, comparisons, detectable, summary
from tests.helpers.scores import asked, scored

CLOSED = profile("pubmedqa")
OFFICIAL = ["yes"] * 276 + ["no"] * 169 + ["maybe"] * 55  # the 500 test questions


def test_the_table_of_classes_equals_scikit_learn() -> None:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    draw = random.Random(0)
    said = [draw.choice([truth, truth, "yes", "no", "unclear", ""]) for truth in OFFICIAL]
    arm = scored(
        [asked(n, truth) for n, truth in enumerate(OFFICIAL)], [f"##Answer: {one}" for one in said], "pubmedqa"
    )
    found = classes(arm, CLOSED)
    assert found is not None
    names = ["yes", "no", "maybe", "other"]
    kept = [one if one in names else "other" for one in said]
    wanted = confusion_matrix(OFFICIAL, kept, labels=names)[:3]
    assert found["confusion"] == {
        true: dict(zip(names, row, strict=True)) for true, row in zip(names, wanted.tolist(), strict=False)
    }
    columns = precision_recall_fscore_support(OFFICIAL, kept, labels=names[:3], zero_division=0.0)
    for place, name in enumerate(names[:3]):
        row = found["labels"][name]
        assert [row["precision"], row["recall"], row["f1"], row["n"]] == pytest.approx([c[place] for c in columns])


def test_a_label_that_is_never_said_has_precision_0_and_no_other_column_without_need() -> None:
    found = classes(scored([asked(0, "no"), asked(1, "yes")], ["##Answer: no"] * 2, "pubmedqa"), CLOSED)
    assert found is not None
    assert found["confusion"] == {"yes": {"yes": 0, "no": 1}, "no": {"yes": 0, "no": 1}}
    assert found["labels"]["yes"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "n": 1}
    assert classes(scored([asked(0, "Paris")], ["##Answer: no"]), profile("own")) is None


def test_baselines_of_the_official_test_set() -> None:
    found = baselines([asked(n, truth) for n, truth in enumerate(OFFICIAL)], CLOSED, 0)
    always = found["majority"]
    assert (always["label"], always["n"]) == ("yes", 500)
    assert f"{100 * always['metrics']['accuracy']['value']:.1f}" == "55.2"
    assert f"{100 * always['metrics']['macro_f1']['value']:.1f}" == "23.7"
    assert always["metrics"]["accuracy_lenient"] == always["metrics"]["accuracy"]
    chance = found["random"]
    assert chance["n"] == 500
    assert chance["metrics"]["accuracy"]["value"] == pytest.approx(1 / 3)
    # precision is the label's share of the questions, recall a third: the mean of the three F1
    shares = [276 / 500, 169 / 500, 55 / 500]
    wanted = sum(2 * share / 3 / (share + 1 / 3) for share in shares) / 3
    assert chance["metrics"]["macro_f1"]["value"] == pytest.approx(wanted)
    for name in ("accuracy", "macro_f1"):
        one = chance["metrics"][name]
        assert one["value"] - 0.06 < one["low"] < one["value"] < one["high"] < one["value"] + 0.06
    assert set(chance["metrics"]) == set(always["metrics"])
    assert baselines([asked(0, "Paris")], profile("own"), 0) == {}


@pytest.mark.slow
def test_drawing_labels_by_chance_scores_what_is_expected() -> None:
    draw, rows = random.Random(1), [asked(n, truth) for n, truth in enumerate(OFFICIAL)]
    expected = baselines(rows, CLOSED, 0)["random"]["metrics"]
    drawn = [
        summary(
            scored(rows, [f"##Answer: {draw.choice(['yes', 'no', 'maybe'])}" for _ in rows], "pubmedqa").observed,
            ("accuracy", "macro_f1"),
            0,
        )["metrics"]
        for _ in range(40)
    ]
    for name in ("accuracy", "macro_f1"):
        mean = sum(one[name]["value"] for one in drawn) / 40
        assert mean == pytest.approx(expected[name]["value"], abs=0.01)


def test_detectable_differences_stand_by_metric_and_arm() -> None:
    rows = [asked(n, truth) for n, truth in enumerate(OFFICIAL)]
    arms = {
        "raft": scored(rows, [f"##Answer: {truth}" for truth in OFFICIAL], "pubmedqa"),
        "same": scored(rows, [f"##Answer: {truth}" for truth in OFFICIAL], "pubmedqa"),
        "yes": scored(rows, ["##Answer: yes"] * 500, "pubmedqa"),
    }
    found = detectable(comparisons("raft", arms, CLOSED, 0))
    assert list(found) == list(CLOSED.metrics)
    assert found["accuracy"]["same"] == pytest.approx(8 / 500), "eight items that one arm alone wins"
    assert 0.05 < found["accuracy"]["yes"] < 0.08
