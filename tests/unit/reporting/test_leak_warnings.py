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
        "Text of test questions stands in the training data of raft, closed_book: 20 nearly word for word, 1,200 by a "
        "gold passage or a near copy of it. Figures on these questions may show memory; audit.json has the counts "
        "(overlap).",
        "Text of validation questions stands in the training data of raft, closed_book: 1 with equal words. Figures on "
        "these questions may show memory; audit.json has the counts (overlap).",
    ]


def test_nothing_is_said_without_leaks():
    harmless = {"questions": 0, "questions_of_other_documents": 4, "answers": 9, "boilerplate_passages": 2}
    assert not list(leak_warnings(audit(raft={"test": harmless}, chat={})))
    assert not list(leak_warnings(audit(old={"test": {"questions": 0, "answers": 1, "passages": 7}})))
