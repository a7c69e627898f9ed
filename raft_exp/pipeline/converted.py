"""The stages that convert a study's GGUF files into model folders, and the use of these folders.

`use` registers each folder under the name of its GGUF file, so that loading this name loads the folder.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from raft_exp.core.stage import Stage
from raft_exp.models import gguf, gguf_stage, loading
from raft_exp.models.loading import ModelConfig
from raft_exp.pipeline.config import Config
from raft_exp.pipeline.store import Store
from raft_exp.tasks.model import is_local

STAGE = "model"


def conversions(config: Config, fingerprint: Callable[[list[Path]], dict[str, str]]) -> list[Stage]:
    """Returns the stages that convert the GGUF files of a study, one for each file; [] without GGUF files.

    `fingerprint` returns content hashes of local files.
    """
    models: dict[str, ModelConfig] = {"model": config.model}
    if is_local(config.teacher):
        models["teacher.model"] = config.teacher.model
    if is_local(config.evaluation.judge):
        models["evaluation.judge.model"] = config.evaluation.judge.model
    named: dict[str, list[tuple[str, ModelConfig]]] = {}
    for group, model in models.items():
        if gguf.is_gguf(model.name_or_path):
            named.setdefault(model.name_or_path, []).append((group, model))
    return [_conversion(name, users, fingerprint) for name, users in named.items()]


def read_by(conversions: Sequence[Stage], stages: Sequence[Stage]) -> list[Stage]:
    """Returns the conversions of the GGUF files that at least one of `stages` reads.

    So `until=questions` converts no model that only data sets and trainings read.
    """
    read = {text for stage in stages for text in _texts(stage.description["config"])}
    return [stage for stage in conversions if stage.config.name_or_path in read]


def _texts(value: object) -> Iterator[str]:
    """Yields all texts in nested settings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _conversion(
    name: str, users: list[tuple[str, ModelConfig]], fingerprint: Callable[[list[Path]], dict[str, str]]
) -> Stage:
    group, model = users[0]
    dtype = model.dtype if all(other.dtype == model.dtype for _, other in users) else "float32"
    (digest,) = fingerprint([gguf.find(name, group)]).values()
    part = "" if group == "model" else group.split(".")[-2]  # teacher, judge
    return Stage(gguf_stage.unpack, gguf_stage.GgufStage(name, group, dtype), files={"gguf": digest}, part=part)


def use(stages: Iterable[Stage], store: Store) -> None:
    """Makes this process load each GGUF file from its converted folder, if the store has this folder."""
    for stage in stages:
        if stage.name == STAGE and store.look(stage).status == "reused":
            loading.use_folder(stage.config.name_or_path, store.obtain(stage))


@contextmanager
def described(stages: Iterable[Stage], store: Store) -> Iterator[None]:
    """Provides a model folder for each GGUF file inside the `with` block, so that the model can be checked.

    The model folder is the converted folder of the store. If the store has none, a temporary folder without weights is
    provided.
    """
    stages = list(stages)
    use(stages, store)
    with TemporaryDirectory() as folder:
        for stage in stages:
            if stage.name == STAGE and store.look(stage).status != "reused":
                out = Path(folder, stage.key)
                gguf_stage.write(stage.config, out, weights=False)
                loading.use_folder(stage.config.name_or_path, out)
        yield
