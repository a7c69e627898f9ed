"""A judge's figures corrected by labels, through the report stage."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from raft_exp.core.errors import DataError
from raft_exp.core.records import write_jsonl
from raft_exp.evaluation.judge.labels import label_id
from raft_exp.reporting import judge_corrected, terminal
from tests.helpers.report_study import Study, example, results

N, LABELLED = 200, 60
RIGHT = {"base": 0.5, "rag": 0.6, "raft": 0.6}
ACCEPTS = {"base": (0.9, 0.1), "rag": (0.7, 0.05), "raft": (0.98, 0.5)}  # the judge favours raft over rag


@dataclass
class Judged:
    study: Study
    folders: dict[str, Path]  # arm -> its stage `judge`

    @property
    def root(self) -> Path:
        return self.study.root

    def run(self, labels: Path | None, name: str, folders: dict[str, Path] | None = None) -> Path:
        self.study.config["labels"] = str(labels) if labels else None
        return self.study.run(name, judgements=folders or self.folders)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The replies and judgements of a study, with a sheet of labels in which people are never wrong."""
    root = tmp_path_factory.mktemp("judged")
    made = Study(root, [example(i) for i in range(N)])
    folders: dict[str, Path] = {}
    random = np.random.default_rng(5)
    rows = []
    for arm, share in RIGHT.items():
        right = random.permutation(np.arange(N) < share * N)
        made.say(arm, *["yes" if one else "no" for one in right])
        accepted = random.random(N) < np.where(right, *ACCEPTS[arm])
        judged = [judgement(i, value) for i, value in enumerate(accepted)]
        if arm == "base":
            judged[3] = {"id": "q3", "task": "correct", "value": None, "words": "", "missing": "not_json"}
        folder = judge_folder(root, arm, judged)
        raw = {reply.id: reply.raw for reply in made.replies[arm]}
        rows += [[label_id(arm, f"q{i}", raw[f"q{i}"]), "correct", int(right[i])] for i in range(LABELLED)]
        folders[arm] = folder
    write_labels(root / "labels.csv", rows)
    return Judged(made, folders)


def judgement(i, value):
    return {"id": f"q{i}", "task": "correct", "value": float(value), "words": "So it is."}


def judge_folder(root, arm, rows):
    folder = root / f"judge_{arm}"
    folder.mkdir()
    write_jsonl(folder / "judgements.jsonl", rows)
    summary = {"model": "a-judge", "versions": {"correct": "judge_correct, version 1"}, "claims": [], "replies": N}
    summary |= {"prompt_tokens": 1, "new_tokens": 1, "cost": None}
    (folder / "judge.json").write_text(json.dumps(summary))
    return folder


def write_labels(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["label_id", "task", "label"], *rows])


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_labels_correct_the_judge_that_favours_an_arm(study):
    out = study.run(study.root / "labels.csv", "corrected")
    found = results(out)
    judge = found["judge"]
    raw = {arm: figure["value"] or 0.0 for arm, figure in judge["tasks"]["correct"].items()}
    assert raw["raft"] - raw["rag"] > 0.2, "the judge alone"
    corrected = judge["corrected"]["arms"]["correct"]
    for arm, right in RIGHT.items():
        assert corrected[arm]["low"] <= right <= corrected[arm]["high"]
        assert (corrected[arm]["n"], corrected[arm]["labels"]) == (N, LABELLED)
    differences = {row["b"]: row for row in judge["corrected"]["comparisons"]}
    assert differences["rag"]["low"] <= 0 <= differences["rag"]["high"]
    assert abs(differences["rag"]["difference"]) < 0.15
    agreement = judge["agreement"]["correct"]
    kappa, low, high = agreement["kappa"], agreement["low"], agreement["high"]
    assert kappa is not None
    assert low is not None
    assert high is not None
    assert 0.3 < low < kappa < high < 0.8
    assert agreement["n"] == 3 * LABELLED - 1, "a missing judgement agrees with nothing"
    assert agreement["arms"]["raft"]["higher"] > 5 > agreement["arms"]["raft"]["lower"]
    rows = {(row["arm"], row["metric"]): row for row in read_csv(out / "results.csv")}
    assert float(rows["raft", "judge_correct"]["value"]) == raw["raft"]
    assert float(rows["raft", "judge_correct_corrected"]["low"]) == corrected["raft"]["low"]
    compared = {(row["b"], row["metric"]): row for row in read_csv(out / "comparisons.csv")}
    assert float(compared["rag", "judge_correct_corrected"]["difference"]) == differences["rag"]["difference"]
    assert compared["rag", "judge_correct"]["p_value"] != ""
    for page in ("report.html", "report.md"):
        text = (out / page).read_text()
        assert "Corrected by labels" in text
        assert f"kappa {kappa:.2f}" in text
    lines = "\n".join(str(line) for line in terminal.verdict(found))
    assert "uncorrected; corrected by labels below" in lines
    assert f"Corrected by labels, correct: base {100 * corrected['base']['value']:.1f}% (" in lines
    assert "raft minus rag" in lines


def test_without_labels_the_report_says_uncorrected(study):
    out = study.run(None, "uncorrected")
    found = results(out)
    assert "corrected" not in found["judge"]
    assert "No labels: these figures are the judge's opinion." in (out / "report.md").read_text()
    assert judge_corrected.lines(found) == []
    assert "(uncorrected)" in "\n".join(str(line) for line in terminal.verdict(found))


def test_too_few_labels_are_said_and_not_computed(study):
    with (study.root / "labels.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    few = [row for number, row in enumerate(rows) if number < LABELLED + 19]
    write_labels(study.root / "few.csv", few)
    found = results(study.run(study.root / "few.csv", "few"))["judge"]
    assert list(found["corrected"]["arms"]["correct"]) == ["base"]
    assert found["corrected"]["too_few"] == {"correct": {"rag": 19, "raft": 0}}
    assert found["corrected"]["comparisons"] == []
    text = (study.root / "few" / "report.md").read_text()
    assert "an arm needs at least 20 labels (correct: rag has 19, raft has 0)" in text


def test_labels_alone_give_the_figures_of_a_judge_without_a_usable_reply(study):
    root = study.root / "rubbish"
    root.mkdir()
    missing = [{"id": f"q{i}", "task": "correct", "value": None, "words": "", "missing": "not_json"} for i in range(N)]
    folders = {arm: judge_folder(root, arm, missing) for arm in RIGHT}
    found = results(study.run(study.root / "labels.csv", "alone", folders))["judge"]
    for arm, right in RIGHT.items():
        figure = found["corrected"]["arms"]["correct"][arm]
        assert figure["low"] <= right <= figure["high"]
        assert (figure["n"], figure["labels"]) == (N, LABELLED)
    text = (study.root / "alone" / "report.md").read_text()
    assert "correct, judge and labels: kappa is not defined: no labelled reply has a judgement" in text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ["L000000000000", "correct", "yes"],
            r"line 2: label_id: got 'L000000000000', but no reply of this study has it",
        ),
        (["of q199", "complete", "yes"], r"line 2: task: got 'complete'; "),
    ],
)
def test_labels_of_another_study_are_refused(study, row, message):
    raw = next(reply.raw for reply in study.study.replies["raft"] if reply.id == "q199")
    write_labels(study.root / "other.csv", [[row[0].replace("of q199", label_id("raft", "q199", raw)), *row[1:]]])
    with pytest.raises(DataError, match=message):
        study.run(study.root / "other.csv", "other")


def test_a_task_that_does_not_apply_has_no_label(study):
    """A judge judges only some replies in a task: a label of another reply belongs to another sheet."""
    judged = [judgement(i, True) for i in range(10)]
    folder = study.root / "part"
    folder.mkdir()
    folders = {**study.folders, "rag": judge_folder(folder, "rag", judged)}
    with pytest.raises(DataError, match=r"line 72: task: got 'correct', which does not apply to the reply L"):
        study.run(study.root / "labels.csv", "part_out", folders)
