"""The settings of the tests on other corpora (`evaluation.transfer`), and the arms that are tested."""

from collections.abc import Mapping
from dataclasses import asdict, replace

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.corpora import CorpusConfig
from raft_exp.evaluation.primary import PrimaryConfig
from raft_exp.evaluation.transfer_stage import TransferStage
from raft_exp.pipeline.conditions import checked
from raft_exp.pipeline.config import Config, is_file_name, primary_of, profile_of
from raft_exp.pipeline.transfer_files import TEST


def check(config: Config) -> None:
    """Raises ConfigError for a test on another corpus with invalid settings.

    Also raises it if no arm has weights of its own, but `evaluation.kl` or `evaluation.transfer` is set.
    """
    if config.evaluation.kl and not weighted_arms(config):
        raise ConfigError(
            f"evaluation.kl: got true, but no arm of evaluation.arms={config.evaluation.arms} has weights of its own; "
            "add a trained arm, such as raft, or use evaluation.kl=false"
        )
    for name in config.evaluation.transfer:
        other_study(config, name)


def weighted_arms(config: Config) -> list[str]:
    """Returns the arms with weights of their own: a training, or a ready adapter."""
    return [name for name in config.evaluation.arms if config.arms[name].needs_weights()]


def compared_arms(config: Config) -> dict[str, str]:
    """Returns for each arm with weights of its own the untrained arm that it is compared with on other corpora.

    Both arms have the same kind of context: passages or none. Arms with `context=gold` are left out. Of several
    untrained arms with this context, the arm `evaluation.primary.against` is chosen, else the first arm. Raises
    ConfigError if no arm has weights of its own, or if no untrained arm has the context of such an arm.
    """
    arms = config.arms
    # Arms with `context: gold` are not tested on other corpora.
    weighted = [name for name in weighted_arms(config) if arms[name].context != "gold"]
    if not weighted:
        raise ConfigError(
            f"evaluation.transfer: got {list(config.evaluation.transfer)}, but no arm of evaluation.arms="
            f"{config.evaluation.arms} has weights of its own; add a trained arm, such as raft, or use "
            "evaluation.transfer=null"
        )
    untrained = [name for name in config.untrained_arms() if not arms[name].examples]
    first = primary_of(config)["against"]
    compared = {}
    for name in weighted:
        same = [other for other in untrained if arms[other].context == arms[name].context]
        if not same:
            remedy = "rag" if arms[name].context == "passages" else "base"
            raise ConfigError(
                f"evaluation.transfer: arm {name} has context={arms[name].context}, and no untrained arm has the same "
                f"context for a comparison; add one to evaluation.arms, such as {remedy}"
            )
        compared[name] = first if first in same else same[0]
    return compared


def other_study(config: Config, name: str) -> Config:
    """Returns the study's settings with another corpus, its task and its test, for the arms of `compared_arms`.

    `name`: the entry of `evaluation.transfer`. Raises ConfigError for invalid settings of the entry.
    """
    entry, place = config.evaluation.transfer[name], f"evaluation.transfer.{name}"
    if not is_file_name(name) or name.startswith("."):
        raise ConfigError(
            f"evaluation.transfer: got {name!r}; the name is used for a folder; use only letters, digits and . _ + -, "
            "without a dot at the beginning"
        )
    if _source(entry.corpus) == _source(config.corpus):
        raise ConfigError(
            f"{place}: is the study's own corpus; name another corpus, or other settings of this corpus, "
            "such as another world: {almanac: {world_seed: 7}}"
        )
    if getattr(entry.corpus, "questions", "brings its own") is None:
        raise ConfigError(
            f"{place}.questions: got None, but the test needs questions with answers; name a question file"
        )
    if unknown := next((key for key in entry.evaluation if key not in TEST), None):
        raise ConfigError(f"{place}.evaluation: got {unknown!r}; {suggest(unknown, TEST)}")
    values: Mapping[str, object] = asdict(config.evaluation) | entry.evaluation
    plain = {"split": "test", "conditions": {}, "transfer": {}, "kl": False, "nli": None, "reference": "answers"}
    plain |= {"primary": asdict(PrimaryConfig())}
    arms = compared_arms(config)
    evaluation = checked({**values, **plain, "arms": list(dict.fromkeys([*arms.values(), *arms]))}, place)
    limits = [most for most in (evaluation.max_items, config.evaluation.transfer_items) if most is not None]
    return replace(
        config,
        corpus=entry.corpus,
        prompt=replace(config.prompt, task=entry.task),
        wordings={name: replace(prompt, task=entry.task) for name, prompt in config.wordings.items()},
        evaluation=replace(evaluation, max_items=min(limits, default=None)),
    )


def _source(corpus: CorpusConfig) -> list[object]:
    """Returns the settings that decide where the documents and questions of a corpus come from."""
    return [getattr(corpus, field, None) for field in ("name", "path", "questions", "world_seed")]


def grading(other: Config, compared: Mapping[str, str]) -> TransferStage:
    """Returns the settings by which answers to another corpus are graded. `other`: the result of `other_study`."""
    evaluation = other.evaluation
    own = profile_of(other)
    return TransferStage(
        corpus=other.corpus.name,
        metrics=evaluation.metrics,
        reply_format=other.prompt.reply_format,
        refusal=other.prompt.refusal,
        arms={name: {"context": other.arms[name].context, "cot": other.arms[name].cot} for name in evaluation.arms},
        against=dict(compared),
        seed=other.seed,
        encoder=other.encoder if own.needs_vectors else None,
        min_quote_words=evaluation.min_quote_words,
        tokenizer=own.tokenizer,
    )
