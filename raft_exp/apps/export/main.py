"""`python -m raft_exp.export RUN out=DIR`: a study's model as a folder for other tools."""

import dataclasses
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from raft_exp.apps.arguments import Command, one_line_errors
from raft_exp.apps.export.drift import Drift, DriftSample
from raft_exp.core.errors import ConfigError, DataError, ModelError
from raft_exp.core.schema import Positive, config_dataclass
from raft_exp.exports import hub
from raft_exp.models.loading import ModelConfig
from raft_exp.models.trained_weights import TrainedWeights
from raft_exp.pipeline.run import FinishedRun


@config_dataclass
class ExportModel:
    """What is written, and where."""

    out: str = Field(title="DIR", description="the folder to write; it must not exist")
    arm: str | None = Field(
        default=None, title="NAME", description="the arm to export (default: the study's reference arm, raft)"
    )
    form: Literal["merged", "adapter"] = Field(
        default="merged", description="one model with the adapter merged in, or the LoRA weights alone"
    )
    dtype: Literal["float32", "bfloat16", "float16"] | None = Field(
        default=None, description="of the merged weights (default: model.dtype of the study)"
    )
    tolerance: Annotated[float, Field(gt=0)] = Field(
        default=0.05, description="the most that merging and casting may move the logits, relative"
    )
    prompts: Positive = Field(default=16, description="test prompts that the drift is measured on")
    licence: str | None = Field(
        default=None, title="ID", description="the base model's licence, for the card (default: as its own card says)"
    )
    push_to_hub: str | None = Field(
        default=None, title="OWNER/NAME", description="the repository of the hub to push to (default: none)"
    )
    private: bool = Field(default=True, description="whether a repository that the push makes is private")
    store: str | None = Field(
        default=None,
        title="PATH",
        description="where the store stands, if it was moved (default: where the run left it)",
    )

    @model_validator(mode="after")
    def _a_repository_has_an_owner(self) -> "ExportModel":
        if self.push_to_hub is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", self.push_to_hub, re.ASCII):
            raise ValueError(f"push_to_hub: got {self.push_to_hub!r}; must be OWNER/NAME")
        if self.form == "adapter" and self.dtype is not None:
            raise ValueError(f"dtype: got {self.dtype!r}; an adapter is written as it was trained; leave dtype out")
        return self


_COMMAND = Command(
    form="python -m raft_exp.export RUN out=DIR [name=value ...]",
    about="""Writes the model of a finished run as a folder for other tools, with tokenizer and model card.
The folder is written whole or not at all.""",
    words={"RUN": "the folder of a finished run"},
    settings=ExportModel,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    with one_line_errors():
        (run,), how = _COMMAND.read(arguments)
        folder = Path(how.out)
        drift = export(FinishedRun(Path(run), how.store), how)
        if drift:
            print(f"drift of {drift.prompts} test prompts: {drift}")
        print(f"exported: {folder}")
        if how.push_to_hub:
            commit = hub.push(folder, how.push_to_hub, how.private, "model")
            print(f"pushed: {how.push_to_hub} ({commit})")


def export(run: FinishedRun, how: ExportModel) -> Drift | None:
    """Writes the folder `how.out`, whole or not at all; returns the drift of merged weights."""
    out = Path(how.out)
    if out.exists():
        raise ConfigError(f"out: got {how.out!r}, which is there already; remove it, or name another folder")
    beside = out.absolute().with_name(f".{out.absolute().name}.new")
    shutil.rmtree(beside, ignore_errors=True)  # of an export that was killed
    try:
        beside.mkdir(parents=True)
        drift = _write(run, how, beside)
        _readable(beside)
        beside.rename(out)
    except OSError as error:
        raise DataError(f"out={how.out}: {error.strerror or error}; name a folder that can be written") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return drift


def _write(run: FinishedRun, how: ExportModel, folder: Path) -> Drift | None:
    from raft_exp.apps.export import card, drift, renderer, tokenizer
    from raft_exp.models import loading as models

    name, arm = run.arm(how.arm)
    weights, config = run.weights(name), run.config.model
    adapter = weights.adapter if weights else None
    if how.form == "adapter" and adapter is None:
        raise ConfigError(f"form: got 'adapter', but the arm {name} has none; export it with form=merged")
    texts = drift.asked(run, name, models.load_tokenizer(config.name_or_path, config.revision), how.prompts)
    dtype = how.dtype or config.dtype
    if how.form == "adapter":
        assert adapter is not None, "checked above"
        for file in ("adapter_config.json", "adapter_model.safetensors"):
            shutil.copyfile(adapter / file, folder / file)
    else:
        before = _merge(dataclasses.replace(config, dtype=dtype), weights, texts, folder)
    templated = tokenizer.save(config, texts, folder)
    if not tokenizer.unchanged(folder, texts):
        raise ModelError(
            f"model.name_or_path={config.name_or_path!r}: its tokenizer reads prompts in another way once "
            "it was saved; use form=adapter, with the base model's own tokenizer"
        )
    drifted = None if how.form == "adapter" else _measure(config, dtype, folder, texts, before, how.tolerance)
    about = card.About(how.form, dtype, drifted, templated, how.licence)
    renderer.write(folder, renderer.of(run.config, name, arm, dtype, templated))
    (folder / "README.md").write_text(card.card(run, name, about), encoding="utf-8", newline="\n")
    return drifted


def _readable(folder: Path) -> None:
    """With the rights that other new files have here: weights come with the owner's alone."""
    probe = folder / ".probe"
    probe.touch()
    mode = probe.stat().st_mode
    probe.unlink()
    for file in folder.iterdir():
        file.chmod(mode)


def _merge(
    config: ModelConfig, weights: TrainedWeights | None, texts: Sequence[DriftSample], folder: Path
) -> list[Any]:
    """Writes the merged weights; returns the logits of base model and adapter, in float32."""
    from transformers import GenerationConfig

    from raft_exp.apps.export import drift
    from raft_exp.engines.replies import stop_tokens
    from raft_exp.models import loading as models
    from raft_exp.models import merge as merging

    exact = dataclasses.replace(config, dtype="float32")
    model = weights.load(exact) if weights else models.load(exact)
    before = drift.logits(model, texts)
    stops = stop_tokens(model.generation_config, models.load_tokenizer(config.name_or_path, config.revision))
    merged = merging.merged(model, config.dtype)
    merged.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=config.max_new_tokens,
        eos_token_id=stops,
        pad_token_id=stops[0],
        bos_token_id=merged.config.get_text_config().bos_token_id,
    )
    with models.quiet():
        merged.save_pretrained(str(folder))
    return before


def _measure(
    config: ModelConfig, dtype: Any, folder: Path, texts: Sequence[DriftSample], before: list[Any], tolerance: float
) -> Drift:
    """Compares what is on disk with what was merged. Raises ModelError above the tolerance."""
    from raft_exp.apps.export import drift
    from raft_exp.models import loading as models

    loaded = models.load(dataclasses.replace(config, name_or_path=str(folder), revision=None, dtype=dtype))
    found = drift.compare(before, drift.logits(loaded, texts))
    if not found.relative <= tolerance:
        raise ModelError(
            f"merged and cast to {dtype}, the logits drift by {found}; that is above tolerance={tolerance:g}: nothing "
            "was written; use dtype=float32, form=adapter, or a larger tolerance"
        )
    return found
