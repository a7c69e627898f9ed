"""The metrics of replies (METRICS), and the metrics that each corpus reports (PROFILES).

To add a metric (docs/extend/metric.md has a worked example, which a test runs):

1. Write a function of one graded reply in a file here (in `quotes.py` where it grades quoted sentences). It returns a
   value in 0..1; the reported figure is the mean over the test questions.

   `graded.py` describes the fields of `Graded`. Every question has at least one answer. An unanswered question scores
   0 without a call.

2. Add one line to METRICS: `"first_word": Metric(first_word, share=True)`. `share=True` where every value is 0 or 1:
   the report then uses exact methods. `of_quotes=True` where the metric grades quotes.

3. Report it. For one study: `evaluation.metrics=[first_word]`, which grades the stored answers and generates none. For
   every study of a corpus: add the name to the corpus's entry of PROFILES, and raise VERSION in
   `raft_exp/reporting/stage.py`, so that stored reports are computed again.

4. Test it in `tests/unit/evaluation/test_metrics.py`.

Intervals, comparisons, tables, plots, CSV files and W&B follow from METRICS; readers see the name with spaces.

A metric that is not a mean has two functions: `Metric(labels, aggregate=macro_f1)`, see `classes.py`. The first
returns an observation for each row, here the pair of true and predicted label. The second gets the distinct
observations with the number of rows that each was made on, and computes the figure. A metric that needs a model gets
all replies of an arm at once: `Metric(batch=semantic_similarity)`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from raft_exp.core.text import Form, normalise, plain_words
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
    rouge_l,
    semantic_similarity,
)
from raft_exp.evaluation.metrics.classes import labels, macro_f1
from raft_exp.evaluation.metrics.comparison import AnyLanguage, Comparison, Published, normalize
from raft_exp.evaluation.metrics.graded import (
    Aggregate,
    Counts,
    Facts,
    Figures,
    Graded,
    Metric,
    Observation,
    Vectors,
    mean,
    number,
)
from raft_exp.evaluation.metrics.quotes import joint_em, joint_f1, supporting_em, supporting_f1

__all__ = [
    "LABELS",
    "METRICS",
    "PROFILES",
    "Aggregate",
    "Comparison",
    "Counts",
    "Facts",
    "Figures",
    "Graded",
    "Metric",
    "Observation",
    "Profile",
    "Vectors",
    "decision",
    "macro_f1",
    "mean",
    "normalize",
    "number",
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
    """How a corpus is scored. The verdict is about the first metric."""

    metrics: tuple[str, ...]
    normalize: Comparison
    closed: bool = False  # the answers are labels: the report has baselines and a table of classes

    @property
    def form(self) -> Form:
        """The form in which quotes are searched for an answer."""
        return normalise if isinstance(self.normalize, AnyLanguage) else plain_words

    @property
    def of_quotes(self) -> bool:
        """Whether a metric needs the sentences that support an answer."""
        return any(METRICS[name].of_quotes for name in self.metrics)

    @property
    def needs_vectors(self) -> bool:
        """Whether a metric needs the sentence encoder."""
        return any(METRICS[name].batch for name in self.metrics)


_OPEN = ("exact_match", "f1", "answer_in_reply")
_MORE = ("exact_match_lenient", "rouge_l")
_SUPPORTING = ("supporting_f1", "joint_f1", "supporting_em", "joint_em")
_OFFICIAL, _NFD, _ANY_LANGUAGE = Published(nfd=False), Published(nfd=True), AnyLanguage()

PROFILES: dict[str, Profile] = {
    "pubmedqa": Profile(("accuracy", "macro_f1", *_OPEN, "accuracy_lenient"), _OFFICIAL, closed=True),
    "hotpotqa": Profile((*_OPEN, *_SUPPORTING, *_MORE), _OFFICIAL),
    "natural_questions": Profile((*_OPEN, "best_subspan_em", *_MORE), _NFD),
    "passages": Profile((*_OPEN, *_MORE), _ANY_LANGUAGE),
    "documents": Profile((*_OPEN, *_MORE), _ANY_LANGUAGE),
}


def profile(corpus: str, more: Iterable[str] = ()) -> Profile:
    """The scoring of a corpus, with `more` metrics; a corpus without an entry in PROFILES is scored like NQ-open."""
    own = PROFILES.get(corpus, Profile((*_OPEN, *_MORE), _NFD))
    return replace(own, metrics=tuple(dict.fromkeys((*own.metrics, *more))))
