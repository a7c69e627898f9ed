"""The primary metric and contrast of a study, which the verdict is about. They are fixed before the run."""

from collections.abc import Mapping, Sequence

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.core.schema import config_dataclass
from raft_exp.evaluation.metrics import METRICS
from raft_exp.evaluation.results import Primary

_AGAINST = ("rag", "sft_rag")  # the arms that RAFT is measured against, the first of them that is under test

ArmSettings = Mapping[str, Mapping[str, object]]  # arm -> {recipe, cot, ...}


@config_dataclass
class PrimaryConfig:
    """`evaluation.primary`. null: by the rules of `resolve`."""

    metric: str | None = None
    arm: str | None = None
    against: str | None = None


def reference_arm(arms: ArmSettings) -> str:
    """The arm that the others are compared with: `raft`, else the last one with that recipe, else the last one."""
    trained = [name for name, arm in arms.items() if arm.get("recipe") == "raft"]
    return "raft" if "raft" in arms else (trained or list(arms))[-1]


def resolve(config: PrimaryConfig, arms: ArmSettings, metrics: Sequence[str]) -> Primary:
    """The metric (null: the first of `metrics`), the arm (null: `reference_arm`), and the arm that it is compared with
    (null: `rag`, else `sft_rag`, else the first other arm).

    `metrics` are those of the study. Raises ConfigError for an unknown name, for an arm against itself, and for a
    metric that an arm of the contrast does not have.
    """
    _check("metric", config.metric, metrics)
    for field in ("arm", "against"):
        _check(field, getattr(config, field), arms)
    metric = config.metric or metrics[0]
    arm = config.arm or reference_arm(arms)
    if arm == config.against:
        raise ConfigError(
            f"evaluation.primary.against: got {arm!r}, which is the primary arm itself; name another arm, or another "
            "evaluation.primary.arm"
        )
    others = [name for name in arms if name != arm]
    against = config.against or next((name for name in (*_AGAINST, *others) if name in others), None)
    for name in (arm, against):
        if name and METRICS[metric].of_quotes and not arms[name].get("cot"):
            raise ConfigError(
                f"evaluation.primary.metric: got {metric!r}, which grades quotes, and arm {name!r} is not asked to "
                "quote (cot: false); name arms with cot: true in evaluation.primary.{arm,against}, or another metric"
            )
    return {"metric": metric, "arm": arm, "against": against}


def _check(field: str, name: str | None, known: Sequence[str] | ArmSettings) -> None:
    if name is not None and name not in known:
        raise ConfigError(f"evaluation.primary.{field}: got {name!r}; {suggest(name, known)}")
