"""Writes the model card of an exported model: README.md with the metadata header of the Hugging Face hub."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import yaml

from raft_exp.apps.export import renderer
from raft_exp.apps.export.drift import Drift
from raft_exp.assets import ASSET
from raft_exp.core.hub import why_no_hub
from raft_exp.core.records import ContextPassage
from raft_exp.corpora import origin
from raft_exp.dataset import distractor_count
from raft_exp.dataset.config import DatasetConfig
from raft_exp.evaluation.asking import ArmPrompts
from raft_exp.evaluation.results import Figure
from raft_exp.models.loading import resolve, tokenizer_of
from raft_exp.models.tokens import chat_text
from raft_exp.pipeline.arm_settings import arm_dataset, arm_lora, resolved_trainer
from raft_exp.pipeline.config import ArmConfig, Config
from raft_exp.pipeline.manifest import Manifest
from raft_exp.pipeline.run import FinishedRun

_TEMPLATE = Path(__file__).with_name("card.md.jinja")
_PLACES = "replace TITLE, PLACE, TEXT and QUESTION; passages in the retriever's order, best first"
_PLACEHOLDERS = [ContextPassage(str(n), str(n), f"TITLE {n}", f"TEXT {n}", False, f"PLACE {n}") for n in (1, 2)]


@dataclass(frozen=True)
class About:
    """The facts of a model card that come from the export and not from the run."""

    form: str  # merged | adapter
    dtype: str
    drift: Drift | None
    chat_template: bool
    licence: str | None  # of the base model, if the user names it


class _ResultsPart(TypedDict):
    arms: list[str]
    metrics: list[list[str]]
    conditions: list[tuple[str, str]]
    headline: str
    verdict: str
    warnings: list[str]
    measured_on: str


def card(run: FinishedRun, name: str, about: About) -> str:
    """Returns the text of README.md for the exported arm `name`."""
    from jinja2 import Environment, StrictUndefined

    config, arm = run.config, run.config.arms[name]
    licence = about.licence or base_licence(config)
    front = yaml.safe_dump(_front(config, about, licence), sort_keys=False, allow_unicode=True)
    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True).from_string(
        _TEMPLATE.read_text(encoding="utf-8")
    )
    text = template.render(
        **_of_study(config, name, arm),
        **_of_results(run, name),
        **_of_prompt(run, name, about),
        kind="A fine-tuned version" if about.form == "merged" else "A LoRA adapter",
        data=_data(run, name, arm),
        usage=_usage(config, about, arm),
        drift=str(about.drift) if about.drift else "",
        dtype=about.dtype,
        prompts=about.drift.prompts if about.drift else 0,
        base_licence=licence,
    )
    return f"---\n{front}---\n\n{text}"


def base_licence(config: Config) -> str:
    """Returns the licence from the base model's own card, in its folder or on the hub; "" if it is not stated."""
    if config.model.name_or_path.startswith(ASSET):
        return "apache-2.0"
    folder = Path(resolve(config.model.name_or_path))
    if (folder / "README.md").is_file():
        matter = re.match(r"---\n(.*?)\n---\n", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)
        values = yaml.safe_load(matter[1]) if matter else None
        return str(values.get("license") or "") if isinstance(values, dict) else ""
    if folder.is_dir() or why_no_hub():
        return ""
    from huggingface_hub import HfApi

    try:
        card_data = HfApi().model_info(config.model.name_or_path, revision=config.model.revision).card_data
    except Exception:  # the licence is optional
        return ""
    return str(getattr(card_data, "license", None) or "")


def _front(config: Config, about: About, licence: str) -> dict[str, str | list[str]]:
    base = config.model.name_or_path
    on_hub = not base.startswith(ASSET) and not Path(resolve(base)).is_dir()
    return {
        **({"base_model": base} if on_hub else {}),
        "library_name": "transformers" if about.form == "merged" else "peft",
        **({"license": licence} if licence else {}),
        "pipeline_tag": "text-generation",
        "tags": ["raft", "rag"],
    }


def _of_study(config: Config, name: str, arm: ArmConfig) -> dict[str, object]:
    published = origin(config.corpus)
    trained = {
        "none": "not trained" if not arm.adapter else "with a ready adapter",
        "closed_book": "trained on questions and answers, without passages",
        "raft": "trained on questions among passages",
    }[arm.recipe]
    return {
        "title": f"{config.study}: {name}",
        "study": config.study,
        "note": config.note,
        "arm": name,
        "base": renderer.base_name(config),
        "quantize": config.model.quantize,
        "revision": config.model.revision,
        "trained_on": trained,
        "shown": {
            "none": "the question alone",
            "passages": "the question and passages",
            "gold": "the question and its gold passages",
        }[arm.context],
        "source": published.source,
        "data_licence": published.licence,
        "prompt_mode": config.dataset.prompt_mode,
        "max_length": config.model.max_length,
        "max_new_tokens": config.model.max_new_tokens,
    }


def _data(run: FinishedRun, name: str, arm: ArmConfig) -> list[tuple[str, str]]:
    config = run.config
    about: list[tuple[str, str]] = [("corpus", config.corpus.name)]
    if arm.recipe == "none":
        return [*about, ("training", "none in this study")]
    training = run.training(name)
    counts = _counts(run.path(run.training_set(name)))
    about.append(("teacher", config.teacher.name))
    about.append(
        ("training and validation rows", f"{counts.get('rows', 0):,}, {counts.get('with_gold', 0):,} with gold")
    )
    if arm.recipe == "raft":
        dataset = arm_dataset(config, name, arm)
        about += [
            *_contexts(dataset, config),
            ("targets", "reasoning that quotes the passages, then the answer" if dataset.cot else "the answer alone"),
        ]
    lora, trainer = arm_lora(config, name), resolved_trainer(config, name)
    method = ("Q" if config.model.quantize else "") + ("DoRA" if lora.dora else "LoRA")
    weights = f"{method} r={lora.r}, alpha={lora.alpha}" if lora.r else "all weights"
    steps = _counts(run.path(training)).get("steps", "?")
    return [
        *about,
        ("prompt mode", config.dataset.prompt_mode),
        (
            "training",
            f"{weights}, {steps} steps of {trainer.batch_size} rows, learning rate "
            f"{run.learning_rate(name):g}, seed {config.seed}",
        ),
    ]


def _contexts(dataset: DatasetConfig, config: Config) -> list[tuple[str, str]]:
    """Returns the settings that decide the contexts of the training rows, and the targets of rows without gold."""
    if dataset.context == "retrieved":
        context = f"the first {dataset.k or config.retriever.k} passages of {config.retriever.name}"
        return [("contexts", context), ("rows without gold", dataset.no_gold_target)]
    if dataset.context == "given":
        return [("contexts", "those published with the questions"), ("rows without gold", dataset.no_gold_target)]
    return [
        ("p (share of rows whose context holds the gold passages)", f"{dataset.p:g}"),
        ("D (distractors)", f"{distractor_count.shown(dataset.num_distractors)}, {dataset.distractors}"),
        ("rows without gold", f"{dataset.no_gold_target}, constant_size={str(dataset.constant_size).lower()}"),
    ]


def _of_results(run: FinishedRun, name: str) -> _ResultsPart:
    results, config = run.results, run.config
    arms = [name, *(other for other in results["arms"] if other != name)]
    figures = {arm: results["arms"][arm]["metrics"] for arm in arms}
    headline = results["metrics"][0]
    rows = [[metric, *(_figure(figures[arm].get(metric)) for arm in arms)] for metric in results["metrics"]]
    evaluation = config.evaluation
    conditions = [
        (condition, _figure(measured[name]["metrics"].get(headline)))
        for condition, measured in results["conditions"].items()
        if name in measured
    ]
    return {
        "arms": arms,
        "metrics": rows,
        "conditions": conditions,
        "headline": headline,
        "verdict": results.get("verdict", "") if results.get("reference") == name else "",
        "warnings": results.get("warnings", []),
        "measured_on": f"On {results['arms'][name]['n']:,} questions ({evaluation.split}), "
        f"contexts: {evaluation.context}"
        + (f" with {evaluation.num_distractors} distractors" * (evaluation.context == "gold_and_distractors"))
        + "; percent, with 95% intervals.",
    }


def _of_prompt(run: FinishedRun, name: str, about: About) -> dict[str, str]:
    config, arm = run.config, run.config.arms[name]
    context = _PLACEHOLDERS if arm.shows_passages else None
    asked = ArmPrompts(run.prompt(name), config.dataset.prompt_mode, arm.cot, config.model, run.examples(name))
    chat, _ = asked("QUESTION", context)
    tokenizer = tokenizer_of(config.model)
    by_template = "The tokenizer's chat template makes this text from the messages `system` and `user`."
    by_hand = "The tokenizer's chat template alone does not make this text: make prompts with raft_exp."
    return {
        "example": chat_text(tokenizer, chat).rstrip("\n"),
        "placeholders": _PLACES,
        "template": by_template if about.chat_template else by_hand,
    }


def _usage(config: Config, about: About, arm: ArmConfig) -> str:
    ask = '`python -m raft_exp.ask RUN model=THIS_FOLDER "question"` retrieves passages, answers and shows citations.'
    if about.form == "adapter":
        quantized = f", quantised to {config.model.quantize} with double quantisation" if config.model.quantize else ""
        return f"An adapter for PEFT, on the base model{quantized}. {ask}"
    served = "`vllm serve THIS_FOLDER` and `transformers` load it as it is; retrieval is then up to you."
    return f"{ask} {served}" if arm.shows_passages else served


def _figure(figure: Figure | None) -> str:
    if not figure:
        return "-"
    return f"{100 * figure['value']:.1f} ({100 * figure['low']:.1f} to {100 * figure['high']:.1f})"


def _counts(folder: Path) -> dict[str, float]:
    manifest: Manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return manifest["counts"]
