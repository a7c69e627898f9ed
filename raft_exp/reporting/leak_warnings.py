"""What a reader must know about text that training shares with the held-out splits. One line a split."""

from collections.abc import Iterator, Mapping

from raft_exp.core.audit import OverlapCounts, StudyAudit


def leak_warnings(audit: StudyAudit) -> Iterator[str]:
    """The leaks that `dataset.allow_overlap` or `dataset.max_gold_overlap` let pass, by held-out split; training sets
    with the same leaks share a line.
    """
    for split in ("test", "validation"):
        names: dict[str, list[str]] = {}
        for name, dataset in audit["datasets"].items():
            if leaks := _leaks(dataset.get("overlap", {}), split):
                names.setdefault(leaks, []).append(name)
        for leaks, training_sets in names.items():
            yield (
                f"Text of {split} questions stands in the training data of {', '.join(training_sets)}: {leaks}. "
                "Figures on these questions may show memory; audit.json has the counts (overlap)."
            )


def _leaks(overlap: Mapping[str, OverlapCounts], split: str) -> str:
    counts = overlap.get(split)
    if counts is None:
        return ""
    parts = (
        (counts["questions"], "with equal words"),
        (counts.get("near_questions", 0), "nearly word for word"),
        (counts.get("gold_overlap", 0), "by a gold passage or a near copy of it"),
    )
    return ", ".join(f"{count:,} {how}" for count, how in parts if count)
