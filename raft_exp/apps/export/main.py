"""`python -m raft_exp.export RUN out=DIR`: writes a study's model as a folder for other tools."""

import dataclasses
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from raft_exp.apps.arguments import Command, one_line_errors
from raft_exp.apps.export.drift import Drift, DriftSample
from raft_exp.core.errors import ConfigError, DataError, ModelError
from raft_exp.core.schema import Positive, config_dataclass
from raft_exp.core.screen import say
from raft_exp.exports import hub
from raft_exp.models.dtype import Dtype
from raft_exp.models.loading import ModelConfig
from raft_exp.models.trained_weights import TrainedWeights
from raft_exp.pipeline.run import FinishedRun

if TYPE_CHECKING:
    from torch import Tensor


@config_dataclass
class ExportModel:
    """The settings of `export`."""

    out: str = Field(title="DIR", description="the folder to write; it must not exist")
    arm: str | None = Field(
        default=None, title="NAME", description="the arm to export (default: the study's reference arm, often raft)"
    )
    form: Literal["merged", "adapter"] = Field(
        default="merged", description="a model with the adapter merged into it, or the LoRA weights alone"
    )
    dtype: Dtype | None = Field(
        default=None, description="data type of the merged weights (default: model.dtype of the study)"
    )
    tolerance: Annotated[float, Field(gt=0)] = Field(
        default=0.05, description="largest allowed relative change of the logits by merging and casting"
    )
    prompts: Positive = Field(
        default=16, description="number of test prompts on which the change of the logits is measured"
    )
    licence: str | None = Field(
        default=None,
        title="ID",
        description="licence of the base model, for the model card (default: from the base model's card)",
    )
    push_to_hub: str | None = Field(
        default=None, title="OWNER/NAME", description="the repository of the hub to push to (default: none)"
    )
    private: bool = Field(default=True, description="whether a new repository on the hub is private")
    store: str | None = Field(
        default=None,
        title="PATH",
        description="the folder of the store, if it was moved after the run (default: as in the run)",
    )

    @model_validator(mode="after")
    def _a_repository_has_an_owner(self) -> "ExportModel":
        if self.push_to_hub is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", self.push_to_hub, re.ASCII):
            raise ValueError(f"push_to_hub: got {self.push_to_hub!r}; must be OWNER/NAME")
        if self.form == "adapter" and self.dtype is not None:
            raise ValueError(f"dtype: got {self.dtype!r}, but an adapter keeps its trained data type; remove dtype")
        return self


_COMMAND = Command(
    form="python -m raft_exp.export RUN out=DIR [name=value ...]",
    about="""Writes the model of a finished run as a folder for other tools, with tokenizer and model card.
If the export fails, no folder is left behind.""",
    words={"RUN": "the folder of a finished run"},
    settings=ExportModel,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line. `arguments`: default sys.argv[1:]."""
    with one_line_errors():
        (run,), chosen = _COMMAND.read(arguments)
        folder = Path(chosen.out)
        drift = export(FinishedRun(Path(run), chosen.store), chosen)
        if drift:
            print(f"drift of the logits on {drift.prompts} test prompts: {drift}")
        say(f"exported: {folder}")
        if chosen.push_to_hub:
            commit = hub.push(folder, chosen.push_to_hub, chosen.private, "model")
            say(f"pushed: {chosen.push_to_hub} ({commit})")


def export(run: FinishedRun, chosen: ExportModel) -> Drift | None:
    """Writes the folder `chosen.out`. Returns the drift of merged weights, None for an adapter.

    After an error the folder does not exist. Raises ConfigError if the folder exists already, or if the arm has no
    adapter for form=adapter. Raises DataError if the folder cannot be written. Raises ModelError if the drift is above
    `chosen.tolerance`, or if the saved tokenizer encodes prompts differently.
    """
    out = Path(chosen.out)
    if out.exists():
        raise ConfigError(f"out: got {chosen.out!r}, which already exists; remove it, or name another folder")
    partial = out.absolute().with_name(f".{out.absolute().name}.new")
    shutil.rmtree(partial, ignore_errors=True)  # left behind by a killed export
    try:
        partial.mkdir(parents=True)
        drift = _write(run, chosen, partial)
        _set_usual_mode(partial)
        partial.rename(out)
    except OSError as error:
        raise DataError(f"out={chosen.out}: {error.strerror or error}; name a folder that can be written") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return drift


def _write(run: FinishedRun, chosen: ExportModel, folder: Path) -> Drift | None:
    from raft_exp.apps.export import card, drift, renderer, tokenizer
    from raft_exp.models.loading import tokenizer_of

    name, _ = run.arm(chosen.arm)
    weights, config = run.weights(name), run.config.model
    adapter = weights.adapter if weights else None
    if chosen.form == "adapter" and adapter is None:
        raise ConfigError(f"form: got 'adapter', but the arm {name} has no adapter; use form=merged")
    samples = drift.samples_of(run, name, tokenizer_of(config), chosen.prompts)
    dtype = chosen.dtype or config.dtype
    if chosen.form == "adapter":
        assert adapter is not None, "checked above"
        for file in ("adapter_config.json", "adapter_model.safetensors"):
            shutil.copyfile(adapter / file, folder / file)
    else:
        before = _merge(config, dtype, weights, samples, folder)
    templated = tokenizer.save(config, samples, folder)
    if not tokenizer.unchanged(folder, samples):
        raise ModelError(
            f"model.name_or_path={config.name_or_path!r}: its tokenizer encodes prompts differently after saving, so "
            f"the arm {name} cannot be exported; {_instead(run, adapter)}"
        )
    drifted = None if chosen.form == "adapter" else _measure(config, dtype, folder, samples, before, chosen.tolerance)
    about = card.About(chosen.form, dtype, drifted, templated, chosen.licence)
    renderer.write(folder, renderer.of(run, name, dtype, templated))
    (folder / "README.md").write_text(card.card(run, name, about), encoding="utf-8", newline="\n")
    return drifted


def _instead(run: FinishedRun, adapter: Path | None) -> str:
    if adapter is None:
        return "choose a model with another tokenizer"
    return f"use the base model with its own tokenizer and the adapter in {run.folder / 'adapters'}"


def _set_usual_mode(folder: Path) -> None:
    """Gives all files the permissions of a new file. Files that safetensors writes are readable only by their owner."""
    probe = folder / ".probe"
    probe.touch()
    mode = probe.stat().st_mode
    probe.unlink()
    for file in folder.iterdir():
        file.chmod(mode)


def _merge(
    config: ModelConfig, dtype: Dtype, weights: TrainedWeights | None, samples: Sequence[DriftSample], folder: Path
) -> "list[Tensor]":
    """Writes the merged weights to `folder`. Returns the logits before merging, in float32 and without quantisation."""
    from transformers import GenerationConfig

    from raft_exp.apps.export import drift
    from raft_exp.engines.replies import stop_tokens
    from raft_exp.models import loading
    from raft_exp.models.merge import merged

    model = weights.load_to_merge(config) if weights else loading.load_to_merge(config)
    before = drift.logits(model, samples)
    stops = stop_tokens(model.generation_config, loading.tokenizer_of(config))
    exported = merged(model, dtype)
    exported.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=config.max_new_tokens,
        eos_token_id=stops,
        pad_token_id=stops[0],
        bos_token_id=exported.config.get_text_config().bos_token_id,
    )
    with loading.quiet():
        exported.save_pretrained(str(folder))
    return before


def _measure(
    config: ModelConfig,
    dtype: Dtype,
    folder: Path,
    samples: Sequence[DriftSample],
    before: "list[Tensor]",
    tolerance: float,
) -> Drift:
    """Returns the drift from the logits `before` to those of the model in `folder`.

    Raises ModelError if the relative drift is above `tolerance`.
    """
    from raft_exp.apps.export import drift
    from raft_exp.models import loading

    stored = dataclasses.replace(config, name_or_path=str(folder), revision=None, dtype=dtype, quantize=None)
    loaded = loading.load(stored)
    measured = drift.compare(before, drift.logits(loaded, samples))
    if not measured.relative <= tolerance:
        raise ModelError(
            f"after merging and casting to {dtype}, the logits drift by {measured}; that is above "
            f"tolerance={tolerance:g}, so nothing was written; use dtype=float32, form=adapter, or a larger tolerance"
        )
    return measured
