"""What a reply is worth. One metric is one function and one line in METRICS; PROFILES says which corpus reports it.

A metric looks at one `Graded` reply and gives a value in 0..1; the corpus's figure is the mean of these. A metric that
is no mean (macro F1) gives what it needs from each row, and an `aggregate` that makes the figure out of counted rows.
A metric that asks a model sees all replies of an arm at once (`batch`). Names in `evaluation.metrics` are reported
beside the corpus's own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from raft_exp.evaluation.metrics.answers import (
    LABELS,
    accuracy,
    accuracy_lenient,
    answer_in_reply,
    best_subspan_em,
    decision,
    exact_match,
    exact_match_lenient,
    f1,
    normalize,
    rouge_l,
    semantic_similarity,
)
from raft_exp.evaluation.metrics.classes import labels, macro_f1
from raft_exp.evaluation.metrics.graded import (
    Aggregate,
    Counts,
    Facts,
    Figures,
    Graded,
    Metric,
    Normalize,
    Vectors,
    mean,
)
from raft_exp.evaluation.metrics.quotes import joint_em, joint_f1, supporting_em, supporting_f1

__all__ = [
    "LABELS",
    "METRICS",
    "PROFILES",
    "Aggregate",
    "Counts",
    "Facts",
    "Figures",
    "Graded",
    "Metric",
    "Normalize",
    "Profile",
    "Vectors",
    "decision",
    "macro_f1",
    "mean",
    "normalize",
    "profile",
]

METRICS: dict[str, Metric] = {
    "accuracy": Metric(accuracy, share=True),
    "accuracy_lenient": Metric(accuracy_lenient, share=True),
    "macro_f1": Metric(labels, aggregate=macro_f1),
    "exact_match": Metric(exact_match, share=True),
    "exact_match_lenient": Metric(exact_match_lenient, share=True),
    "f1": Metric(f1),
    "rouge_l": Metric(rouge_l),
    "answer_in_reply": Metric(answer_in_reply, share=True),
    "best_subspan_em": Metric(best_subspan_em, share=True),
    "semantic_similarity": Metric(batch=semantic_similarity),
    "supporting_em": Metric(supporting_em, share=True, of_quotes=True),
    "supporting_f1": Metric(supporting_f1, of_quotes=True),
    "joint_em": Metric(joint_em, share=True, of_quotes=True),
    "joint_f1": Metric(joint_f1, of_quotes=True),
}


@dataclass(frozen=True)
class Profile:
    """How a corpus is scored. The first metric is the one that the verdict speaks of."""

    metrics: tuple[str, ...]
    normalize: Normalize
    closed: bool = False  # the answers are labels: there are baselines, and a table of classes

    @property
    def of_quotes(self) -> bool:
        """Whether a metric needs the sentences that support an answer."""
        return any(METRICS[name].of_quotes for name in self.metrics)

    @property
    def needs_vectors(self) -> bool:
        """Whether a metric asks the sentence encoder."""
        return any(METRICS[name].batch for name in self.metrics)


_OPEN = ("exact_match", "f1", "answer_in_reply")
_MORE = ("exact_match_lenient", "rouge_l")
_SUPPORTING = ("supporting_f1", "joint_f1", "supporting_em", "joint_em")
_OFFICIAL, _NFD = partial(normalize, nfd=False), partial(normalize, nfd=True)

PROFILES: dict[str, Profile] = {
    "pubmedqa": Profile(("accuracy", "macro_f1", *_OPEN, "accuracy_lenient"), _OFFICIAL, closed=True),
    "hotpotqa": Profile((*_OPEN, *_SUPPORTING, *_MORE), _OFFICIAL),
    "natural_questions": Profile((*_OPEN, "best_subspan_em", *_MORE), _NFD),
}


def profile(corpus: str, more: Iterable[str] = ()) -> Profile:
    """The scoring of a corpus, with `more` metrics; a corpus that has none of its own is scored as NQ-open is."""
    own = PROFILES.get(corpus, Profile((*_OPEN, *_MORE), _NFD))
    return replace(own, metrics=tuple(dict.fromkeys((*own.metrics, *more))))
