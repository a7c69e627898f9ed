"""The whole study on one screen: which stages there are, and what each one reads.

ingest -> questions -> targets -> dataset[recipe] -> train[recipe] --+      (index, embed: where something is searched)
                |                                                    v
                +-----------> dataset[test] ----------------> evaluate[arm] -> report

export reads every dataset and the passages; it runs with `until=dataset` too, with `until=ingest` for passages alone.
"""

import shlex
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path

from raft_exp import retrieval
from raft_exp.core.errors import ConfigError
from raft_exp.core.schema import identity
from raft_exp.corpora import ingest_stage as ingest
from raft_exp.corpora import open_corpus, passage_identity
from raft_exp.corpora import questions_stage as questions
from raft_exp.corpora.questions import files_of
from raft_exp.dataset import chat_dataset as ready
from raft_exp.dataset import stage as dataset
from raft_exp.dataset.rows import Window
from raft_exp.dataset.stage import DatasetConfig
from raft_exp.engines import EngineConfig
from raft_exp.evaluation import metrics
from raft_exp.evaluation import stage as evaluate
from raft_exp.exports import stage as export
from raft_exp.models import encoder
from raft_exp.models import loading as models
from raft_exp.pipeline.config import STAGES, ArmConfig, Config, EvaluationConfig, arm_dataset, condition
from raft_exp.pipeline.export_settings import Recipes, check_file
from raft_exp.pipeline.export_settings import settings as exports
from raft_exp.pipeline.stage import Inputs, Stage
from raft_exp.reporting import stage as report
from raft_exp.retrieval import embed_stage as embed
from raft_exp.retrieval import index_stage as index
from raft_exp.teachers import TeacherConfig
from raft_exp.teachers import stage as targets
from raft_exp.teachers.model import ModelTeacher, for_questions, for_targets, is_local, is_model
from raft_exp.teachers.model import shown as teacher_shown
from raft_exp.training import stage as train

Fingerprint = Callable[[list[Path]], dict[str, str]]


def build(config: Config, fingerprint: Fingerprint) -> list[Stage]:
    """The stages of a study in the order they run. `fingerprint` gives the content hashes of local input files."""
    found = _Study(config, fingerprint)
    arms = {name: config.arms[name] for name in config.evaluation.arms}
    recipes = {_recipe(name, arm): (name, arm) for name, arm in arms.items() if arm.recipe != "none"}
    datasets = {recipe: found.dataset(recipe, *owner) for recipe, owner in recipes.items()}
    adapters = {recipe: found.train(recipe, made) for recipe, made in datasets.items()}
    test = found.test("test", config.evaluation)
    others = {name: found.test(f"test@{name}", condition(config, name)) for name in config.evaluation.conditions}
    tests = {"test": test, **{f"test@{name}": made for name, made in others.items()}}
    answers = {name: found.evaluate(name, arm, test, adapters.get(_recipe(name, arm))) for name, arm in arms.items()}
    for name, arm in arms.items():
        if arm.context == "passages":  # an arm that sees none answers the same under every condition
            adapter = adapters.get(_recipe(name, arm))
            answers |= {
                f"{name}@{at}": found.evaluate(f"{name}@{at}", arm, asked, adapter) for at, asked in others.items()
            }
    exported = found.export(recipes, datasets, tests)
    last = found.report(test, others, answers, datasets, adapters)
    stages = [found.passages, found.questions, *found.embedded.values(), found.indexed, found.targets]
    answering = _together(answers.values())
    stages += [*datasets.values(), test, *others.values(), *exported, *adapters.values(), *answering, last]
    needed = _needed([*exported, last])
    until = STAGES.index("export" if config.until == "dataset" else config.until)
    kept = [stage for stage in stages if stage.key in needed and STAGES.index(stage.name) <= until]
    if found.unasked and found.questions in kept:
        next(iter(open_corpus(config.corpus).questions()), None)  # says what to set, before the passages are made
    return kept + exported if config.until == "ingest" else kept


class _Study:
    def __init__(self, config: Config, fingerprint: Fingerprint) -> None:
        self._config = config
        self._fingerprint = fingerprint
        self.embedded: dict[str, Stage] = {}  # stays empty where nothing is dense
        model = config.model
        self._window = Window(model.name_or_path, model.revision, model.max_length, model.max_new_tokens)
        self._model_files = fingerprint(models.files(model))
        corpus = open_corpus(config.corpus)
        files = fingerprint(corpus.files())
        read = ingest.IngestStage(
            config.corpus,
            passage_identity(config.corpus, corpus),
            f"sentencex {metadata.version('sentencex')}",
        )
        seed = config.seed
        asked = {f"questions/{name}": digest for name, digest in fingerprint(files_of(config.corpus)).items()}
        self.passages = Stage("ingest", "ingest", ingest.ingest, ingest.VERSION, read, files=files)
        teacher = config.teacher
        self._weights = fingerprint(models.files(teacher.model, "teacher.model")) if is_local(teacher) else {}
        self.questions = Stage(
            "questions", "questions", questions.questions, questions.VERSION,
            questions.QuestionsStage(config.corpus, seed), {"passages": self.passages}, files | asked,
        )  # fmt: skip
        without = getattr(config.corpus, "questions", "brings its own") is None
        self.unasked = without and not is_model(teacher)
        if without and is_model(teacher):
            self.questions = self._written(for_questions(teacher))
        self.indexed = Stage(
            "index", "index", index.index, index.VERSION, index.IndexStage(f"bm25s {metadata.version('bm25s')}"),
            {"passages": self.passages},
        )  # fmt: skip
        self.targets = self._targets()

    def _written(self, teacher: ModelTeacher) -> Stage:
        settings = questions.WrittenStage(self._config.corpus, teacher, self._weights, self._config.seed)
        return Stage(
            "questions", "questions", questions.written, questions.VERSION, settings, {"passages": self.passages},
            resumable=True, process=_teaching_process(teacher),
        )  # fmt: skip

    def _targets(self) -> Stage:
        inputs, teacher = {"passages": self.passages, "questions": self.questions}, self._config.teacher
        if is_model(teacher):
            asked = targets.AskedStage(for_targets(teacher), self._weights)
            return Stage(
                "targets", "targets", targets.asked, targets.VERSION, asked, inputs, resumable=True,
                process=_teaching_process(teacher),
            )  # fmt: skip
        settings = targets.TargetsStage(teacher)
        return Stage("targets", "targets", targets.targets, targets.VERSION, settings, inputs, resumable=True)

    def dataset(self, recipe: str, name: str, arm: ArmConfig) -> Stage:
        config, how = self._config, arm_dataset(self._config, name, arm)
        inputs = {"passages": self.passages, "questions": self.questions, "targets": self.targets}
        if arm.recipe == "raft" and how.path:
            return self._ready(recipe, name, how.path, how)
        if arm.recipe == "raft":
            settings = dataset.RaftStage(how, config.prompt, self._window, config.seed)
            sources = retrieval.parts(how.distractors, how.mixed)
            return self._dataset(recipe, dataset.raft, settings, self._searched(inputs, sources))
        closed = dataset.ClosedBookStage(
            config.prompt, how.prompt_mode, how.max_items, how.allow_overlap, self._window, config.seed, how.workers
        )
        return self._dataset(recipe, dataset.closed_book, closed, inputs)

    def _ready(self, recipe: str, name: str, path: str, how: DatasetConfig) -> Stage:
        if not Path(path).is_file():
            raise ConfigError(f"dataset.path={path!r} (arm {name}): no such file; name a file with one chat a line")
        settings = ready.ReadyStage(path, how.max_items, how.allow_overlap, self._window, self._config.seed)
        files = {f"chat/{file}": digest for file, digest in self._fingerprint([Path(path)]).items()}
        return Stage(
            "dataset", f"dataset[{recipe}]", ready.ready, ready.VERSION, settings, {"questions": self.questions},
            files | self._model_files,
        )  # fmt: skip

    def export(self, recipes: Recipes, datasets: Mapping[str, Stage], tests: Mapping[str, Stage]) -> list[Stage]:
        how = self._config.export
        check_file(self._config)
        if self._config.until == "ingest":  # there is nothing but passages yet
            alone = export.ExportStage([], True, how.format, {}, None)
            reads: Inputs = {"passages": self.passages}
            return [Stage("export", "export", export.export, export.VERSION, alone, reads)] if how.passages else []
        wanted = exports(self._config, recipes, tests)
        inputs: Inputs = {
            "datasets": datasets, "tests": tests, "questions": self.questions, "passages": self.passages
        }  # fmt: skip
        return [Stage("export", "export", export.export, export.VERSION, wanted, inputs)] if wanted else []

    def test(self, label: str, asked: EvaluationConfig) -> Stage:
        how, config = self._config.dataset, self._config
        retriever = type(config.retriever)(config.retriever.name, asked.k or config.retriever.k)
        settings = dataset.TestStage(
            split=asked.split, context=asked.context, num_distractors=asked.num_distractors,
            distractors=asked.distractors, mixed=asked.mixed, same_document=asked.same_document,
            allow_fewer=asked.allow_fewer, retriever=retriever, gold_at=asked.gold_at,
            without_gold=asked.without_gold, max_items=asked.max_items,
            prompt=config.prompt, prompt_mode=how.prompt_mode, window=self._window, seed=config.seed,
            workers=how.workers,
        )  # fmt: skip
        inputs = {"passages": self.passages, "questions": self.questions}
        sources = {
            "gold_and_distractors": retrieval.parts(asked.distractors, asked.mixed),
            "retrieved": {str(retriever.name)},
            "given": set[str](),
        }[asked.context]
        return self._dataset(label, dataset.test_set, settings, self._searched(inputs, sources))

    def _searched(self, inputs: Mapping[str, Stage], sources: Iterable[str]) -> Inputs:
        """The inputs of a dataset, with the index where one of its sources is bm25, the vectors where one is dense."""
        if "bm25" in sources:
            inputs = {**inputs, "indexed": self.indexed}
        if "dense" not in sources:
            return inputs
        if not self.embedded:
            self.embedded = {
                "passages": self._embed("embed", embed.embed_passages, {"passages": self.passages}),
                "questions": self._embed("embed[questions]", embed.embed_questions, {"questions": self.questions}),
            }
        return {**inputs, "embedded": self.embedded}

    def _embed(self, label: str, function: Callable[..., None], inputs: Inputs) -> Stage:
        config = self._config.encoder
        return Stage(
            "embed", label, function, embed.VERSION, embed.EmbedStage(config), inputs,
            self._fingerprint(encoder.files(config)), resumable=True,
            process=None if config.accelerator == "cpu" else "embed",
        )  # fmt: skip

    def _dataset(self, label: str, function: Callable[..., None], settings: object, inputs: Inputs) -> Stage:
        return Stage(
            "dataset", f"dataset[{label}]", function, dataset.VERSION, settings, inputs, self._model_files
        )  # fmt: skip

    def train(self, recipe: str, rows: Stage) -> Stage:
        config = self._config
        settings = train.TrainStage(config.model, config.lora, config.trainer, config.seed)
        label = f"train[{recipe}]"  # one process each: Lightning starts DDP ranks with the arguments of their process
        return Stage(
            "train", label, train.train, train.VERSION, settings, {"dataset": rows}, self._model_files,
            resumable=True, process=label if _holds_device(config) or config.trainer.launcher else None,
            launcher=shlex.split(config.trainer.launcher or ""),
        )  # fmt: skip

    def evaluate(self, name: str, arm: ArmConfig, test: Stage, adapter: Stage | None) -> Stage:
        config, engine = self._config, arm.engine or self._config.engine
        served = engine.name == "openai"  # the study's model takes no part
        settings = evaluate.EvaluateStage(
            model=None if served else config.model, engine=engine, prompt=config.prompt,
            prompt_mode=config.dataset.prompt_mode, context=arm.context, cot=arm.cot, adapter=arm.adapter,
        )  # fmt: skip
        ready = self._fingerprint(_adapter_files(name, arm))
        files = {f"adapter/{file}": digest for file, digest in ready.items()} | ({} if served else self._model_files)
        inputs = {"test": test} | ({"adapter": adapter} if adapter else {})
        weights = adapter.key if adapter else arm.adapter
        return Stage(
            "evaluate", f"evaluate[{name}]", evaluate.evaluate, evaluate.VERSION, settings, inputs, files,
            resumable=True, process=_answering_process(config, engine, weights),
        )  # fmt: skip

    def report(
        self,
        test: Stage,
        conditions: Mapping[str, Stage],
        answers: Mapping[str, Stage],
        datasets: Mapping[str, Stage],
        adapters: Mapping[str, Stage],
    ) -> Stage:
        config, settings = self._config, report_settings(self._config)
        asks = settings.encoder is not None
        inputs: Inputs = {
            "test": test, "conditions": conditions, "answers": answers, "datasets": datasets, "adapters": adapters,
            "passages": self.passages, "questions": self.questions,
        }  # fmt: skip
        if is_model(config.teacher) and any("targets" in made.inputs for made in datasets.values()):
            inputs = {**inputs, "targets": self.targets}  # how many replies could not be used
        return Stage(
            "report", "report", report.report, report.VERSION, settings, inputs,
            self._fingerprint(encoder.files(config.encoder)) if asks else {},
            process="report" if asks and config.encoder.accelerator != "cpu" else None,
        )  # fmt: skip


def report_settings(config: Config) -> report.ReportStage:
    """What the report says of a study; also for a report that is made again from a run folder."""
    asks = metrics.profile(config.corpus.name, config.evaluation.metrics).needs_vectors
    return report.ReportStage(
        study=config.study, note=config.note, corpus=config.corpus.name, model=config.model.name_or_path,
        seed=config.seed, metrics=config.evaluation.metrics, encoder=config.encoder if asks else None,
        reply_format=config.prompt.reply_format, refusal=config.prompt.refusal,
        conditions=config.evaluation.conditions,
        arms={name: identity(config.arms[name]) for name in config.evaluation.arms}, settings=_shown(config),
    )  # fmt: skip


def _recipe(name: str, arm: ArmConfig) -> str:
    """Arms of one recipe share an adapter; an arm that changes the dataset has its own, under its own name.

    `config.parse` refuses such an arm the name of a recipe.
    """
    return name if arm.dataset else arm.recipe


def _needed(last: Iterable[Stage]) -> set[str]:
    keys, waiting = set(), list(last)
    while waiting:
        stage = waiting.pop()
        keys.add(stage.key)
        waiting.extend(stage.upstream())
    return keys


def _answering_process(config: Config, engine: EngineConfig, adapter: str | None) -> str | None:
    """Arms that one loaded engine answers share a process; vLLM's memory is surely free again when its process ends."""
    if engine.name == "openai":
        return None
    if engine.name == "vllm":
        return f"evaluate with {engine}" + (f" and {adapter}" if adapter and engine.adapters == "merged" else "")
    return "evaluate" if _holds_device(config) else None


def _teaching_process(teacher: TeacherConfig) -> str | None:
    """A teacher that holds a GPU has a process of its own, which both of its stages share where they follow at once."""
    if not is_local(teacher) or (teacher.engine.name == "transformers" and teacher.engine.accelerator == "cpu"):
        return None
    return f"teacher {teacher.model} with {teacher.engine}"


def _together(stages: Iterable[Stage]) -> list[Stage]:
    """The stages of one process one after another, so that it starts once."""
    groups: dict[str | None, list[Stage]] = {}
    for stage in stages:
        groups.setdefault(stage.process, []).append(stage)
    return [stage for group in groups.values() for stage in group]


def _holds_device(config: Config) -> bool:
    return config.trainer.accelerator != "cpu" or config.trainer.devices != 1


def _adapter_files(name: str, arm: ArmConfig) -> list[Path]:
    if arm.adapter is None:
        return []
    folder = Path(arm.adapter)
    files = [folder / "adapter_config.json", folder / "adapter_model.safetensors"]
    if missing := [file for file in files if not file.is_file()]:
        raise ConfigError(
            f"arms.{name}.adapter: got {arm.adapter!r}; {missing[0]} is missing; name a PEFT adapter folder"
        )
    return files


def _shown(config: Config) -> dict[str, object]:
    groups = ("corpus", "teacher", "dataset", "model", "lora", "trainer", "evaluation")
    shown = {name: identity(getattr(config, name)) for name in groups}
    if is_model(config.teacher):
        shown["teacher"] = teacher_shown(config.teacher)
    if config.dataset.path:  # p, D and the like say nothing about a file that is ready
        shown["dataset"] = {"path": Path(config.dataset.path).name, "cot": config.dataset.cot}
    return shown
