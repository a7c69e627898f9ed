"""Warnings about text that the training data shares with the validation or test questions. One line each."""

from collections.abc import Iterator, Mapping

from raft_exp.core.audit import OverlapCounts, StudyAudit


def leak_warnings(audit: StudyAudit) -> Iterator[str]:
    """Yields warnings about leaks: test or validation questions that the training data contains.

    `dataset.allow_overlap` or `dataset.max_gold_overlap` permits these leaks; other leaks end a study with an error.
    Training sets with the same leaks share one warning.
    """
    for split in ("test", "validation"):
        names: dict[str, list[str]] = {}
        for name, dataset in audit["datasets"].items():
            if leaks := _leaks(dataset.get("overlap", {}), split):
                names.setdefault(leaks, []).append(name)
        for leaks, training_sets in names.items():
            yield (
                f"The training data of {', '.join(training_sets)} contains {split} questions: {leaks}. Figures on "
                "these questions may reflect memorisation; audit.json has the counts (overlap)."
            )


def _leaks(overlap: Mapping[str, OverlapCounts], split: str) -> str:
    counts = overlap.get(split)
    if counts is None:
        return ""
    parts = (
        (counts["questions"], "with the same words"),
        (counts.get("near_questions", 0), "with nearly the same words"),
        (counts.get("gold_overlap", 0), "by their gold passage or a near copy of it"),
    )
    return ", ".join(f"{count:,} {how}" for count, how in parts if count)
