"""All metrics of replies (METRICS), and the metrics that each corpus reports (PROFILES).

To add a metric (docs/extend/metric.md has a worked example, which a test runs):

1. Write a function from a `Graded` (one reply with its reference answers, see `graded.py`) to a value in 0..1. Put it
   into a file of this folder: `quotes.py` if it grades quoted sentences. The reported figure is the mean over the test
   questions. Every question has at least one reference answer. An unanswered question scores 0; the function is not
   called for it.

2. Add one line to METRICS: `"first_word": Metric(first_word, share=True)`. Set `share=True` if every value is 0 or 1:
   the report then uses methods for shares (Wilson, McNemar). Set `of_quotes=True` if the metric grades quotes.

3. Report the metric. For one study, set `evaluation.metrics=[first_word]`: the stored answers are scored, and no new
   answers are generated. For every study of a corpus, add the name to the corpus's entry of PROFILES, and raise VERSION
   in `raft_exp/reporting/stage.py`, so that stored reports are computed again.

4. Test the metric in `tests/unit/evaluation/test_metrics.py`.

Intervals, comparisons, tables, plots, CSV files and W&B use all metrics of METRICS. Reports show a metric's name with
spaces in place of underscores.

A metric that is not a mean has two functions, for example `Metric(labels, aggregate=macro_f1)` in `classes.py`. The
first (`labels`) returns one observation per row: the pair of true and predicted label. The second (`macro_f1`) computes
the figure from the distinct observations and their counts. A metric that needs a model scores all replies of an arm in
one call: `Metric(batch=semantic_similarity)`.

A metric of wording, such as BLEU, compares `row.text` with `row.references`: `Metric(rouge_1, of_wording=True)`. The
setting `evaluation.reference` decides which texts these are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from raft_exp.core.text import Form, normalise, plain_words
from raft_exp.evaluation.metrics import apis, conflict
from raft_exp.evaluation.metrics.abstention import ABSTENTION
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
)
from raft_exp.evaluation.metrics.apis import api_call, api_call_lenient, api_domain
from raft_exp.evaluation.metrics.classes import labels, macro_f1
from raft_exp.evaluation.metrics.comparison import AnyLanguage, Comparison, Published, normalize
from raft_exp.evaluation.metrics.conflict import follows_false_passage
from raft_exp.evaluation.metrics.graded import (
    TOKENIZER,
    Aggregate,
    ApiGrade,
    CallClass,
    Counts,
    DomainClass,
    Facts,
    Figures,
    Graded,
    MaybeObservation,
    Metric,
    Observation,
    Vectors,
    mean,
    number,
)
from raft_exp.evaluation.metrics.overlap import bleu, bleu_statistics, chrf, chrf_statistics
from raft_exp.evaluation.metrics.quotes import joint_em, joint_f1, supporting_em, supporting_f1
from raft_exp.evaluation.metrics.rouge import rouge_1, rouge_2, rouge_l
from raft_exp.evaluation.metrics.similarity import semantic_similarity, token_similarity
from raft_exp.evaluation.metrics.triviaqa import TriviaQA

__all__ = [
    "ABSTENTION",
    "FOLLOWS",
    "LABELS",
    "METRICS",
    "PROFILES",
    "TOKENIZER",
    "WORDING",
    "Aggregate",
    "ApiGrade",
    "CallClass",
    "Comparison",
    "Counts",
    "DomainClass",
    "Facts",
    "Figures",
    "Graded",
    "MaybeObservation",
    "Metric",
    "Observation",
    "Profile",
    "Reference",
    "Vectors",
    "decision",
    "macro_f1",
    "mean",
    "normalize",
    "number",
    "profile",
    "with_wording",
]

FOLLOWS = "follows_false_passage"

METRICS: dict[str, Metric] = {
    "accuracy": Metric(accuracy, share=True),
    "accuracy_lenient": Metric(accuracy_lenient, share=True),
    "macro_f1": Metric(labels, aggregate=macro_f1),
    "exact_match": Metric(exact_match, share=True),
    "exact_match_lenient": Metric(exact_match_lenient, share=True),
    "f1": Metric(f1),
    "bleu": Metric(bleu_statistics, aggregate=bleu, of_wording=True),
    "rouge_1": Metric(rouge_1, of_wording=True),
    "rouge_2": Metric(rouge_2, of_wording=True),
    "rouge_l": Metric(rouge_l, of_wording=True),
    "chrf": Metric(chrf_statistics, aggregate=chrf, of_wording=True),
    "answer_in_reply": Metric(answer_in_reply, share=True),
    "best_subspan_em": Metric(best_subspan_em, share=True),
    "semantic_similarity": Metric(batch=semantic_similarity, of_wording=True),
    "token_similarity": Metric(batch=token_similarity, of_wording=True),
    "supporting_em": Metric(supporting_em, share=True, of_quotes=True),
    "supporting_f1": Metric(supporting_f1, of_quotes=True),
    "joint_em": Metric(joint_em, share=True, of_quotes=True),
    "joint_f1": Metric(joint_f1, of_quotes=True),
    FOLLOWS: Metric(follows_false_passage, share=True, automatic=conflict.WHERE),
    "api_call": Metric(api_call, share=True, automatic=apis.WHERE, of_apis=True),
    "api_domain": Metric(api_domain, share=True, automatic=apis.WHERE, of_apis=True),
    "api_call_lenient": Metric(api_call_lenient, share=True, automatic=apis.WHERE, of_apis=True),
    **ABSTENTION,
}

# The metrics that every study with long references reports, beside those of its corpus.
WORDING = ("bleu", "rouge_1", "rouge_2", "rouge_l", "chrf")

Reference = Literal["answers", "long_answer", "target"]  # the texts that metrics of wording compare replies with


@dataclass(frozen=True)
class Profile:
    """The metrics of a corpus, and the normalisation with which they compare replies with answers.

    The first metric is the default of `evaluation.primary.metric`.
    """

    metrics: tuple[str, ...]
    normalize: Comparison
    closed: bool = False  # the answers are labels: the report has baselines and a table of classes
    reference: Reference = "answers"
    tokenizer: str = TOKENIZER  # sacrebleu's tokenizer for BLEU

    @property
    def form(self) -> Form:
        """The function that normalises quotes and answers before an answer is searched in a quote."""
        return normalise if isinstance(self.normalize, AnyLanguage) else plain_words

    @property
    def of_quotes(self) -> bool:
        """Whether any of the metrics grades quotes. Such a metric needs the data set's supporting sentences."""
        return any(METRICS[name].of_quotes for name in self.metrics)

    @property
    def of_apis(self) -> bool:
        """Whether any of the metrics compares calls with the documentation of APIs."""
        return any(METRICS[name].of_apis for name in self.metrics)

    @property
    def reads_corpus(self) -> bool:
        """Whether any of the metrics needs the passages and questions of the study."""
        return any(METRICS[name].reads_corpus for name in self.metrics)

    @property
    def needs_vectors(self) -> bool:
        """Whether any of the metrics needs the sentence encoder."""
        return any(METRICS[name].batch for name in self.metrics)

    def of_reasons(self, name: str) -> bool:
        """Whether a metric grades the reasoning of a reply, so that an arm that writes none has no figure.

        Where the answers are labels, only the reasoning is compared with a long reference.
        """
        metric = METRICS[name]
        return metric.of_quotes or (metric.of_wording and self.closed and self.reference != "answers")


_OPEN = ("exact_match", "f1", "answer_in_reply")
_MORE = ("exact_match_lenient", "rouge_l")
_SUPPORTING = ("supporting_f1", "joint_f1", "supporting_em", "joint_em")
_OFFICIAL, _NFD, _ANY_LANGUAGE = Published(nfd=False), Published(nfd=True), AnyLanguage()

PROFILES: dict[str, Profile] = {
    "pubmedqa": Profile(("accuracy", "macro_f1", *_OPEN, "accuracy_lenient"), _OFFICIAL, closed=True),
    "hotpotqa": Profile((*_OPEN, *_SUPPORTING, *_MORE), _OFFICIAL),
    "natural_questions": Profile((*_OPEN, "best_subspan_em", *_MORE), _NFD),
    "triviaqa": Profile((*_OPEN, *_MORE), TriviaQA()),
    "apibench": Profile(("api_call", "api_domain", "api_call_lenient", "exact_match"), _OFFICIAL),
    "passages": Profile((*_OPEN, *_MORE), _ANY_LANGUAGE),
    "documents": Profile((*_OPEN, *_MORE), _ANY_LANGUAGE),
}


def profile(
    corpus: str, more: Iterable[str] = (), reference: Reference = "answers", tokenizer: str = TOKENIZER
) -> Profile:
    """Returns the profile of a corpus with the additional metrics `more`; with long references, also with WORDING.

    `reference`: the texts that metrics of wording compare with. `tokenizer`: sacrebleu's, for BLEU. A corpus without an
    entry in PROFILES is scored like NQ-open, without `best_subspan_em`.
    """
    own = PROFILES.get(corpus, Profile((*_OPEN, *_MORE), _NFD))
    metrics = dict.fromkeys((*own.metrics, *with_wording(more, reference)))
    return replace(own, metrics=tuple(metrics), reference=reference, tokenizer=tokenizer)


def with_wording(metrics: Iterable[str], reference: Reference) -> list[str]:
    """Returns the metrics, and those of WORDING if the study has long references."""
    return list(dict.fromkeys([*metrics, *(WORDING if reference != "answers" else ())]))
