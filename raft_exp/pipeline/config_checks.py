"""Checks for invalid combinations of settings from different groups."""

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.evaluation.metrics.tokenizers import check_tokenizer
from raft_exp.pipeline.arm_settings import arm_dataset, arm_lora, arm_trainer, resolved_trainer
from raft_exp.pipeline.config import Config, is_file_name, profile_of
from raft_exp.teachers.model import is_model


def check(config: Config) -> None:
    """Raises ConfigError for the first invalid combination of settings. The message names a remedy."""
    _check_arm_names(config)
    _check_auto_learning_rate(config)
    _check_worked_examples(config)
    _check_supervised_tokens(config)
    _check_teacher_tasks(config)
    _check_judge_tasks(config)
    _check_quantization(config)
    _check_dora(config)
    _check_choice_of_prompts(config)
    _check_choice_of_rates(config)
    _check_server_arms(config)
    _check_gold_arms(config)
    _check_rerank(config)
    _check_wording(config)
    _check_citations(config)


def _check_arm_names(config: Config) -> None:
    if not config.evaluation.arms:
        raise ConfigError("evaluation.arms: got []; name at least one arm")
    for name in config.evaluation.arms:
        if name not in config.arms:
            raise ConfigError(f"evaluation.arms: got {name!r}; {suggest(name, config.arms)}")
        if not is_file_name(name):
            raise ConfigError(
                f"evaluation.arms: got {name!r}; the name is used in file names; use only letters, digits and . _ + -"
            )


def _check_auto_learning_rate(config: Config) -> None:
    for arm in (None, *config.trained_arms()):
        try:
            resolved_trainer(config, arm)
        except ValueError as error:
            raise ConfigError(f"arms.{arm}.{error}" if arm else str(error)) from None


def _check_worked_examples(config: Config) -> None:
    for name in config.evaluation.arms:
        arm = config.arms[name]
        if arm.examples and config.dataset.path:
            raise ConfigError(
                f"arms.{name}.examples: got {arm.examples}, but worked examples cannot be made from the chats "
                f"of dataset.path={config.dataset.path!r}; set examples: 0, or remove the arm from evaluation.arms"
            )
        if arm.examples and arm.cot and not config.dataset.cot:
            raise ConfigError(
                f"arms.{name}.examples: got {arm.examples} with cot=true, but dataset.cot=false makes rows "
                "without reasoning; set cot: false for the arm, or dataset.cot=true"
            )


def _check_supervised_tokens(config: Config) -> None:
    if other := config.trainer.supervised_tokens:
        raise ConfigError(
            f"trainer.supervised_tokens: got {other!r}, but only a single arm can have this setting; set "
            "+arms.NAME.trainer.supervised_tokens for that arm"
        )
    for name in config.trained_arms():
        place, other = f"arms.{name}.trainer", arm_trainer(config, name).supervised_tokens
        if other is None:
            continue
        known = [arm for arm in config.trained_arms() if not arm_trainer(config, arm).supervised_tokens]
        if other not in known:
            remedy = f"known: {', '.join(known)}" if known else "add one to evaluation.arms"
            raise ConfigError(
                f"{place}.supervised_tokens: got {other!r}; must be a trained arm of evaluation.arms without "
                f"supervised_tokens of its own; {remedy}"
            )
        if lengths := [key for key in ("max_steps", "max_epochs") if key in config.arms[name].trainer]:
            raise ConfigError(
                f"{place}.{lengths[0]}: has no effect together with supervised_tokens; remove one of the two"
            )


def _check_teacher_tasks(config: Config) -> None:
    for task, shipped in (("targets", "cot_answer"), ("questions", "questions")):
        if is_model(config.teacher) and getattr(config.teacher, task) is None:
            raise ConfigError(f"teacher.{task}: got None; name a task: task@teacher.{task}={shipped}")
    teacher, writes = config.teacher, getattr(config.corpus, "questions", "") is None
    if writes and is_model(teacher) and teacher.questions and teacher.questions.pairs and teacher.check is None:
        raise ConfigError(
            f"teacher.check: got None, but teacher.questions={teacher.questions.name} writes questions that need two "
            "passages, and only the check finds those that one passage answers; use task@teacher.check=answerable, or "
            "task@teacher.questions=questions (questions about one passage)"
        )


def _check_judge_tasks(config: Config) -> None:
    judge = config.evaluation.judge
    if judge and judge.pair is None and not any(judge.tasks.values()):
        raise ConfigError(
            "evaluation.judge.tasks: names no task, and evaluation.judge.pair is null; set one of them, as in "
            "task@evaluation.judge.tasks.correct=judge_correct, or evaluation.judge=null"
        )
    if judge and judge.tasks.get("pair"):
        raise ConfigError(
            "evaluation.judge.tasks: got 'pair', which is the name of the comparisons (evaluation.judge.pair); give "
            "the task another name, as in +task@evaluation.judge.tasks.polite=NAME"
        )


def _check_quantization(config: Config) -> None:
    trained = config.trained_arms()
    if config.model.quantize and not all(arm_lora(config, name).r for name in trained):
        raise ConfigError(
            f"model.quantize={config.model.quantize}: quantised weights cannot be trained; use an adapter "
            "(lora=default), or model.quantize=null"
        )
    if config.model.quantize and trained and config.trainer.strategy == "fsdp":
        raise ConfigError(
            f"model.quantize={config.model.quantize}: trainer.strategy=fsdp cannot shard quantised weights; use "
            "trainer=gpu or trainer=ddp, or model.quantize=null"
        )


def _check_dora(config: Config) -> None:
    for lora in (config.lora, *(arm_lora(config, name) for name in config.trained_arms())):
        if lora.dora and not lora.r:
            raise ConfigError(
                "lora.dora: got True, but lora.r=0 trains all weights without an adapter; use lora=default"
            )
    for name in config.trained_arms():
        engine = config.arms[name].engine or config.engine
        if arm_lora(config, name).dora and engine.name == "vllm" and engine.adapters == "lora":
            raise ConfigError(
                "lora.dora: got True, but engine=vllm cannot load DoRA adapters; use engine.adapters=merged"
            )


def _check_validation_questions(config: Config, setting: str, off: str) -> None:
    """Raises ConfigError if there are no validation questions on which to choose `setting`.

    `off`: the value of `setting` with which the study makes no choice. The message names it as a remedy.
    """
    if config.evaluation.split == "validation":
        raise ConfigError(
            f"evaluation.split: got 'validation', but {setting} is chosen on the validation questions, so they cannot "
            f"be the test questions too; use evaluation.split=test, or {setting}={off}"
        )
    corpus = config.corpus
    if not corpus.validation and corpus.name != "pubmedqa" and not getattr(corpus, "questions", ""):
        raise ConfigError(
            f"corpus.validation: got {corpus.validation}, but {setting} is chosen on validation questions, and the "
            f"study has none; use a share such as corpus.validation=0.05, or {setting}={off}"
        )


def _check_choice_of_prompts(config: Config) -> None:
    if config.evaluation.prompts == "auto" and config.untrained_arms():
        _check_validation_questions(config, "evaluation.prompts", "as_written")
        if not config.wordings:
            raise ConfigError(
                f"evaluation.wordings: got {config.evaluation.wordings}, but evaluation.prompts=auto needs at "
                "least one wording; use evaluation.wordings=null (all files of conf/prompt/wordings/), name some of "
                "them, or use evaluation.prompts=as_written"
            )


def _check_choice_of_rates(config: Config) -> None:
    rates = config.selection.learning_rates
    if rates is None:
        return
    if rates != "auto" and len(set(rates)) != max(len(rates), 2):
        raise ConfigError(
            f"selection.learning_rates: got {rates}; give two or more rates, all different, or use auto (rates around "
            "the usual one), or null (no selection: every arm keeps trainer.learning_rate)"
        )
    if not config.trained_arms():
        raise ConfigError(
            f"selection.learning_rates: got {rates}, but no arm of evaluation.arms={config.evaluation.arms} is "
            "trained; add a trained arm, such as raft, or use selection.learning_rates=null"
        )
    _check_validation_questions(config, "selection.learning_rates", "null")


def _check_server_arms(config: Config) -> None:
    for name in config.evaluation.arms:
        arm = config.arms[name]
        if (arm.engine or config.engine).name == "openai" and arm.needs_weights():
            raise ConfigError(
                f"arms.{name}: an arm with recipe={arm.recipe!r} and adapter={arm.adapter!r} needs weights on this "
                "machine, but engine=openai uses a server; remove the arm from evaluation.arms, or give it another "
                "engine"
            )


def _check_gold_arms(config: Config) -> None:
    gold_arms = [name for name in config.evaluation.arms if config.arms[name].context == "gold"]
    if gold_arms and config.evaluation.conflict:
        raise ConfigError(
            f"evaluation.conflict: got True, but arm {gold_arms[0]} (context=gold) is tested on all questions, and "
            "a false passage is possible only for some of them; set conflict in a condition "
            "(+evaluation.conditions.conflict={conflict: true}), or remove the arm from evaluation.arms"
        )


def _check_wording(config: Config) -> None:
    evaluation = config.evaluation
    if "bleu" in profile_of(config).metrics:
        check_tokenizer(evaluation.bleu_tokenizer, config.prompt.language)
    if evaluation.reference == "target" and config.dataset.path:
        raise ConfigError(
            f"evaluation.reference: got 'target', but with dataset.path={config.dataset.path!r} no teacher writes the "
            "targets of this study; use evaluation.reference=answers or long_answer"
        )
    reasons = any(config.arms[name].cot for name in evaluation.arms)
    if evaluation.reference != "answers" and profile_of(config).closed and not reasons:
        raise ConfigError(
            f"evaluation.reference: got {evaluation.reference!r}, but the answers of corpus={config.corpus.name} are "
            f"labels, and no arm of evaluation.arms={evaluation.arms} writes reasoning (cot=true); add an arm that "
            "does, for example rag_cot, or use evaluation.reference=answers"
        )


def _check_rerank(config: Config) -> None:
    rerank, trained = config.retriever.rerank, config.trained_arms()
    numbers: dict[str, object] = {
        "retriever.k": config.retriever.k,
        "evaluation.k": config.evaluation.k,
        "dataset.k": config.dataset.k,
    }
    numbers |= {f"arms.{name}.dataset.k": arm_dataset(config, name, config.arms[name]).k for name in trained}
    numbers |= {
        f"evaluation.conditions.{name}.k": changes.get("k") for name, changes in config.evaluation.conditions.items()
    }
    for name, k in numbers.items():
        if rerank and isinstance(k, int) and k > rerank.k_first:
            raise ConfigError(
                f"{name}: got {k}, but the cross-encoder orders retriever.rerank.k_first={rerank.k_first} passages; "
                f"set retriever.rerank.k_first={k} or more, or a smaller {name}"
            )


def _check_citations(config: Config) -> None:
    model, arms = config.evaluation.nli, config.evaluation.arms
    if model and not any(config.arms[name].cites for name in arms):
        raise ConfigError(
            f"evaluation.nli: got {model.name_or_path!r}, but no arm of evaluation.arms={arms} shows passages and asks "
            "for quotes (cot=true); add such an arm, for example raft, or set evaluation.nli=null"
        )
