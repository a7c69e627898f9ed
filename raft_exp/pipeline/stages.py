"""Makes each stage of a study from the settings, with its inputs and the process that runs it."""

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from importlib import metadata
from pathlib import Path
from typing import Literal

from raft_exp import retrieval
from raft_exp.core.stage import Check, Inputs, Stage
from raft_exp.corpora import gold_search, may_have_few_documents, open_corpus, passage_identity, split_units
from raft_exp.corpora.ingest_stage import IngestStage, ingest
from raft_exp.corpora.questions import files_of, searches_documents
from raft_exp.corpora.questions_stage import GOLD_RULES, QuestionsStage, questions
from raft_exp.dataset import testing_stage, training_stage
from raft_exp.dataset.chat_dataset import ChatDatasetStage, chat_file, chat_rows
from raft_exp.dataset.few_shot import ExamplesStage, worked_examples
from raft_exp.dataset.pool_check import Demand, check_passages, check_questions
from raft_exp.dataset.rows import window_of
from raft_exp.dataset.supply import EVALUATION_NAMES, SettingNames
from raft_exp.engines import TransformersEngine
from raft_exp.evaluation.citations.stage import CitationsStage, citations
from raft_exp.evaluation.config import EvaluationConfig
from raft_exp.evaluation.kl_stage import TEXT, KlStage, kl
from raft_exp.evaluation.references_stage import references
from raft_exp.evaluation.stage import EvaluateStage, evaluate
from raft_exp.exports.stage import export
from raft_exp.models import cross_encoder, encoder, loading, nli
from raft_exp.pipeline import export_settings, judging, placement, stage_settings
from raft_exp.pipeline.arm_settings import arm_dataset, arm_trainer
from raft_exp.pipeline.arms import adapter_files
from raft_exp.pipeline.config import ArmConfig, Config
from raft_exp.pipeline.demands import demands, raft_owner
from raft_exp.pipeline.trainings import Training
from raft_exp.prompts import PromptConfig
from raft_exp.reporting.stage import report
from raft_exp.retrieval.embed_stage import EmbedStage, embed_passages, embed_questions
from raft_exp.retrieval.index_stage import IndexStage, index
from raft_exp.retrieval.rerank_stage import RerankStage, rerank
from raft_exp.tasks.model import is_local
from raft_exp.teachers import questions_stage, targets_stage
from raft_exp.teachers.model import for_questions, for_targets, is_model
from raft_exp.teachers.target_questions import EvaluatedQuestions
from raft_exp.training.stage import TrainStage, train

Fingerprint = Callable[[list[Path]], dict[str, str]]
Owner = tuple[str, ArmConfig]  # name and settings of the first arm that is trained on a training set


class StageMaker:
    """Makes the stages of one study.

    `lacks_questions`: whether the study has neither questions nor a teacher model that writes them.
    """

    def __init__(self, config: Config, fingerprint: Fingerprint) -> None:
        self._config, self._fingerprint = config, fingerprint
        model, teacher = config.model, config.teacher
        self._window = window_of(model)
        self._model_files = fingerprint(loading.files(model)) | loading.date_files(model) | loading.conversion(model)
        self._corpus = open_corpus(config.corpus)
        self._corpus_files = fingerprint(self._corpus.files())
        self._question_files = {f"questions/{name}": d for name, d in fingerprint(files_of(config.corpus)).items()}
        self._teacher_files: dict[str, str] = {}
        if is_local(teacher):
            files = loading.files(teacher.model, "teacher.model")
            self._teacher_files = (
                fingerprint(files) | loading.date_files(teacher.model) | loading.conversion(teacher.model)
            )
        no_questions = getattr(config.corpus, "questions", "brings its own") is None
        self._writes_questions = no_questions and is_model(teacher)
        self.lacks_questions = no_questions and not is_model(teacher)
        # The two attributes are filled while other stages are made.
        self.vectors: dict[str, Stage] = {}  # stages of passage and question vectors; {} unless a source is dense
        self.reranked: dict[str, Stage] = {}  # rerank stages by key; {} without retriever.rerank

    @cached_property
    def passages(self) -> Stage:
        """The stage that makes the passages of the corpus."""
        corpus, splitter = self._config.corpus, f"sentencex {metadata.version('sentencex')}"
        identity = passage_identity(corpus, self._corpus)
        if not getattr(self._corpus, "needs_encoder", False):
            return Stage(ingest, IngestStage(corpus, identity, splitter), files=self._corpus_files)
        settings = IngestStage(corpus, identity, splitter, self._config.encoder)
        files = self._corpus_files | {f"encoder/{name}": d for name, d in self._encoder_files.items()}
        return Stage(ingest, settings, files=files, process=placement.of_encoder(self._config.encoder, "ingest"))

    @property
    def studied(self) -> Inputs:
        """The stages of passages and questions, as inputs of other stages."""
        return {"passages": self.passages, "questions": self.questions}

    @cached_property
    def questions(self) -> Stage:
        """The stage of the questions, which come from the corpus or are written by the teacher."""
        config = self._config
        inputs: Inputs = {"passages": self.passages}
        if self._writes_questions and is_model(config.teacher):
            teacher, process = for_questions(config.teacher), placement.of_teacher(config.teacher)
            written = questions_stage.WrittenQuestionsStage(
                config.corpus, teacher, self._teacher_files, config.seed, self._split_rules
            )
            each = teacher.questions.n if teacher.questions else 1
            write = partial(questions_stage.write_wordless, written)
            check = Check(partial(check_passages, self._demands, config.corpus, write, each), inputs)
            return Stage(questions_stage.write_questions, written, inputs, process=process, check=check)
        rules = GOLD_RULES if self._question_files else 0
        split_rules = split_units.FILE_RULES if self._question_files and self._split_rules else 0
        files = self._corpus_files | self._question_files
        settings = QuestionsStage(config.corpus, config.seed, rules, split_rules=split_rules)
        if self._documents_are_searched:
            settings, inputs = replace(settings, search_rules=gold_search.RULES), {**inputs, "indexed": self.index}
        if not self._gold_by_vectors:
            return Stage(questions, settings, inputs, files)
        settings = replace(settings, encoder=config.encoder)
        files = files | {f"encoder/{name}": d for name, d in self._encoder_files.items()}
        process = placement.of_encoder(config.encoder, "embed")
        return Stage(questions, settings, {**inputs, "embedded": self._passage_vectors}, files, process=process)

    @cached_property
    def targets(self) -> Stage:
        """The stage of the targets, which the teacher writes."""
        inputs, teacher = {"passages": self.passages, "questions": self.questions}, self._config.teacher
        if is_model(teacher):
            settings = targets_stage.ModelTargetsStage(for_targets(teacher), self._teacher_files)
            process = placement.of_teacher(teacher)
            return Stage(targets_stage.model_targets, settings, inputs, process=process, check=self._pools)
        # A teacher by rules costs nothing. The check is useful only where its error can propose another `corpus.split`.
        check = self._pools if hasattr(self._config.corpus, "split") else None
        return Stage(targets_stage.targets, targets_stage.TargetsStage(teacher), inputs, check=check)

    @cached_property
    def references(self) -> list[Stage]:
        """The stages of the long texts that replies are compared with; [] where replies are compared with answers.

        Texts of the teacher come from a `targets` stage of their own, which no training set reads.
        """
        settings = stage_settings.references_settings(self._config)
        if settings is None:
            return []
        inputs: Inputs = {"questions": self.questions}
        if settings.reference == "long_answer":
            return [Stage(references, settings, inputs)]
        return [self._evaluated_targets, Stage(references, settings, {**inputs, "targets": self._evaluated_targets})]

    @cached_property
    def _evaluated_targets(self) -> Stage:
        """The stage of the teacher's targets for the questions of the evaluation."""
        evaluation = self._config.evaluation
        evaluated = EvaluatedQuestions(evaluation.split, evaluation.max_items, self._config.seed)
        made = replace(self.targets.config, evaluated=evaluated)
        return replace(self.targets, config=made, part=evaluation.split)

    @property
    def _pools(self) -> Check:
        """A check that there are enough questions and passages for all data sets."""
        searched = {source for demand in self._demands for source in stage_settings.sources_of(demand)}
        inputs: Inputs = {**self.studied, **self._searched(searched)}
        if self._gold_by_vectors:
            inputs = {**inputs, "vectors": self._passage_vectors}
        settings = self.questions.config
        given = settings if isinstance(settings, QuestionsStage) and self._question_files else None
        return Check(partial(check_questions, self._demands, given), inputs)

    @cached_property
    def _demands(self) -> list[Demand]:
        """The settings of all data sets, by which the questions are checked before the first request to a teacher."""
        return list(demands(self._config, self._window))

    @cached_property
    def index(self) -> Stage:
        """The stage of the BM25 index of the passages."""
        return Stage(index, IndexStage(f"bm25s {metadata.version('bm25s')}"), {"passages": self.passages})

    @property
    def _split_rules(self) -> int:
        """The version of the split rules for corpora with few documents; 0 for corpora with enough documents.

        It is part of the key of the questions stage.
        """
        return split_units.RULES if may_have_few_documents(self._config.corpus, self._corpus) else 0

    @property
    def _gold_by_vectors(self) -> bool:
        """Whether the questions come from a file, and the encoder finds their gold passages (retriever=dense)."""
        return self._config.retriever.name == "dense" and bool(self._question_files)

    @cached_property
    def _documents_are_searched(self) -> bool:
        """Whether the gold of a question of the file may need a search in the BM25 index (`searches_documents`)."""
        return bool(self._question_files) and searches_documents(self._config.corpus)

    @property
    def before_questions(self) -> list[Stage]:
        """The stages that the questions stage reads, except for the passages."""
        return [
            *([self._passage_vectors] if self._gold_by_vectors else []),
            *([self.index] if self._documents_are_searched else []),
        ]

    @cached_property
    def _encoder_files(self) -> dict[str, str]:
        return self._fingerprint(encoder.files(self._config.encoder))

    @cached_property
    def _passage_vectors(self) -> Stage:
        config, process = self._config.encoder, placement.of_encoder(self._config.encoder, "embed")
        inputs: Inputs = {"passages": self.passages}
        return Stage(embed_passages, EmbedStage(config), inputs, self._encoder_files, process=process)

    def _embed(self) -> dict[str, Stage]:
        config, process = self._config.encoder, placement.of_encoder(self._config.encoder, "embed")
        texts: Inputs = {"questions": self.questions}
        asked = Stage(embed_questions, EmbedStage(config), texts, self._encoder_files, "questions", process)
        return {"passages": self._passage_vectors, "questions": asked}

    def _searched(self, sources: Iterable[str]) -> Inputs:
        """Returns a dataset's inputs for retrieval: the BM25 index and the vectors, as far as `sources` need them."""
        needed = retrieval.searches(sources)
        if "dense" in needed:
            self.vectors = self.vectors or self._embed()
        inputs: Inputs = {"indexed": self.index} if "bm25" in needed else {}
        return {**inputs, "embedded": self.vectors} if "dense" in needed else inputs

    def _reranked(self, samples: dict[str, int | None], more: Inputs) -> Inputs:
        """Returns a dataset's input of reranked passages.

        `samples`: split -> largest number of its questions (None: all). `more`: further inputs of the rerank stage; for
        training questions, their targets.
        """
        config, retriever = self._config, self._config.retriever
        assert retriever.rerank is not None, "only called with retriever.rerank"
        settings = RerankStage(retriever.name, retriever.rerank, samples, config.seed)
        inputs: Inputs = {**self.studied, **self._searched({retriever.name}), **more}
        files, process = self._reranker_files, placement.of_encoder(retriever.rerank, "rerank")
        made = Stage(rerank, settings, inputs, files, "+".join(samples), process)
        return {"reranked": self.reranked.setdefault(made.key, made)}

    @cached_property
    def _reranker_files(self) -> dict[str, str]:
        rerank_config = self._config.retriever.rerank
        return self._fingerprint(cross_encoder.files(rerank_config)) if rerank_config else {}

    def _searched_for(self, raft: training_stage.RaftStage) -> Inputs:
        """Returns the inputs for retrieval of a raft training set."""
        data, retriever = raft.dataset, raft.retriever
        searched = self._searched(
            {retriever.name} if retriever else retrieval.source_names(data.distractors, data.mixed)
        )
        if retriever and retriever.rerank:
            samples = {"train": data.max_items, "validation": None}
            return {**searched, **self._reranked(samples, {"targets": self.targets})}
        return searched

    def training_rows(self, recipe: str, owner: Owner) -> Stage:
        """Returns the stage of a training set, dataset[RECIPE]. `owner`: the first arm that is trained on it."""
        config, data = self._config, stage_settings.with_gold_limit(self._config, arm_dataset(self._config, *owner))
        inputs: Inputs = {"passages": self.passages, "questions": self.questions, "targets": self.targets}
        if owner[1].recipe == "raft" and data.path:
            chat_limits = (data.path, data.max_items, data.allow_overlap, data.max_gold_overlap)
            ready_rows = ChatDatasetStage(*chat_limits, self._window, config.seed)
            files = {f"chat/{name}": d for name, d in self._fingerprint([chat_file(data.path, owner[0])]).items()}
            studied: Inputs = {"passages": self.passages, "questions": self.questions}
            return Stage(chat_rows, ready_rows, studied, files | self._model_files, recipe)
        if owner[1].recipe == "raft":
            raft = stage_settings.raft_settings(config, owner, self._window)
            return Stage(training_stage.raft, raft, {**inputs, **self._searched_for(raft)}, self._model_files, recipe)
        closed = stage_settings.closed_book_settings(config, owner, self._window)
        return Stage(training_stage.closed_book, closed, inputs, self._model_files, recipe)

    def test_rows(self, label: str, evaluation: EvaluationConfig, named: SettingNames = EVALUATION_NAMES) -> Stage:
        """Returns the stage dataset[LABEL], which makes test rows by the settings `evaluation`.

        `named`: the names of these settings in error messages.
        """
        settings = stage_settings.test_settings(self._config, evaluation, self._window, named)
        if settings.context == "retrieved" and settings.retriever.rerank:
            searched = self._reranked({settings.split: settings.max_items}, {})
        else:
            searched = self._searched(stage_settings.searched_sources(settings))
        inputs: Inputs = {"passages": self.passages, "questions": self.questions, **searched}
        check = self._windows if label == "test" else None
        return Stage(testing_stage.test_set, settings, inputs, self._model_files, label, check=check)

    @property
    def _windows(self) -> Check | None:
        """A check of all test sets whose passages must not be shortened (`allow_cut=false`); None without one."""
        tests = [
            demand for demand in self._demands if isinstance(demand, testing_stage.TestStage) and not demand.allow_cut
        ]
        searched = {source for test in tests for source in stage_settings.sources_of(test)}
        inputs: Inputs = {**self.studied, **self._searched(searched)}
        return Check(partial(check_questions, tests, None), inputs) if tests else None

    def export(
        self, recipes: Mapping[str, Owner], datasets: Mapping[str, Stage], tests: Mapping[str, Stage]
    ) -> list[Stage]:
        """Returns a list of the export stage; [] if nothing is exported.

        `recipes`: the first arm of each training set. `datasets`, `tests`: the stages of training and test sets.
        Raises ConfigError for a file or format that cannot be written.
        """
        export_settings.check_file(self._config)
        if export_settings.ends_before_datasets(self._config):
            passages = export_settings.passages_alone(self._config)
            return [Stage(export, passages, {"passages": self.passages})] if passages else []
        settings = export_settings.export_settings(self._config, recipes, tests)
        inputs: Inputs = {"datasets": datasets, "tests": tests, "questions": self.questions, "passages": self.passages}
        files = self._model_files if settings and settings.trainers else {}
        return [Stage(export, settings, inputs, files)] if settings else []

    def train(self, training: Training, rows: Mapping[str, Stage]) -> Stage:
        """Returns the stage of one training. `rows`: the stages of the training sets by name."""
        config, other = self._config, training.matched
        asked = arm_trainer(config, training.arms[0])
        settings = TrainStage(
            config.model,
            training.lora,
            training.trainer,
            config.seed,
            may_pad=asked.packing == "auto",
            may_compile=asked.compile == "auto",
            matched=other.plan if other else None,
        )
        inputs: Inputs = {"dataset": rows[training.dataset]}
        if other:
            inputs = {**inputs, "matched_dataset": rows[other.dataset]}
        launcher = shlex.split(config.trainer.rank_launcher or "")
        process = placement.of_training(config, training.label)
        return Stage(train, settings, inputs, self._model_files, training.label, process, launcher)

    def raft_rows(self) -> Stage:
        """Returns the stage of the raft training set, even if no arm of the study is trained on it."""
        return self.training_rows("raft", raft_owner(self._config))

    def examples(self, name: str, count: int, test: Stage, rows: Stage, part: str = "", required: bool = True) -> Stage:
        """Returns the stage that draws `count` worked examples for the arm `name` from the training set `rows`.

        `test`: the stage of the test questions. `part`: the text in brackets of the stage's label; "": examples@NAME.
        `required`: whether the stage raises an error if no example can be drawn.
        """
        config, arm, mode = self._config, self._config.arms[name], self._config.dataset.prompt_mode
        settings = ExamplesStage(
            config.prompt, mode, arm.context, arm.cot, count, self._window, config.seed, name, required
        )
        part = part or f"examples@{name}"
        return Stage(worked_examples, settings, {"rows": rows, "test": test}, self._model_files, part)

    def evaluate(
        self,
        name: str,
        arm: ArmConfig,
        test: Stage,
        adapter: Stage | None = None,
        examples: Stage | None = None,
        chosen: Stage | None = None,
        prompt: PromptConfig | None = None,
        task: str | None = None,
    ) -> Stage:
        """Returns the stage of an arm's answers to `test`. `name`: the text in brackets of the stage's label.

        `prompt` replaces the study's prompt. `chosen`: a select stage that chooses the prompt; `task` replaces the task
        of the chosen prompt. `adapter`: the stage of the trained weights. `examples`: the stage of the worked examples.
        """
        config, engine = self._config, arm.engine or self._config.engine
        model = None if engine.name == "openai" else config.model  # the server has a model of its own
        mode = config.dataset.prompt_mode
        settings = EvaluateStage(
            model,
            engine,
            prompt or config.prompt,
            mode,
            "passages" if arm.shows_passages else "none",
            arm.cot,
            arm.adapter,
            token_probabilities=config.evaluation.token_probabilities,
            task=task,
        )
        ready_files = self._fingerprint(adapter_files(name, arm.adapter))
        files = {f"adapter/{file}": d for file, d in ready_files.items()} | (self._model_files if model else {})
        optional = {"adapter": adapter, "examples": examples, "chosen": chosen}
        inputs = {"test": test} | {name: made for name, made in optional.items() if made}
        process = placement.of_answers(config, engine, adapter.key if adapter else arm.adapter)
        return Stage(evaluate, settings, inputs, files, name, process)

    def citations(self, name: str, test: Stage, answers: Stage) -> Stage:
        """Returns the stage that checks the claims in the replies of the arm `name` against the passages they cite."""
        model, prompt = self._config.evaluation.nli, self._config.prompt
        assert model is not None, "only called with evaluation.nli"
        least = self._config.evaluation.min_quote_words
        settings = CitationsStage(model, prompt.reply_format, prompt.refusal, least)
        inputs: Inputs = {"test": test, "answers": answers}
        return Stage(citations, settings, inputs, self._nli_files, name, placement.of_encoder(model, "citations"))

    @cached_property
    def _nli_files(self) -> dict[str, str]:
        model = self._config.evaluation.nli
        return self._fingerprint(nli.files(model)) if model else {}

    def divergence(self, label: str, name: str, adapter: Stage | None) -> Stage:
        """Returns the stage kl[LABEL] of the arm `name`.

        `adapter`: the stage of the arm's trained weights; None for an arm with a ready adapter.
        """
        config, arm = self._config, self._config.arms[name]
        engine = arm.engine or config.engine
        if not isinstance(engine, TransformersEngine):  # the only engine that gives all probabilities
            accelerator: Literal["cpu", "auto"] = "cpu" if config.trainer.accelerator == "cpu" else "auto"
            engine = TransformersEngine("transformers", accelerator, batch_tokens=1, threads=config.trainer.threads)
        ready = {f"adapter/{file}": d for file, d in self._fingerprint(adapter_files(name, arm.adapter)).items()}
        files = {"text": next(iter(self._fingerprint([TEXT]).values()))} | ready | self._model_files
        process = placement.of_answers(config, engine, None)
        inputs: Inputs = {"weights": adapter} if adapter else {}
        return Stage(kl, KlStage(config.model, engine, arm.adapter), inputs, files, label, process)

    def report(self, datasets: Mapping[str, Stage], **others: Stage | Mapping[str, Stage]) -> Stage:
        """Returns the report stage. `datasets`: the training sets; `others`: the other inputs by name."""
        settings, encoding = stage_settings.report_settings(self._config), self._config.encoder
        inputs: Inputs = {**others, "datasets": datasets, "passages": self.passages, "questions": self.questions}
        if is_model(self._config.teacher) and any("targets" in rows.inputs for rows in datasets.values()):
            inputs = {**inputs, "targets": self.targets}  # for the audit of unusable replies
        if self.references:
            inputs = {**inputs, "references": self.references[-1]}
        labels = judging.label_files(self._config, self._fingerprint)
        if settings.encoder is None:
            return Stage(report, settings, inputs, labels)
        files, process = self._fingerprint(encoder.files(encoding)), placement.of_encoder(encoding, "report")
        return Stage(report, settings, inputs, files | labels, process=process)
