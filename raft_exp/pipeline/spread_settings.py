"""The settings of `spread`. None of them changes a result."""

from typing import Annotated, Literal

from pydantic import Field

from raft_exp.core.schema import Count, Positive, PositiveFloat, config_dataclass


@config_dataclass
class LocalSpread:
    """The tasks are processes of this machine, all at the same time. A task that needs a GPU waits for a free one."""

    name: Literal["local"]
    tasks: Positive | Literal["auto"]  # 1: no stage is spread; auto: visible GPUs / GPUs of a task (without GPUs: 1)


@config_dataclass
class SlurmSpread:
    """The tasks are SLURM arrays, submitted by submitit. Run folder and store must be on a shared file system."""

    name: Literal["slurm"]
    tasks: Positive
    at_once: Positive | None  # largest number of tasks at the same time; null: all
    partition: str | None  # null: the cluster's default
    account: str | None  # null: the cluster's default
    minutes: Positive  # time limit of a task; a task that exceeds it is started again, and resumes
    cpus: Positive  # of a task
    memory_gb: PositiveFloat  # of a task
    gpus: Count  # of a task, for stages that may use a GPU
    sbatch: dict[str, str | int]  # more parameters of sbatch, by name


@config_dataclass
class RaySpread:
    """The tasks run on a Ray cluster. Run folder and store must be on a shared file system."""

    name: Literal["ray"]
    tasks: Positive
    address: str | None  # auto, or the address of a cluster; null: Ray is started on this machine for the study
    cpus: PositiveFloat  # of a task
    gpus: Annotated[float, Field(ge=0)]  # of a task, for stages that may use a GPU


SpreadConfig = Annotated[LocalSpread | SlurmSpread | RaySpread, Field(discriminator="name")]
ONE_PROCESS = LocalSpread("local", 1)
