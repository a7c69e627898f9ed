"""What is said about leaks, and that audits of earlier versions can be read."""

from typing import Any

from raft_exp.core.audit import StudyAudit
from raft_exp.reporting.leak_warnings import leak_warnings


def audit(**overlaps: dict[str, Any]) -> StudyAudit:
    datasets = {name: {"overlap": overlap} for name, overlap in overlaps.items()}
    return {"datasets": datasets, "test": {}}  # type: ignore[typeddict-item]  # parts of an audit


def test_training_sets_with_the_same_leaks_share_a_line():
    test = {"questions": 0, "near_questions": 20, "gold_overlap": 1200, "boilerplate_passages": 3}
    overlap = {"test": test, "validation": {"questions": 1}}
    lines = list(leak_warnings(audit(raft=overlap, closed_book=overlap)))
    assert lines == [
        "The training data of raft, closed_book contains test questions: 20 with nearly the same words, 1,200 by their "
        "gold passage or a near copy of it. Figures on these questions may reflect memorisation; audit.json has the "
        "counts (overlap).",
        "The training data of raft, closed_book contains validation questions: 1 with the same words. Figures on these "
        "questions may reflect memorisation; audit.json has the counts (overlap).",
    ]


def test_nothing_is_said_without_leaks():
    harmless = {"questions": 0, "questions_of_other_documents": 4, "answers": 9, "boilerplate_passages": 2}
    assert not list(leak_warnings(audit(raft={"test": harmless}, chat={})))
    assert not list(leak_warnings(audit(old={"test": {"questions": 0, "answers": 1, "passages": 7}})))
