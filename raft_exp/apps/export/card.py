"""The model card: README.md with the front matter that the hub reads."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from raft_exp import prompts
from raft_exp.apps.export import renderer
from raft_exp.apps.export.drift import Drift
from raft_exp.core.hub import why_no_hub
from raft_exp.core.records import ContextPassage
from raft_exp.corpora import origin
from raft_exp.evaluation.results import Figure
from raft_exp.models import loading as models
from raft_exp.models.tokens import chat_text
from raft_exp.pipeline.config import ArmConfig, Config, arm_dataset
from raft_exp.pipeline.run import FinishedRun

_TEMPLATE = Path(__file__).with_name("card.md.jinja")
_PLACES = "TITLE, PLACE, TEXT and QUESTION stand for yours; passages in the retriever's order, best first"
_PLACEHOLDERS = [ContextPassage(str(n), str(n), f"TITLE {n}", f"TEXT {n}", False, f"PLACE {n}") for n in (1, 2)]


@dataclass(frozen=True)
class About:
    """What the card says beside what the run knows."""

    form: str  # merged | adapter
    dtype: str
    drift: Drift | None
    chat_template: bool
    licence: str | None  # of the base model, as the user says


def card(run: FinishedRun, name: str, about: About) -> str:
    """README.md of an exported arm."""
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
        **_of_prompt(config, arm, about),
        kind="A fine-tuned version" if about.form == "merged" else "A LoRA adapter",
        data=_data(run, name, arm),
        usage=_usage(about, arm),
        drift=str(about.drift) if about.drift else "",
        dtype=about.dtype,
        prompts=about.drift.prompts if about.drift else 0,
        base_licence=licence,
    )
    return f"---\n{front}---\n\n{text}"


def base_licence(config: Config) -> str:
    """The base model's licence by its own card: of a folder, or of the hub where it answers; "" where nobody says."""
    if config.model.name_or_path.startswith(models.ASSET):
        return "apache-2.0"
    folder = Path(models.resolve(config.model.name_or_path))
    if (folder / "README.md").is_file():
        found = re.match(r"---\n(.*?)\n---\n", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)
        told = yaml.safe_load(found[1]) if found else None
        return str(told.get("license") or "") if isinstance(told, dict) else ""
    if folder.is_dir() or why_no_hub():
        return ""
    from huggingface_hub import HfApi

    try:
        card_data = HfApi().model_info(config.model.name_or_path, revision=config.model.revision).card_data
    except Exception:  # the card only says less
        return ""
    return str(getattr(card_data, "license", None) or "")


def _front(config: Config, about: About, licence: str) -> dict[str, Any]:
    base = config.model.name_or_path
    on_hub = not base.startswith(models.ASSET) and not Path(models.resolve(base)).is_dir()
    return {
        **({"base_model": base} if on_hub else {}),
        "library_name": "transformers" if about.form == "merged" else "peft",
        **({"license": licence} if licence else {}),
        "pipeline_tag": "text-generation",
        "tags": ["raft", "rag"],
    }


def _of_study(config: Config, name: str, arm: ArmConfig) -> dict[str, Any]:
    found = origin(config.corpus)
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
        "revision": config.model.revision,
        "trained_on": trained,
        "shown": "the question and passages" if arm.context == "passages" else "the question alone",
        "source": found.source,
        "data_licence": found.licence,
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
    counts = _counts(run.path(training.replace("train[", "dataset[")))
    about.append(("teacher", config.teacher.name))
    about.append(
        ("training and validation rows", f"{counts.get('rows', 0):,}, {counts.get('with_gold', 0):,} with gold")
    )
    if arm.recipe == "raft":
        how = arm_dataset(config, name, arm)
        about += [
            ("p (share of rows whose context holds the gold passages)", f"{how.p:g}"),
            ("D (distractors)", f"{how.num_distractors}, {how.distractors}"),
            ("targets", "reasoning that quotes the passages, then the answer" if how.cot else "the answer alone"),
            ("rows without gold", f"{how.no_gold_target}, constant_size={str(how.constant_size).lower()}"),
        ]
    lora, trainer = config.lora, config.trainer
    how_trained = f"LoRA r={lora.r}, alpha={lora.alpha}" if lora.r else "all weights"
    steps = _counts(run.path(training)).get("steps", "?")
    return [
        *about,
        ("prompt mode", config.dataset.prompt_mode),
        (
            "training",
            f"{how_trained}, {steps} steps of {trainer.batch_size} rows, learning rate "
            f"{trainer.learning_rate:g}, seed {config.seed}",
        ),
    ]


def _of_results(run: FinishedRun, name: str) -> dict[str, Any]:
    results, config = run.results, run.config
    arms = [name, *(other for other in results["arms"] if other != name)]
    shown = {one: results["arms"][one]["metrics"] for one in arms}
    headline = results["metrics"][0]
    rows = [[metric, *(_figure(shown[one].get(metric)) for one in arms)] for metric in results["metrics"]]
    asked = config.evaluation
    found = results.get("conditions", {})
    conditions = [
        (condition, _figure(measured[name]["metrics"].get(headline)))
        for condition, measured in found.items()
        if name in measured
    ]
    return {
        "arms": arms,
        "metrics": rows,
        "conditions": conditions,
        "headline": headline,
        "verdict": results.get("verdict", "") if results.get("reference") == name else "",
        "measured_on": f"On {results['arms'][name]['n']:,} questions ({asked.split}), contexts: {asked.context}"
        + (f" with {asked.num_distractors} distractors" * (asked.context == "gold_and_distractors"))
        + "; percent, with 95% intervals.",
    }


def _of_prompt(config: Config, arm: ArmConfig, about: About) -> dict[str, Any]:
    context = _PLACEHOLDERS if arm.context == "passages" else None
    chat = prompts.messages(config.prompt, config.dataset.prompt_mode, "QUESTION", context, arm.cot)
    tokenizer = models.load_tokenizer(config.model.name_or_path, config.model.revision)
    by_template = "The tokenizer's chat template makes this text from the messages `system` and `user`."
    by_hand = "The tokenizer's chat template alone does not make this text: let raft_exp make the prompts."
    return {
        "example": chat_text(tokenizer, chat).rstrip("\n"),
        "placeholders": _PLACES,
        "template": by_template if about.chat_template else by_hand,
    }


def _usage(about: About, arm: ArmConfig) -> str:
    asked = '`python -m raft_exp.ask RUN model=THIS_FOLDER "question"` retrieves, asks and shows what is cited.'
    if about.form == "adapter":
        return f"An adapter for PEFT, on the base model. {asked}"
    served = "`vllm serve THIS_FOLDER` and `transformers` load it as it is; there, bring the passages yourself."
    return f"{asked} {served}" if arm.context == "passages" else served


def _figure(figure: Figure | None) -> str:
    if not figure:
        return "-"
    return f"{100 * figure['value']:.1f} ({100 * figure['low']:.1f} to {100 * figure['high']:.1f})"


def _counts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["counts"]
    return found
