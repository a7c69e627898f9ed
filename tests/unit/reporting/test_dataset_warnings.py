"""What is said about cut prompts and telling lengths, and when nothing is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from raft_exp.core.audit import StudyAudit
from raft_exp.reporting.dataset_warnings import dataset_warnings
from tests.helpers.command_line import SMALL, raft_exp, run_folder


def split(rows: int, cut: int = 0, lost: int = 0, **more: Any) -> dict[str, Any]:
    gold = rows - lost
    left = {"median_text_left": 0.61} if cut else {}
    figures = {"rows": rows, "rows_cut": cut, "rows_gold_lost": lost, "with_gold": gold, "share_with_gold": gold / rows}
    return {**figures, **left, **more}


def audit(test: dict[str, Any], train: dict[str, Any] | None = None, **test_set: Any) -> StudyAudit:
    of_test: Any = {"splits": {"test": test}, "max_length": 2048, "context": "retrieved", **test_set}
    datasets: Any = {"raft": {"splits": {"train": train}, "max_length": 2048}} if train else {}
    return {"datasets": datasets, "test": of_test}


def warned(study: StudyAudit, **evaluation: object) -> Iterator[str]:
    return dataset_warnings(study, {"evaluation": evaluation})


def test_cut_test_prompts_are_named_with_what_is_left_and_the_remedies():
    (line,) = warned(audit(split(60, cut=57, lost=12)))
    assert line == (
        "Test prompts whose passages were cut to fit model.max_length=2048: 95.0% (57 of 60; in the median 61.0% of "
        "the passages' text is left; 12 lost the evidence of their gold). "
        "Raise model.max_length, or show fewer passages (evaluation.k)."
    )


def replies(asked: int, **reasons: int) -> Any:
    lost = sum(reasons.values())
    return {"asked": asked, "kept": asked - lost, "quarantined": lost, "reasons": reasons, "splits": {"test": {}}}


def test_a_noticeable_share_of_unusable_targets_is_a_warning_with_reason_and_setting():
    study = audit(split(12)) | {"targets": replies(22, long_answer=16)}
    (line,) = dataset_warnings(study, {"teacher": {"gate": {"max_answer_words": 60}}})
    assert line == (
        "16 of 22 questions (72.7%) got no usable target and are in no training set. The reason: the answer had too "
        "many words. Raise teacher.targets.gate.max_answer_words (now 60); quarantine/targets.jsonl has the replies."
    )
    assert not list(warned(audit(split(12)) | {"targets": replies(100, long_answer=4)}))
    (line,) = warned(audit(split(12)) | {"references": replies(20, other_answer=1)})
    assert line.startswith("1 of 20 questions (5.0%) of the evaluation got no usable text")
    assert "agrees=false; quarantine/targets@test.jsonl" in line


@pytest.mark.parametrize(
    ("by", "drawn", "said"),
    [
        ("section", True, "Questions are split by section, because 6 documents are too few (corpus.split): 9 of 12"),
        ("question", True, "Questions are split by question, because 6 documents are too few (corpus.split): training"),
        (
            "section",
            False,
            "The file gives the splits; pools of distractors are formed by section, because 6 documents",
        ),
        ("document", True, ""),
    ],
)
def test_a_split_by_small_units_is_told_with_what_it_shares(by, drawn, said):
    study = audit(split(12))
    study["split"] = {
        "by": by,
        "setting": "auto",
        "drawn": drawn,
        "documents": 6,
        "units": 40,
        "test_questions": 12,
        "of_trained_documents": 9,
        "with_trained_gold": 1,
        "beside_training": 2,
    }
    lines = list(warned(study))
    assert [line for line in lines if line.startswith(said)] == lines
    assert len(lines) == bool(said)


@pytest.mark.parametrize(("cut", "said"), [(0, False), (3, False), (4, True)])
def test_one_cut_prompt_in_a_hundred_is_no_warning(cut, said):
    assert bool(list(warned(audit(split(300, cut=cut))))) == said


def test_contexts_with_fewer_distractors_than_demanded_are_named_with_remedies_that_help():
    study = audit(split(5), fewer_distractors={"test": 3})
    few: Any = {"splits": {"test": split(5)}, "max_length": 2048, "fewer_distractors": {"test": 5}}
    study["conditions"] = {"k8": few, "no_gold": few}
    changes = {"k8": {"num_distractors": 8, "same_document": True}, "no_gold": {"without_gold": True}}
    of_test, k8, no_gold = warned(study, conditions=changes, same_document=False)
    assert of_test == (
        "3 of 5 test questions have fewer distractors than evaluation.num_distractors requires: their contexts are "
        "easier than the settings say. Add documents, lower evaluation.num_distractors, or set "
        "evaluation.same_document=true, where documents have several passages."
    )
    assert k8.startswith("5 of 5 test questions under the condition k8 have fewer distractors than evaluation.cond")
    assert k8.endswith("Add documents, or lower evaluation.conditions.k8.num_distractors."), "same_document is set"
    assert "under the condition no_gold" in no_gold
    assert "(plus one in place of each gold passage)" in no_gold
    assert list(warned(audit(split(5), fewer_distractors={"test": 0}))) == []


def test_validation_rows_with_fewer_distractors_are_named():
    study = audit(split(60), split(100))
    raft = study["datasets"]["raft"]
    raft["splits"]["validation"] = raft["splits"]["train"]
    raft["fewer_distractors"] = {"train": 0, "validation": 7}
    (line,) = warned(study)
    assert line.startswith(
        "7 of 100 validation rows of raft have fewer distractors than dataset.num_distractors requires, which"
    )
    raft["fewer_distractors"] = {"train": 2, "validation": 0}
    (line,) = warned(study)
    assert line.startswith(
        "2 of 100 training rows of raft have fewer distractors than dataset.num_distractors requires"
    )


def test_a_context_as_published_has_no_setting_for_fewer_passages():
    (line,) = warned(audit(split(60, cut=57), context="given"))
    assert line.endswith("Raise model.max_length.")


def test_each_cut_condition_is_named():
    conditions: Any = {"k8": {"splits": {"test": split(60, cut=60)}, "max_length": 2048}}
    study = audit(split(60, cut=6))
    study["conditions"] = conditions
    (line,) = warned(study)
    assert "10.0% (6 of 60" in line
    assert "under k8: 100.0% (60 of 60" in line


def test_training_rows_that_lost_their_gold_are_set_against_p():
    (line,) = warned(audit(split(60), split(200, cut=50, lost=20)))
    assert line.startswith("Training prompts of raft whose passages were cut to fit model.max_length=2048: 25.0%")
    assert "90.0% of the rows show their gold; before the cut 100.0% did (dataset.p)." in line


@pytest.mark.parametrize(
    ("auc", "rows", "said"),
    [
        (0.63, 200, "longer"),
        (0.37, 200, "shorter"),
        (0.54, 5000, ""),  # near enough to 0.5
        (0.6, 31, ""),  # within chance
        (0.9, 29, ""),  # too few rows
    ],
)
def test_lengths_that_tell(auc, rows, said):
    tell = {"auc": auc, "with_gold": rows, "without_gold": rows}
    lines = list(warned(audit(split(60), split(2 * rows, length_tell=tell))))
    assert [f"without gold are {said} (AUC {auc:.2f}" in line for line in lines] == ([True] if said else [])


def test_audits_of_older_runs_have_nothing_to_say():
    old: Any = {
        "datasets": {"raft": {}, "sft": {"splits": {"train": {"rows": 9}}}},
        "test": {"splits": {"test": {"rows": 9}}},
    }
    assert list(warned(old)) == []


@pytest.mark.slow
def test_the_terminal_and_the_audit_say_that_prompts_were_cut(tmp_path):
    short = ("evaluation.arms=[raft]", "evaluation.conditions=null", "model.max_length=360", "model.max_new_tokens=96")
    done = raft_exp(tmp_path, *SMALL, *short, "until=dataset")
    assert done.returncode == 0, done.stderr
    told = " ".join((done.stdout + done.stderr).split())
    assert "Test prompts whose passages were cut to fit model.max_length=360" in told
    assert "Training prompts of raft whose passages were cut" in told
    figures = json.loads((run_folder(tmp_path) / "audit.json").read_text())["test"]["splits"]["test"]
    assert f"({figures['rows_cut']} of {figures['rows']};" in told


@pytest.mark.parametrize(
    ("context", "remedy"),
    [("retrieved", "Raise model.max_length, or lower dataset.k."), ("given", "Raise model.max_length.")],
)
def test_remedies_for_contexts_that_no_setting_of_raft_decides(context, remedy):
    study = audit(split(60), split(200, cut=50, lost=20))
    study["datasets"]["raft"]["context"] = context
    (line,) = warned(study)
    assert line.endswith(remedy)
    assert "dataset.p" not in line
