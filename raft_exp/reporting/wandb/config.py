"""The settings of `logger`."""

from typing import Annotated, Literal

from pydantic import Field

from raft_exp.core.schema import config_dataclass


@config_dataclass
class CsvConfig:
    """No logger. All figures are in files of the run folder and of the store."""

    name: Literal["csv"]


@config_dataclass
class WandbConfig:
    """Weights & Biases. Without a login (WANDB_API_KEY or `wandb login`) runs are offline; `wandb sync` sends them
    later.
    """

    name: Literal["wandb"]
    project: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^/\\#?%:]+$")]  # W&B's rule
    entity: str | None
    mode: Literal["auto", "online", "offline"]
    tags: list[Annotated[str, Field(min_length=1, max_length=64)]]


LoggerConfig = Annotated[CsvConfig | WandbConfig, Field(discriminator="name")]
