"""The disk space of a study: of its results in the store, and of the results that are still to be made."""

from pathlib import Path

from raft_exp.apps.plan.figures import Basis, Figure
from raft_exp.apps.plan.footprint import Footprint
from raft_exp.apps.plan.study import PlannedStudy
from raft_exp.apps.plan.tokens import prompt_tokens, training_tokens
from raft_exp.core.stage import Stage
from raft_exp.models import gguf
from raft_exp.models.loading import resolve

_BYTES_A_TOKEN = 9  # on disk: about four bytes of text, which a row contains twice, in its context and in its prompt


def disk(study: PlannedStudy, footprint: Footprint | None) -> list[Figure]:
    """Returns the disk space of present results, and of trained weights, a checkpoint and data sets still to be made.

    Weights of a model from the hub are listed too, even if they are in the hub's cache already. `footprint`: sizes of
    the model; None: weights are left out.
    """
    figures = [_figure("results in the store", _stored(study), "counted", f"of this study, in {study.store.root}")]
    if footprint:
        figures += _weights(study, footprint)
    rows = [(stage, study.expected.sizes.rows(stage)) for stage in study.missing("dataset")]
    known = [(stage, size.number) for stage, size in rows if size]
    if known:
        size = sum(number * _tokens(study, stage) * _BYTES_A_TOKEN for stage, number in known)
        total, sets = sum(number for _, number in known), "1 data set" if len(known) == 1 else f"{len(known)} data sets"
        source = f"{total:,} rows in {sets}, {_BYTES_A_TOKEN} bytes a token"
        figures.append({**_figure("data sets", size, "estimated", source), "at_most": True})
    return figures


def _weights(study: PlannedStudy, footprint: Footprint) -> list[Figure]:
    figures, model = [], study.config.model
    if not gguf.is_gguf(model.name_or_path) and not Path(resolve(model.name_or_path)).is_dir():
        millions = f"{footprint.parameters / 1e6:,.0f} million weights"
        source = f"{millions} of {model.name_or_path}, in the hub's cache (HF_HOME)"
        figures.append(_figure("base weights", footprint.saved_bytes, "estimated", source))
    trainings = study.missing("train")
    if trainings:
        whole = not study.config.lora.r
        each = footprint.saved_bytes if whole else footprint.trained_bytes
        source = f"{len(trainings)} of {each / 1e6:,.1f} MB"
        figures.append(_figure("whole models" if whole else "adapters", each * len(trainings), "estimated", source))
        source = "of one training at a time: its weights and AdamW's two moments; removed at its end"
        figures.append(_figure("a checkpoint", 3 * footprint.trained_bytes, "estimated", source))
    return figures


def _tokens(study: PlannedStudy, dataset: Stage) -> float:
    if hasattr(dataset.config, "split"):
        return prompt_tokens(study, dataset, True)[0]
    return training_tokens(study, dataset).mean


def _stored(study: PlannedStudy) -> float:
    """Returns the bytes of this study's results in the store."""
    folders = [study.store.path(stage) for stage in study.stages if study.store.look(stage).status == "reused"]
    return sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())


def _figure(what: str, size: float, basis: Basis, source: str) -> Figure:
    return {"what": what, "value": size / 1e9, "unit": "GB", "basis": basis, "source": source}
