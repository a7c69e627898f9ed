"""The settings of the evaluation: arms, test questions, contexts, metrics and conditions."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import BeforeValidator, model_validator

from raft_exp.core.errors import suggest
from raft_exp.core.gold_place import GoldPlace
from raft_exp.core.schema import Count, KeyedWhenSet, Positive, Runtime, config_dataclass
from raft_exp.evaluation.judge.config import JudgeConfig
from raft_exp.evaluation.metrics import METRICS, Reference
from raft_exp.evaluation.metrics.tokenizers import Tokenizer
from raft_exp.evaluation.primary import PrimaryConfig
from raft_exp.evaluation.transfer import TransferConfig
from raft_exp.models.nli import NliConfig
from raft_exp.prompts import quotes
from raft_exp.retrieval import Distractors, Shares, check_shares


def _no_mere_name(value: object) -> object:
    """Returns `value`. Raises ValueError for a text, because the name of a judge does not load the judge's settings."""
    if isinstance(value, str):
        raise ValueError(
            f"evaluation.judge: got {value!r}, a name without settings; on the command line use "
            f"evaluation.judge={value}, and in a file the defaults entry '- override /judge@evaluation.judge: {value}'"
        )
    return value


@config_dataclass
class EvaluationConfig:
    """The arms to evaluate, the test questions, their contexts and the metrics."""

    arms: list[str]
    split: Literal["test", "validation"]
    context: Literal["gold_and_distractors", "retrieved", "given"]
    num_distractors: Count
    distractors: Distractors
    mixed: Shares | None  # with distractors=mixed: the share of each source
    same_document: bool
    allow_fewer: bool
    k: Positive | None  # passages in a retrieved context; null: retriever.k
    gold_at: GoldPlace | None  # place of the first gold passage, from 0; null: random, or as published
    without_gold: bool  # contexts have no gold passages, and no other passages with the answer (labels excepted)
    max_items: Positive | None
    metrics: list[str]  # in addition to the corpus's own metrics
    # name -> changes to these settings: {num_distractors: 0}. For arms with passages. null: no conditions.
    conditions: Annotated[dict[str, dict[str, object]], BeforeValidator(lambda value: {} if value is None else value)]
    primary: KeyedWhenSet[PrimaryConfig] = PrimaryConfig()
    allow_cut: KeyedWhenSet[bool] = True  # passages may be shortened to fit the prompt; false: this is an error
    # What metrics of wording (BLEU, ROUGE ...) compare replies with: the answers, the long answers of the data set, or
    # the texts that the teacher writes for the questions of the evaluation
    reference: KeyedWhenSet[Reference] = "answers"
    bleu_tokenizer: KeyedWhenSet[Tokenizer] = "auto"  # auto: by prompt.language
    min_quote_words: KeyedWhenSet[Positive] = quotes.MIN_WORDS  # a quote of fewer words never counts as verbatim
    # auto: each untrained arm tries several wordings of the prompt on validation questions; the test uses the best one
    prompts: KeyedWhenSet[Literal["as_written", "auto"]] = "as_written"
    wordings: KeyedWhenSet[list[str] | None] = None  # files of conf/prompt/wordings/ by name; null: all of them
    # with prompts=auto: number of worked examples in the few-shot candidate; 0: no such candidate
    examples: KeyedWhenSet[Count] = 3
    # name -> another corpus, whose test questions the arms with weights of their own answer too. null: none.
    # In a file or command: names ([hotpotqa]), or names with settings of the corpus ({hotpotqa: {path: DIR}}).
    transfer: KeyedWhenSet[Annotated[dict[str, TransferConfig], BeforeValidator(lambda value: value or {})]] = field(
        default_factory=dict
    )
    transfer_items: KeyedWhenSet[Positive | None] = None  # largest number of questions per corpus; null: max_items
    kl: KeyedWhenSet[bool] = False  # measures KL(base || arm) on a general text, for arms with weights of their own
    # a false passage replaces a distractor; questions that cannot have a false passage are left out
    conflict: KeyedWhenSet[bool] = False
    # a language model that judges the replies; null: none
    judge: KeyedWhenSet[Annotated[JudgeConfig | None, BeforeValidator(_no_mere_name)]] = None
    labels: Runtime[str | None] = None  # a CSV file with labels of people; its content is in the report's key
    nli: KeyedWhenSet[NliConfig | None] = None  # decides whether the quoted passages support a reply's claims
    token_probabilities: KeyedWhenSet[bool] = False  # store the mean log probability of the tokens of each reply

    @model_validator(mode="after")
    def _shares_are_whole(self) -> "EvaluationConfig":
        check_shares("evaluation", self.distractors, self.mixed)
        return self

    @model_validator(mode="after")
    def _labels_are_of_a_judge(self) -> "EvaluationConfig":
        if self.labels is not None and self.judge is None:
            raise ValueError(
                f"evaluation.labels: got {self.labels!r}, but the study has no judge whose figures they could correct; "
                "set evaluation.judge=openai (or vllm, transformers), or labels to null"
            )
        return self

    @model_validator(mode="after")
    def _metrics_are_known(self) -> "EvaluationConfig":
        for name in self.metrics:
            if name not in METRICS:
                raise ValueError(f"evaluation.metrics: got {name!r}; {suggest(name, METRICS)}")
            if METRICS[name].automatic:
                raise ValueError(
                    f"evaluation.metrics: got {name!r}, which is always reported {METRICS[name].automatic}; remove it"
                )
        return self

    @model_validator(mode="after")
    def _retrieved_contexts_have_the_retrievers_order(self) -> "EvaluationConfig":
        if self.gold_at is not None and self.context == "retrieved":
            raise ValueError(
                f"evaluation.gold_at: got {self.gold_at}, but with evaluation.context=retrieved the retriever decides "
                "the order of the passages; set gold_at to null, or choose another evaluation.context"
            )
        return self

    @model_validator(mode="after")
    def _a_false_passage_has_a_place(self) -> "EvaluationConfig":
        if self.conflict and self.context == "retrieved":
            raise ValueError(
                "evaluation.conflict: got true, but evaluation.context=retrieved shows all passages that the retriever "
                "returns; set conflict to false, or choose another evaluation.context"
            )
        if self.conflict and self.without_gold:
            raise ValueError(
                "evaluation.conflict: got true, but evaluation.without_gold=true removes the passages that a false "
                "passage contradicts; set one of the two to false"
            )
        if self.conflict and self.context == "gold_and_distractors" and not self.num_distractors:
            raise ValueError(
                "evaluation.conflict: got true, but with evaluation.num_distractors=0 there is no distractor that a "
                "false passage could replace; use num_distractors=1 or more, or conflict=false"
            )
        return self

    @model_validator(mode="after")
    def _gold_can_be_removed(self) -> "EvaluationConfig":
        if self.without_gold and self.context == "retrieved":
            raise ValueError(
                "evaluation.without_gold: got true, but evaluation.context=retrieved shows all passages that the "
                "retriever returns; set without_gold to false, or choose another evaluation.context"
            )
        if self.without_gold and self.gold_at is not None:
            raise ValueError(
                f"evaluation.gold_at: got {self.gold_at}, but evaluation.without_gold=true removes all gold passages; "
                "set gold_at to null"
            )
        return self
